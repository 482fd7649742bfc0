"""Shards in the layout of WebDataset: plain tar files in which the files of one name are a sample.

train-000.tar: anna/1.flac anna/1.txt anna/2.flac anna/2.txt ...
A sample is an audio or ink file with a `.txt` (its transcript) or a `.json` (`text` or `labels`,
and `speaker`). Its name ends at the first dot, and its files are consecutive. If the names of all
shards contain `train`, `dev` or `test`, these are the sets; otherwise sets are drawn at random.
"""

import glob
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlabel.corpora.labelling import labels_of_text
from seqlabel.corpora.manifest import Kind, Utterance
from seqlabel.corpora.own_data import (
    BESIDE,
    FILES,
    SUFFIXES,
    Measure,
    Options,
    check_labels,
    clean_text,
    divide,
    prepared_own_data,
    utterance_id,
)
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.corpora.splitting import set_named
from seqlabel.errors import InputError
from seqlabel.files import check_characters
from seqlabel.inputs.reading import as_text, read_bytes
from seqlabel.inputs.shards import list_members, shard_of
from seqlabel.progress import progress_bar

__all__ = ["Options", "prepare"]

LABELS = ("txt", "json")


@dataclass(frozen=True)
class Sample:
    """The files of one name: ending -> path for `open_signal`."""

    shard: Path
    key: str
    files: dict[str, Path] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.shard}: sample {self.key!r}"

    def signals(self, kind: Kind) -> list[str]:
        """Endings of its signals; `.json` is ink only if labels and no other signal are there."""
        found = [ending for ending in self.files if f".{ending}" in SUFFIXES[kind]]
        others = [ending for ending in found if ending != "json"]
        if others or "txt" not in self.files or (kind == "ink" and self.signals("speech")):
            return others
        return found


def prepare(source: Path, options: Options) -> Prepared:
    """Every sample of the shards of a folder, a pattern such as `data/train-*.tar`, or one file.

    The manifest refers to places in the shards; nothing is unpacked. Raises InputError that names
    shard and sample for what `list_members` refuses, missing or duplicate files of a sample,
    missing text and labels, and signals that cannot be read.
    """
    shards = _shards(source)
    root = source if source.is_dir() else Path(os.path.commonpath([s.parent for s in shards]))
    sets = {shard: _set_of(shard, root) for shard in shards}
    skip = SkipBad(options.skip_bad)
    reader = _Reader(root, options, Measure(options))

    def samples() -> Iterator[tuple[str, Sample]]:
        for shard in progress_bar(shards, "reading"):
            try:
                for sample in _samples(shard):
                    if options.kind == "any" or sample.signals(options.kind):
                        yield str(sample), sample
            except InputError as error:
                if not options.skip_bad:
                    raise
                skip.reasons[str(shard)] = str(error)

    utterances = skip.read_all(samples(), reader, source)
    kinds = {utterance.kind for utterance in utterances}
    if len(kinds) > 1:
        there = sorted(kinds, reverse=True)
        ways = " or ".join(f"--set kind={kind}" for kind in there)
        raise InputError(
            f"{source}: both {' and '.join(FILES[kind] for kind in there)}; choose with {ways}"
        )
    if not kinds:
        raise InputError(f"{source}: no samples; expected KEY.wav with KEY.txt, for example")
    splits = divide(utterances, [sets[_shard(u.source)] for u in utterances], options)
    return prepared_own_data(
        "webdataset", kinds.pop(), options, splits, skip.reasons, reader.measure.rates
    )


