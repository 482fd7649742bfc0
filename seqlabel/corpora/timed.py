"""Transcripts with times beside recordings: .stm, .ctm and Praat's TextGrid.

SRC is a folder or one such file. A recording is the audio file of that name, in the folder of the
transcript or below, or in `audio`. A line of .stm is an utterance; a .ctm or TextGrid is a whole
recording with the times of its labels or words (`segments`, `words` of the manifest), or, with
intervals=utterances, each interval of a TextGrid is an utterance. If the names of the files
contain `train`, `dev` or `test`, these are the sets; if none does, sets are drawn at random.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from seqlabel.corpora import own_data
from seqlabel.corpora.nist import CtmLine, read_ctm_lines, read_stm_lines, unescape
from seqlabel.corpora.own_data import SUFFIXES
from seqlabel.corpora.prepared import Prepared
from seqlabel.corpora.rows import Row, prepared_rows
from seqlabel.corpora.splitting import sets_of_files
from seqlabel.corpora.textgrid import Interval, read_textgrid
from seqlabel.errors import InputError
from seqlabel.inputs.audio import read_audio_header

SEPARATE = ("phone", "word", "symbol", "latex")
"""Units whose labels are the intervals; for others the intervals are words."""


@dataclass(frozen=True)
class Options(own_data.Options):
    """audio: folder of the recordings, by default that of SRC.

    tier: of a TextGrid, if there are several; a tier called words has the words.
    intervals: whether the intervals of a tier are labels (or words) of one utterance, or
    utterances.

    Channels in .stm and .ctm are A and B, or count from 1 as in NIST's tools; in a file that has a
    channel 0 they count from 0, as in Kaldi. That of a mono recording may have any name.
    """

    audio: str = ""
    tier: str = ""
    intervals: Literal["labels", "utterances"] = "labels"


def prepare(source: Path, options: Options) -> Prepared:
    """Every transcript with its recording.

    Raises InputError for a missing or ambiguous recording, a missing tier, and times that decrease
    or lie outside the recording.
    """
    if source.is_dir():
        files = sorted(p for p in source.rglob("*") if p.suffix.lower() in READERS)
        if not files:
            raise InputError(f"{source}: no {', '.join(READERS)} files")
    else:
        files = [source]
    if files[0].suffix.lower() not in READERS:
        raise InputError(f"{source}: the name must end in one of {', '.join(READERS)}")
    root = source if source.is_dir() else source.parent
    recordings = Recordings(Path(options.audio) if options.audio else root)
    sets = sets_of_files(files, root)

    def rows() -> Iterator[Row]:
        for path in files:
            for where, values in READERS[path.suffix.lower()](path, recordings, options):
                values = {**values, "kind": "speech", "set": sets[path]}
                yield Row(where, path.resolve().parent, values)

    return prepared_rows("timed", rows(), options, source)


class Recordings:
    """The audio files below a folder by their names without suffix."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, list[Path]] = {}
        for place, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = Path(place, name)
                if path.suffix.lower() in SUFFIXES["speech"]:
                    self._files.setdefault(path.stem, []).append(path.resolve())

    def find(self, name: str, where: str) -> str:
        """The file of a recording; InputError unless there is exactly one."""
        found = self._files.get(name, [])
        if len(found) != 1:
            raise InputError(
                f"{where}: {len(found) or 'no'} audio files {name}.* below {self.folder}; set "
                "their folder with --set audio=FOLDER"
            )
        return str(found[0])


Rows = Iterator[tuple[str, dict[str, Any]]]
"""(place for messages, keys of a row)"""


class Channels:
    """Channels of recordings by their names in one file.

    Whether they count from 0 is a property of the file, because a recording may have lines of its
    second channel only.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._first = 0 if any(name.isdecimal() and int(name[:9]) == 0 for name in names) else 1

    def is_first(self, name: str) -> bool:
        """Whether this is the name of a recording's first channel."""
        return name in (str(self._first), "A")

    def keys(self, name: str, source: str) -> dict[str, int]:
        """`channel` of a manifest; none for a mono file and for a name that is not known."""
        if read_audio_header(source).channels == 1:
            return {}
        if name.isdecimal():
            return {"channel": int(name[:9]) - self._first}
        return {"channel": "AB".index(name.upper())} if name.upper() in ("A", "B") else {}


