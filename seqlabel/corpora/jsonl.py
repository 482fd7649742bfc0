"""A person's own data listed in JSON lines: `{"source": "a.wav", "text": "hello"}` and more.

Keys are those of the manifest, of which only `source` and one of `text` and `labels` are needed,
and `set` (train, dev or test). SRC is such a file, or a folder with train.jsonl, dev.jsonl, ...
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlabel.config import did_you_mean
from seqlabel.corpora.labelling import labels_of_text
from seqlabel.corpora.manifest import Kind, Utterance, utterance_from
from seqlabel.corpora.own_data import (
    Measure,
    Options,
    check_labels,
    clean_text,
    divide,
    kind_of,
    prepared_own_data,
    utterance_id,
)
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.corpora.splitting import SET_NAMES
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl
from seqlabel.progress import progress_bar


def prepare(source: Path, options: Options) -> Prepared:
    """Complete the lines of one file, or of {train,dev,test}.jsonl in a folder.

    An empty text says that nothing is said or written. Raises InputError naming file and line for
    unknown keys, absent files, and lines with neither text nor labels.
    """
    files = [source]
    if source.is_dir():
        files = [source / f"{name}.jsonl" for name in SET_NAMES]
        files = [path for path in files if path.is_file()]
        if not files:
            raise InputError(f"{source}: no train.jsonl; name the .jsonl file or its folder")
    rows = [
        (f"{path}:{number}", (path, number, row))
        for path in files
        for number, row in read_jsonl(path)
    ]
    if not rows:
        raise InputError(f"{source}: no lines; write one JSON object for each recording")
    skip = SkipBad(options.skip_bad)
    sets: dict[str, str] = {}
    measure = Measure(options)

    def read(place: tuple[Path, int, dict[str, Any]]) -> Utterance:
        path, number, row = place
        row = dict(row)
        given = row.pop("set", path.stem if source.is_dir() else "")
        if given and given not in SET_NAMES:
            raise InputError(f"{path}:{number}: set {given!r}{did_you_mean(given, SET_NAMES)}")
        utterance = _complete(row, path, f"{path}:{number}", options, measure)
        if utterance.id in sets:
            raise InputError(f"{path}:{number}: id {utterance.id!r} occurs twice; change one")
        sets[utterance.id] = given
        return utterance

    utterances = list(skip.read_each(progress_bar(rows, "reading"), read))
    kinds = {utterance.kind for utterance in utterances}
    if len(kinds) > 1:
        raise InputError(f"{source}: both speech and ink; make a manifest of each")
    splits = divide(utterances, [sets[u.id] for u in utterances], options)
    kind: Kind = utterances[0].kind if utterances else "speech"
    return prepared_own_data("manifest", kind, options, splits, skip.reasons, measure.rates)


def _complete(
    row: Mapping[str, Any], path: Path, where: str, options: Options, measure: Measure
) -> Utterance:
    """An utterance from a line that may leave out all that can be found out."""
    if not isinstance(row.get("source"), str) or not row["source"]:
        raise InputError(f"{where}: key source is missing: the audio or ink file")
    source = path.resolve().parent / row["source"]
    kind = row.get("kind", options.kind if options.kind != "any" else kind_of(source))
    if kind is None:
        raise InputError(f"{where}: {source.name} may be speech or ink; add the key kind")
    if "labels" not in row:
        text = row.get("text")
        if isinstance(text, str):
            text = clean_text(text)
            row = {**row, "text": text, "labels": list(labels_of_text(text, options.unit, where))}
        else:  # refused below, if it is there at all
            row = {**row, "labels": []}
    name = utterance_id(Path(row["source"]), Path(Path(row["source"]).anchor))
    utterance = utterance_from({"id": name, **row, "kind": kind}, path.resolve().parent, where)
    if not utterance.labels and utterance.text is None:
        raise InputError(f"{where}: neither text nor labels; write what is to be read")
    check_labels(utterance.labels, options.unit, where)
    return dataclasses.replace(utterance, duration=measure.seconds(source, kind))
