"""The user's own data: recordings, ink or images, and beside each a transcript, a `.txt` file.

mydata/anna/first.wav  mydata/anna/first.txt      folders are speakers, sets are drawn at random
mydata/train/...  mydata/dev/...  mydata/test/... folders are sets
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqlabel.corpora.labelling import labels_of_text
from seqlabel.corpora.manifest import Kind, Utterance
from seqlabel.corpora.own_data import (
    FILES,
    SUFFIXES,
    Measure,
    Options,
    clean_text,
    divide,
    kind_of,
    prepared_own_data,
    utterance_id,
)
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.corpora.splitting import known_set
from seqlabel.errors import InputError, some_of
from seqlabel.files import read_text
from seqlabel.progress import progress_bar


def prepare(source: Path, options: Options) -> Prepared:
    """Every audio, ink or image file below `source` with the transcript of its name beside it.

    An empty transcript means that nothing is said or written. Raises InputError for a folder
    without such files or with several kinds, two files of one name, a missing transcript, and files
    that cannot be read.
    """
    if not source.is_dir():
        raise InputError(f"{source}: no such folder")
    kind, files = _signal_files(source, options.kind)
    skip = SkipBad(options.skip_bad)
    reader = _Reader(source, kind, options.unit, Measure(options))
    named = [(utterance_id(path, source), path) for path in files]
    utterances = skip.read_all(progress_bar(named, "reading"), reader, source)
    splits = divide(utterances, [_set_folder(u.source, source) for u in utterances], options)
    found = prepared_own_data("folder", kind, options, splits, skip.reasons, reader.measure.rates)
    return found.noting(*_transcripts_alone(source, files))


@dataclass(frozen=True)
class _Reader:
    """Makes an utterance of a signal file and the transcript beside it."""

    root: Path
    kind: Kind
    unit: str
    measure: Measure

    def __call__(self, path: Path) -> Utterance:
        transcript = path.with_suffix(".txt")
        if not transcript.is_file():
            raise InputError(f"{path}: no transcript {transcript.name} beside it")
        text = clean_text(read_text(transcript).removeprefix("\ufeff"))
        folders = path.relative_to(self.root).parts[:-1]
        if folders and known_set(folders[0]):
            folders = folders[1:]
        return Utterance(
            id=utterance_id(path, self.root),
            source=path,
            kind=self.kind,
            labels=labels_of_text(text, self.unit, str(transcript)),
            text=text,
            speaker=folders[0] if folders else "",
            duration=self.measure.seconds(path, self.kind),
        )


def _signal_files(root: Path, wanted: Kind | Literal["any"]) -> tuple[Kind, list[Path]]:
    found: dict[Kind, list[Path]] = {kind: [] for kind in SUFFIXES}
    for path in _files(root):
        kind = kind_of(path, wanted)
        if kind:
            found[kind].append(path)
    there = [kind for kind, paths in found.items() if paths]
    if len(there) > 1 and wanted == "any":
        there = [kind for kind in there if kind != "image"]  # pictures beside the data
    if len(there) > 1:
        counts = " and ".join(f"{len(found[kind])} {FILES[kind]}" for kind in there)
        ways = " or ".join(f"--set kind={kind}" for kind in there)
        raise InputError(f"{root}: {counts} files; choose with {ways}")
    if not there:
        known = (s for k in SUFFIXES for s in SUFFIXES[k] if wanted in ("any", k))
        suffixes = " ".join(dict.fromkeys(known))
        raise InputError(f"{root}: no files to read ({suffixes})")
    chosen = there[0]
    names: dict[str, Path] = {}
    for path in found[chosen]:
        other = names.setdefault(utterance_id(path, root), path)
        if other != path:
            raise InputError(f"{path}: would have the same id as {other.name}; rename one of them")
    return chosen, found[chosen]


def _transcripts_alone(root: Path, files: list[Path]) -> list[str]:
    """A remark on .txt files that have no signal beside them, perhaps one of an unknown format."""
    known = {path.with_suffix("") for path in files}
    alone = [
        path.relative_to(root).as_posix()
        for path in _files(root)
        if path.suffix == ".txt" and path.with_suffix("") not in known
    ]
    count = f"{len(alone)} .txt files without a signal beside them are not read"
    return [f"{count}: {some_of(alone)}"] if alone else []


def _files(root: Path) -> Iterator[Path]:
    """Files below `root`, except in hidden folders and those that `seqlabel prepare` wrote."""
    for folder, folders, names in os.walk(root):
        if "corpus.json" in names and "alphabet.json" in names:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _set_folder(path: Path, root: Path) -> str:
    return known_set(path.relative_to(root).parts[0])