def _stm(path: Path, recordings: Recordings, options: Options) -> Rows:
    lines = list(read_stm_lines(path))
    channels = Channels(line.channel[1] for line in lines)
    for line in lines:
        if line.ignored:
            continue
        recording, channel = line.channel
        times = f"{round(line.start * 100):06d}-{round(line.end * 100):06d}"
        source = recordings.find(recording, line.where)
        words = [unescape(word) for word in line.words]
        yield (
            line.where,
            {
                "id": f"{recording}-{channel}-{times}",
                "source": source,
                "start": line.start,
                "end": line.end,
                "text": ("" if " " in words else " ").join(words),
                "speaker": line.speaker,
                "tags": {"subset": line.subset} if line.subset else {},
                **channels.keys(channel, source),
            },
        )


def _ctm(path: Path, recordings: Recordings, options: Options) -> Rows:
    lines: dict[tuple[str, str], list[CtmLine]] = {}
    for line in read_ctm_lines(path):
        lines.setdefault(line.channel, []).append(line)
    channels = Channels(channel for _, channel in lines)
    for (recording, channel), found in lines.items():
        where = found[0].where
        intervals = [Interval(line.label, line.start, line.end) for line in found]
        source = recordings.find(recording, where)
        values = {"source": source, **channels.keys(channel, source)}
        values["id"] = recording if channels.is_first(channel) else f"{recording}-{channel}"
        yield where, {**values, **_labelled(intervals, options, where)}


def _textgrid(path: Path, recordings: Recordings, options: Options) -> Rows:
    tiers = read_textgrid(path)
    names = ", ".join(tiers)
    if options.tier and options.tier not in tiers:
        raise InputError(f"{path}: no tier {options.tier!r} of intervals; it has {names}")
    if not options.tier and len(tiers) != 1:
        raise InputError(f"{path}: tiers {names}; choose one with --set tier=NAME")
    name = options.tier or next(iter(tiers))
    source = recordings.find(path.stem, str(path))
    spoken = [interval for interval in tiers[name] if interval.label.strip()]
    if options.intervals == "labels":
        words = [w for n in ("words", "word") if n != name for w in tiers.get(n, [])]
        row = _labelled(spoken, options, str(path))
        if words:
            row["words"] = [list(word) for word in words if word.label.strip()]
        yield str(path), {"id": path.stem, "source": source, **row}
        return
    for number, interval in enumerate(spoken, 1):
        place = {"id": f"{path.stem}-{number:04d}", "source": source, "text": interval.label}
        yield f"{path}, interval {number}", {**place, "start": interval.start, "end": interval.end}


def _labelled(intervals: list[Interval], options: Options, where: str) -> dict[str, Any]:
    """Labels, or words, of a recording, with their times."""
    for before, after in pairwise(intervals):
        if after.start < before.start:
            raise InputError(
                f"{where}: {after.label!r} begins at {after.start:g} s, before the previous "
                "label; sort them by time"
            )
    rows = [list(interval) for interval in intervals]
    if options.unit in SEPARATE:
        labels = [interval.label for interval in intervals]
        return {"labels": labels, "text": " ".join(labels), "segments": rows}
    characters = [interval.label for interval in intervals]
    if " " in characters:  # the words of a .ctm of characters
        text = "".join(characters)
        return {"text": text, "labels": characters, "segments": rows}
    return {"text": " ".join(characters), "words": rows}


READERS: dict[str, Callable[[Path, Recordings, Options], Rows]] = {
    ".stm": _stm,
    ".ctm": _ctm,
    ".textgrid": _textgrid,
}
"""By the suffix, in any case."""