@dataclass(frozen=True)
class _Reader:
    """Makes an utterance of a sample."""

    root: Path
    options: Options
    measure: Measure

    def __call__(self, sample: Sample) -> Utterance:
        kind, source = self._signal(sample)
        labels, text, speaker = self._labels(sample)
        if not labels and text is None:
            raise InputError(f"{sample}: neither text nor labels; add one of them")
        check_labels(labels, self.options.unit, str(sample))
        return Utterance(
            id=utterance_id(sample.shard.with_suffix("") / f"{sample.key}.x", self.root),
            source=source,
            kind=kind,
            labels=labels,
            text=text,
            speaker=speaker,
            duration=self.measure.seconds(source, kind),
        )

    def _signal(self, sample: Sample) -> tuple[Kind, Path]:
        wanted = self.options.kind
        found = [(k, e) for k in SUFFIXES if wanted in ("any", k) for e in sample.signals(k)]
        if wanted == "any" and len(found) > 1:
            found = [(k, e) for k, e in found if k not in BESIDE]
        if len(found) != 1:
            endings = ", ".join(sample.files)
            raise InputError(
                f"{sample}: {len(found) or 'no'} audio, ink or image files among its endings "
                f"{endings}; pack one with each transcript"
            )
        kind, ending = found[0]
        return kind, sample.files[ending]

    def _labels(self, sample: Sample) -> tuple[tuple[str, ...], str | None, str]:
        """Labels, text (None if not known) and speaker."""
        facts: dict[str, Any] = {}
        if "json" in sample.files and "json" not in sample.signals("ink"):
            facts = _facts(sample.files["json"])
        elif "txt" not in sample.files:
            raise InputError(f"{sample}: no .txt or .json with its labels; add one to the shard")
        text, speaker = facts.get("text"), facts.get("speaker", "")
        if "txt" in sample.files:
            path = sample.files["txt"]
            text = as_text(read_bytes(path, blank=True), path)
        text = text if text is None else clean_text(text)
        labels = facts.get("labels")
        if labels is None:
            labels = labels_of_text(text or "", self.options.unit, str(sample))
        return tuple(labels), text, speaker


def _facts(path: Path) -> dict[str, Any]:
    """The keys of a sample's JSON that are used here."""
    try:
        value = json.loads(as_text(read_bytes(path), path))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: a JSON object with text or labels is expected")
    for key in ("text", "speaker"):
        if not isinstance(value.get(key, ""), str):
            raise InputError(f"{path}: {key} is {str(value[key])[:40]!r}; a string is expected")
    labels = value.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{path}: labels must be a list of strings")
    check_characters(value, str(path))
    return value


def _samples(shard: Path) -> Iterator[Sample]:
    """The samples of a shard, one after the other."""
    sample = Sample(shard, "")
    seen: set[str] = set()
    for name, path in list_members(shard):
        folder, _, file = name.rpartition("/")
        key, dot, ending = file.partition(".")
        if not dot:
            continue
        key, ending = f"{folder}/{key}".lstrip("/"), ending.lower()
        if key != sample.key:
            if sample.files:
                yield sample
            if key in seen:
                raise InputError(
                    f"{shard}: the files of sample {key!r} are not consecutive; pack the shard "
                    "anew with tar --sort=name"
                )
            seen.add(key)
            sample = Sample(shard, key)
        if ending in sample.files:
            raise InputError(f"{shard}: member {name!r} occurs twice; pack the shard anew")
        sample.files[ending] = path
    if sample.files:
        yield sample


def _shards(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted(source.rglob("*.tar"))
        packed = sorted(p for e in ("tar.*", "tgz") for p in source.rglob(f"*.{e}"))
        if packed:
            raise InputError(
                f"{packed[0]}: a compressed tar file; unpack it (gunzip, unxz, unzstd)"
            )
    else:
        found = [source] if source.is_file() else sorted(map(Path, glob.glob(str(source))))
        for path in found:
            if path.suffix != ".tar":
                raise InputError(f"{path}: the name must end in .tar; shards are plain tar files")
    if not found:
        raise InputError(f"{source}: no shards; name a folder of .tar files, or a pattern")
    return found


def _shard(source: Path) -> Path:
    place = shard_of(source)
    assert place is not None
    return place[0]


def _set_of(shard: Path, root: Path) -> str:
    """The set that the shard's path below `root` names, or nothing."""
    return set_named(shard.relative_to(root).as_posix())
