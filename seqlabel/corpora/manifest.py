"""The manifest: one utterance (or line of ink) per line of a JSON-lines file."""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from seqlabel.config import did_you_mean
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl, write_jsonl

Kind = Literal["speech", "ink", "image", "series"]
_KINDS = get_args(Kind)


class Segment(NamedTuple):
    """A segment of a signal with its label; `start` and `end` in seconds (columns of an image)."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Utterance:
    """One sequence to be labelled: its signal and its transcript.

    id: unique within a prepared corpus. source: the file of its signal.
    start, end: seconds, if the utterance is part of a longer recording; an end of 0 is that of the
    file. channel: of several, from 0.
    labels: the target, symbols of the corpus's alphabet. text: the transcript as text, in
    Unicode's logical order, which is that of writing and speaking in every script; "" if nothing
    is said or written, None if the text is not known (labels may still be known).
    speaker: speaker or writer, empty where unknown. duration: seconds, 0 where unknown and for
    images. segments: hand labels with their times, from the start of the utterance. words: the same
    for words (may overlap or leave gaps). tags: further properties (sex, region, ...).
    levels: labels of lower levels by name (the phones of words).
    target: for regression, a `.npy` file of values (T, D) to be predicted, one row per frame, NaN
    if not known; labels are then optional.
    """

    id: str
    source: Path
    kind: Kind
    labels: tuple[str, ...]
    text: str | None = None
    speaker: str = ""
    duration: float = 0.0
    segments: tuple[Segment, ...] = ()
    words: tuple[Segment, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    start: float = 0.0
    end: float = 0.0
    channel: int | None = None
    target: Path | None = None

    @property
    def labels_known(self) -> bool:
        """Whether `labels` are the whole transcript: where there are none, nothing is said."""
        return bool(self.labels) or self.text == ""


_KEYS = [f.name for f in fields(Utterance)]
STRETCH = ("start", "end", "channel")
_REQUIRED = ("id", "source", "kind", "labels")
_KNOWN, _NEEDED, _STRING = frozenset(_KEYS), frozenset(_REQUIRED), frozenset([str])


def read_manifest(path: str | os.PathLike[str]) -> list[Utterance]:
    """Read the utterances of a manifest, in the order of its lines.

    A relative `source` is taken from the manifest's folder. Raises InputError naming file and line
    for anything that `write_manifest` would not write, and for an id that occurs twice.
    """
    folder = Path(path).resolve().parent
    utterances = []
    lines: dict[str, int] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        utterance = utterance_from(row, folder, where)
        if utterance.id in lines:
            raise InputError(
                f"{where}: id {utterance.id!r} is also on line {lines[utterance.id]}; "
                "ids must be unique"
            )
        lines[utterance.id] = number
        utterances.append(utterance)
    return utterances


def write_manifest(path: str | os.PathLike[str], utterances: Iterable[Utterance]) -> None:
    """Write a manifest, whole or not at all; sources below its folder are written relative to it.

    Raises InputError for a source whose file name is not valid Unicode.
    """
    folder = Path(path).resolve().parent
    write_jsonl(path, (_row(utterance, folder) for utterance in utterances))


def _row(utterance: Utterance, folder: Path) -> dict[str, Any]:
    source = _relative(utterance.source, folder)
    target = None if utterance.target is None else _relative(utterance.target, folder)
    try:
        f"{utterance.id}{source}{target}".encode()
    except UnicodeEncodeError:
        raise InputError(f"{source}: the file name is not valid UTF-8; rename the file") from None
    row: dict[str, Any] = {
        "id": utterance.id,
        "source": source.as_posix(),
        "kind": utterance.kind,
        "labels": list(utterance.labels),
        "text": utterance.text,
        "speaker": utterance.speaker,
        "duration": round(utterance.duration, 6),
        "segments": [list(segment) for segment in utterance.segments],
        "words": [list(word) for word in utterance.words],
        "levels": {name: list(labels) for name, labels in utterance.levels.items()},
        "tags": dict(utterance.tags),
        "start": round(utterance.start, 6),
        "end": round(utterance.end, 6),
        "channel": utterance.channel,
        "target": target and target.as_posix(),
    }
    return {
        key: value
        for key, value in row.items()
        if value or key in _REQUIRED or (key in ("text", "channel") and value is not None)
    }


def _relative(path: Path, folder: Path) -> Path:
    path = path.absolute()
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def utterance_from(
    row: Mapping[str, Any], folder: Path, where: str, segment: str = ""
) -> Utterance:
    """The utterance of one line; raises InputError as `check_row` does."""
    check_row(row, where, segment)
    return Utterance(
        id=row["id"],
        source=folder / row["source"],
        kind=row["kind"],
        labels=tuple(row["labels"]),
        text=row.get("text"),
        speaker=row.get("speaker", ""),
        duration=float(row.get("duration", 0.0)),
        segments=_segments(row, "segments", where),
        words=_segments(row, "words", where),
        levels={name: tuple(labels) for name, labels in row.get("levels", {}).items()},
        tags=row.get("tags", {}),
        start=float(row.get("start", 0.0)),
        end=float(row.get("end", 0.0)),
        channel=row.get("channel"),
        target=folder / row["target"] if "target" in row else None,
    )


def check_row(row: Mapping[str, Any], where: str, segment: str = "") -> None:
    """Raise InputError for a line that is not an utterance; `where` begins the message.

    segment: begins the messages about start, end and channel, if another line gives these.
    """
    if not row.keys() <= _KNOWN:
        key = next(key for key in row if key not in _KNOWN)
        raise InputError(f"{where}: unknown key {key}{did_you_mean(key, _KEYS)}")
    if not row.keys() >= _NEEDED:
        key = next(key for key in _REQUIRED if key not in row)
        raise InputError(
            f"{where}: key {key} is missing; `seqlabel prepare manifest` completes a manifest "
            "that has only source and text"
        )
    for key in ("id", "source", "text", "speaker"):
        if not isinstance(row.get(key, ""), str):
            raise InputError(f"{where}: {key} is {row[key]!r}; a string is expected")
    if not isinstance(row.get("target", ""), str) or row.get("target") == "":
        raise InputError(f"{where}: target is {row['target']!r}; the name of a file is expected")
    if not row["id"] or not row["source"]:
        raise InputError(f"{where}: id and source must not be empty")
    if row["kind"] not in _KINDS:
        raise InputError(f"{where}: kind is {row['kind']!r}; it is one of {', '.join(_KINDS)}")
    labels = row["labels"]
    if not isinstance(labels, list) or not _STRING.issuperset(map(type, labels)):
        raise InputError(f"{where}: labels must be a list of strings")
    if "levels" in row and not _are_levels(row["levels"]):
        raise InputError(f"{where}: levels must be an object with lists of strings as values")
    segment = segment or where
    start, end = (_seconds(row, key, segment) for key in ("start", "end"))
    _seconds(row, "duration", where)
    if start < 0 or end < 0 or 0 < end <= start:
        raise InputError(
            f"{segment}: a segment from {start:g} to {end:g} s; it must begin at 0 s or later, and "
            "end after that"
        )
    if row["kind"] in ("ink", "series") and not row.keys().isdisjoint(STRETCH):
        what = "an ink" if row["kind"] == "ink" else "a series"
        raise InputError(
            f"{where}: {', '.join(STRETCH)} are for speech; {what} file is read as a whole"
        )
    channel = row.get("channel")
    if channel is not None and (type(channel) is not int or not 0 <= channel < 1 << 16):
        raise InputError(f"{segment}: channel is {channel!r}; a whole number from 0 is expected")
    tags = row.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise InputError(f"{where}: tags must be an object with strings as values")
    for key in ("segments", "words"):
        if key in row:
            _segments(row, key, where)


def _are_levels(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(labels, list) and _STRING.issuperset(map(type, labels))
        for labels in value.values()
    )


def _seconds(row: Mapping[str, Any], key: str, where: str) -> float:
    value = row.get(key, 0.0)
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not math.isfinite(seconds := float(value)):
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(f"{where}: {key} is {value!r}; seconds are expected") from None
    return seconds


def _segments(row: Mapping[str, Any], key: str, where: str) -> tuple[Segment, ...]:
    try:
        return tuple(Segment(str(label), float(a), float(b)) for label, a, b in row.get(key, []))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: {key} must be a list of [label, start, end]") from None
