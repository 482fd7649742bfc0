"""Reading and writing transcripts: JSON lines, Kaldi text, and the formats of `nist`."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from sys import intern
from typing import Any

from seqlabel.corpora.nist import lines_of, seconds
from seqlabel.errors import InputError
from seqlabel.files import read_json, read_jsonl, whole_file, write_jsonl
from seqlabel.scoring.transcripts.lines import join_labels, labels_of, split_labels
from seqlabel.scoring.transcripts.nist import (
    ctm_lines,
    read_ctm,
    read_stm,
    read_trn,
    stm_lines,
    trn_lines,
)
from seqlabel.scoring.transcripts.transcript import Span, Transcript, Transcripts

UNFIT = re.compile(r"[\s()]")
"""Characters that end an id in all formats but .jsonl."""


def read_transcripts(path: str | os.PathLike[str], level: str = "") -> Transcripts:
    """Read a file: .jsonl, .trn, .ctm and .stm by their names, anything else as Kaldi text.

    level: of a manifest or hypothesis file with levels, the level to read instead of the labels.
    InputError for a file that does not exist, is not UTF-8, has an utterance twice or none, or is
    malformed (naming the line).
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file of transcripts in it")
    kind = path.suffix.lower()
    if level:
        if kind != ".jsonl":
            raise InputError(f"{path}: only .jsonl has levels below its labels; leave out --level")
        return read_json_lines(path, level)
    return READERS.get(kind, read_kaldi_text)(path)


def write_transcripts(path: str | os.PathLike[str], transcripts: Transcripts) -> None:
    """Write a file in the format of its name, for `read_transcripts`.

    InputError for an id with white space or parentheses (allowed in .jsonl), and for .ctm without
    times.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".jsonl":
        write_jsonl(path, json_rows(transcripts))
        return
    for key in transcripts.by_id:
        if UNFIT.search(key):
            raise InputError(
                f"{path}: id {key!r} has white space or parentheses, which end an id in this "
                f"format; write .jsonl instead"
            )
    with whole_file(path) as stream:
        for line in WRITERS.get(kind, kaldi_lines)(transcripts):
            stream.write(line + "\n")


def read_json_lines(path: Path, level: str = "") -> Transcripts:
    """A manifest or a hypothesis file; a first object without "id" is the header.

    The unit of the labels comes from the header, or from `alphabet.json` in the same folder.
    level: read these labels instead of those of the file, see `read_transcripts`.
    """
    header: dict[str, Any] = {}
    kinds: set[str] = set()

    def rows() -> Iterator[Transcript]:
        first = True
        for number, row in read_jsonl(path):
            if first and "id" not in row:
                header.update(row)
            else:
                kinds.add(str(row.get("kind", "")))
                if level:
                    row = _at_level(row, level, f"{path}:{number}")
                yield _from_json(row, f"{path}:{number}")
            first = False

    found = Transcripts.gather(str(path), rows())
    beside = path.with_name("alphabet.json")
    alphabet = read_json(beside) if not header.get("unit") and beside.is_file() else {}
    unit = str(header.get("unit") or alphabet.get("unit", ""))
    if level:
        units = {name: below["unit"] for name, below in alphabet.get("levels", {}).items()}
        unit = str((header.get("levels") or units).get(level, ""))
    return replace(found, unit=unit, kind=kinds.pop() if len(kinds) == 1 else "", header=header)


def _at_level(row: dict[str, Any], level: str, where: str) -> dict[str, Any]:
    """A row with the labels of a level below, without text and times."""
    levels = row.get("levels")
    if not isinstance(levels, dict) or level not in levels:
        known = ", ".join(levels) if isinstance(levels, dict) else ""
        raise InputError(
            f"{where}: no level {level!r} ({f'there is {known}' if known else 'no levels at all'})"
        )
    kept: dict[str, Any] = {
        key: row[key] for key in ("id", "speaker", "tags", "duration") if key in row
    }
    return {**kept, "labels": levels[level]}


def _from_json(row: dict[str, Any], where: str) -> Transcript:
    key, labels, text = row.get("id"), row.get("labels"), row.get("text")
    tags = row.get("tags") or {}
    if not isinstance(key, str) or not key:
        raise InputError(f'{where}: "id" must be a non-empty string')
    if labels is None and text is None:
        raise InputError(f'{where}: utterance {key!r} has neither "labels" nor "text"')
    if labels is not None and not (
        isinstance(labels, list) and {*map(type, labels)} <= {str} and "" not in labels
    ):
        raise InputError(f'{where}: "labels" must be a list of non-empty strings')
    if not isinstance(text, str | None) or not isinstance(tags, dict):
        raise InputError(f'{where}: "text" must be a string and "tags" an object')
    try:
        duration = seconds(row.get("duration") or 0)
        spans = tuple(_span(*span) for span in row.get("spans") or ())
    except (TypeError, ValueError):
        raise InputError(
            f'{where}: "duration" must be seconds, "spans" [label, start, end, probability]'
        ) from None
    return Transcript(
        key,
        None if labels is None else tuple(map(intern, labels)),
        text,
        str(row.get("speaker") or ""),
        {str(tag): str(value) for tag, value in tags.items()},
        duration,
        spans,
    )


def _span(
    label: str, start: float, end: float, probability: float = 1.0, strokes: object = None
) -> Span:
    """A span of a hypothesis, without the strokes of ink."""
    return str(label), seconds(start), seconds(end), float(probability)


def json_rows(transcripts: Transcripts) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file of transcripts."""
    for transcript in transcripts.by_id.values():
        row: dict[str, Any] = {"id": transcript.id, "labels": list(labels_of(transcript))}
        if transcript.text is not None:
            row["text"] = transcript.text
        yield row | ({"spans": [list(s) for s in transcript.spans]} if transcript.spans else {})


def read_kaldi_text(path: Path) -> Transcripts:
    """Kaldi's `text`: the utterance id, then its labels.

    Speakers and their sex are taken from `utt2spk` and `spk2gender` in the same folder, if any.
    """
    speakers = _pairs(path.with_name("utt2spk"))
    sexes = _pairs(path.with_name("spk2gender"))

    def rows() -> Iterator[Transcript]:
        for number, line in lines_of(path):
            if line.startswith('{"'):
                raise InputError(
                    f"{path}:{number}: JSON instead of an id and labels; the name of a "
                    f"file of JSON lines must end in .jsonl"
                )
            key, *words = line.split()
            speaker = speakers.get(key, "")
            tags = {"sex": sexes[speaker]} if speaker in sexes else {}
            yield replace(split_labels(key, words), speaker=speaker, tags=tags)

    return Transcripts.gather(str(path), rows())


def _pairs(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    fields = [line.split() for _, line in lines_of(path)]
    return {pair[0]: pair[1] for pair in fields if len(pair) == 2}


def kaldi_lines(transcripts: Transcripts) -> Iterator[str]:
    """The lines of Kaldi's `text`."""
    for transcript in transcripts.by_id.values():
        yield f"{transcript.id} {join_labels(transcript)}".rstrip()


READERS: Mapping[str, Callable[[Path], Transcripts]] = {
    ".jsonl": read_json_lines,
    ".trn": read_trn,
    ".ctm": read_ctm,
    ".stm": read_stm,
}
"""Readers by the ending of the file name; other names are Kaldi text."""

WRITERS: Mapping[str, Callable[[Transcripts], Iterator[str]]] = {
    ".trn": trn_lines,
    ".ctm": ctm_lines,
    ".stm": stm_lines,
}
"""Writers of lines by the ending of the file name; .jsonl is separate, others are Kaldi text."""
