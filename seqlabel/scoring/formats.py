"""Transcript files: JSON lines (manifests and hypotheses), NIST .trn/.ctm/.stm, Kaldi text."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from sys import intern
from typing import Any

from seqlabel.errors import InputError
from seqlabel.files import read_json, read_jsonl, read_text
from seqlabel.scoring.transcripts import Transcript, Transcripts

SPACE = "<space>"
"""How a blank between words is written where blanks separate labels."""


def read_transcripts(path: str | os.PathLike[str]) -> Transcripts:
    """Read a file; .jsonl, .trn, .ctm and .stm by their names, anything else as Kaldi text.

    InputError for files that do not exist, are not UTF-8, or are malformed (with the line).
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file of transcripts in it")
    reader = READERS.get(path.suffix.lower(), read_kaldi_text)
    return reader(path)


def read_json_lines(path: Path) -> Transcripts:
    """A manifest or a hypothesis file; a first object without "id" is the header.

    The unit comes from the header, or from `alphabet.json` in the same folder.
    """
    header: dict[str, Any] = {}
    kinds: set[str] = set()

    def rows() -> Iterator[Transcript]:
        for number, row in read_jsonl(path):
            if "id" not in row and number == 1:
                header.update(row)
                continue
            kinds.add(str(row.get("kind", "")))
            yield _from_json(row, f"{path}:{number}")

    found = Transcripts.gather(path.stem, rows())
    unit = str(header.get("unit", ""))
    if not unit and (path.parent / "alphabet.json").is_file():
        unit = str(read_json(path.parent / "alphabet.json").get("unit", ""))
    kind = kinds.pop() if len(kinds) == 1 else ""
    return Transcripts(str(path), found.by_id, unit, kind, header)


def _from_json(row: dict[str, Any], where: str) -> Transcript:
    labels, text = row.get("labels"), row.get("text", "")
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise InputError(f'{where}: "id" must be a non-empty string')
    if labels is None and "text" not in row:
        raise InputError(f'{where}: utterance {row["id"]!r} has neither "labels" nor "text"')
    if labels is not None and not (
        isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    ):
        raise InputError(f'{where}: "labels" must be a list of strings')
    if not isinstance(text, str):
        raise InputError(f'{where}: "text" must be a string')
    return Transcript(
        row["id"],
        None if labels is None else tuple(map(intern, labels)),
        text,
        str(row.get("speaker", "")),
        row.get("tags") or {},
        float(row.get("duration") or 0),
        tuple(tuple(span) for span in row.get("spans") or ()),
    )


def read_trn(path: Path) -> Transcripts:
    """NIST transcripts: labels, then the utterance id in parentheses at the end of the line."""

    def rows() -> Iterator[Transcript]:
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip() or line.startswith(";;"):
                continue
            match = re.fullmatch(r"(.*)\(([^()\s]+)\)\s*", line)
            if not match:
                raise InputError(f"{path}:{number}: no utterance id in parentheses at the end")
            yield _from_words(match[2], match[1].split())

    return Transcripts.gather(str(path), rows())


def read_kaldi_text(path: Path) -> Transcripts:
    """Kaldi's `text`: the utterance id, then its labels, separated by blanks."""

    def rows() -> Iterator[Transcript]:
        for line in read_text(path).splitlines():
            if line.strip():
                key, *words = line.split()
                yield _from_words(key, words)

    return Transcripts.gather(str(path), rows())


def _from_words(key: str, words: list[str]) -> Transcript:
    return Transcript(key, tuple(intern(" " if w == SPACE else w) for w in words), " ".join(words))


READERS = {".jsonl": read_json_lines, ".trn": read_trn}
