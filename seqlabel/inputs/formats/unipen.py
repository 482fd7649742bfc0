"""UNIPEN 1.0: text files of statements, each a line that begins with a keyword and what follows it.

Format: Guyon, Schomaker, Plamondon, Liberman & Janet, "UNIPEN project of on-line data exchange and
recognizer benchmarks", ICPR 1994, and its `unipen.def`. Pen-down and pen-up blocks with points are
numbered together as components; only pen-down blocks become strokes.
"""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import is_file, whole_file
from seqlabel.inputs.ink import Ink, number
from seqlabel.inputs.reading import as_text, ink_of_columns, naming, read_bytes

_LABEL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)

INCLUDES = 1000
"""Maximum number of files that one file may include, directly or indirectly."""
QUALITIES = ("BAD", "OK", "GOOD", "?")


@dataclass(frozen=True)
class Segment:
    """A labelled part of the ink.

    level: a level of the hierarchy, such as TEXT, WORD or CHARACTER. pieces: (stroke, first point,
    end point, exclusive) for each stroke it covers. quality: BAD, OK, GOOD or ?.
    """

    level: str
    pieces: tuple[tuple[int, int, int], ...]
    label: str
    quality: str = "?"


@dataclass(frozen=True)
class Unipen:
    """A UNIPEN file: its ink, the levels of its hierarchy, its segments, and the writer's id."""

    ink: Ink
    hierarchy: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    writer: str = ""

    def ink_of(self, segment: Segment) -> Ink:
        """The ink of one segment."""
        strokes = [self.ink.strokes[s][a:b] for s, a, b in segment.pieces]
        return Ink(strokes, self.ink.unit, self.ink.timed)


def read_unipen(path: str | os.PathLike[str], times: bool = True) -> Unipen:
    """Read a UNIPEN file and the files it includes; with `times=False` its times are dropped.

    Times come from the channel T (milliseconds), otherwise from .POINTS_PER_SECOND and .DT.
    Raises InputError naming file and line for statements that violate the format, for segments of
    missing components, and for a file without ink.
    """
    return unipen_of_text(as_text(read_bytes(path), path, fallback="latin-1"), Path(path), times)


def unipen_of_text(text: str, path: Path, times: bool = True) -> Unipen:
    """The content of a UNIPEN text; `path` begins the messages and locates included files."""
    reader = _Reader()
    for place, keyword, body in _statements(text, path, itertools.count()):
        with naming(place):
            reader.take(keyword, body)
    with naming(path):
        if not reader.strokes:
            raise InputError("no .PEN_DOWN with a point; the file holds no ink")
        ink = ink_of_columns(reader.strokes, times=times)
        return Unipen(ink, tuple(reader.hierarchy), reader.segments(), reader.writer)


def _statements(
    text: str, path: Path, included_so_far: Iterator[int], depth: int = 0
) -> Iterator[tuple[str, str, str]]:
    """(place, keyword, body) of each statement; included files are expanded where they stand."""
    pieces = re.split(r"^\.([A-Z][A-Z0-9_]*)", text, flags=re.MULTILINE)
    line = 1 + pieces[0].count("\n")
    for keyword, body in zip(pieces[1::2], pieces[2::2], strict=True):
        place = f"{path}:{line}"
        line += body.count("\n")
        if keyword != "INCLUDE":
            yield place, keyword, body
            continue
        with naming(place):
            if depth == 8:
                raise InputError("files include each other more than 8 levels deep")
            if next(included_so_far) == INCLUDES:
                raise InputError(f"more than {INCLUDES} files are included")
            included = _find_included(body.strip(), path)
        inner = as_text(read_bytes(included), included, fallback="latin-1")
        yield from _statements(inner, included, included_so_far, depth + 1)


def _find_included(name: str, path: Path) -> Path:
    """An included file: beside the including one, or in a folder `include` at or above it."""
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f".INCLUDE {name!r} is not a path below the folder of the file")
    folder = path.resolve().parent
    places = [folder / name, *(parent / "include" / name for parent in (folder, *folder.parents))]
    for place in places:
        if is_file(place):
            return place
    raise InputError(f".INCLUDE {name}: no such file beside it or in a folder include above it")


class _Reader:
    """The state after the statements read so far."""

    def __init__(self) -> None:
        self.channels: list[str] = []
        self.rate = 0.0
        self.clock = 0.0
        self.hierarchy: list[str] = []
        self.writer = ""
        self.strokes: list[np.ndarray] = []
        self.components: list[int | None] = []  # the stroke of each component, None for pen-up
        self.counts: list[int] = []
        self.pending: list[tuple[str, str, str, str]] = []

    def take(self, keyword: str, body: str) -> None:
        """Process one statement. Other keywords do not affect the ink and are skipped."""
        if keyword == "COORD":
            self.channels = body.upper().split()
            if not {"X", "Y"} <= set(self.channels):
                raise InputError(f".COORD {' '.join(self.channels)}: X and Y are needed")
        elif keyword == "POINTS_PER_SECOND":
            self.rate = _number(body.split()[:1])
        elif keyword == "DT":
            self.clock += _number(body.split()[:1]) / 1000
        elif keyword == "HIERARCHY":
            self.hierarchy = body.upper().split()
        elif keyword == "WRITER_ID":
            self.writer = body.strip()
        elif keyword in ("PEN_DOWN", "PEN_UP"):
            self._component(body, keyword == "PEN_DOWN")
        elif keyword == "SEGMENT":
            self._segment(body)

    def _component(self, body: str, down: bool) -> None:
        words = body.split()
        if not words:
            return
        if not self.channels:
            raise InputError("points before .COORD, which names their channels")
        if len(words) % len(self.channels):
            raise InputError(
                f"{len(words)} numbers for points of {len(self.channels)} "
                f"({' '.join(self.channels)}); was the file cut off?"
            )
        values = np.array([_number([word]) for word in words]).reshape(-1, len(self.channels))
        points = np.full((len(values), 4), np.nan)
        for column, channel in enumerate(("X", "Y", "T", "P")):
            if channel in self.channels:
                points[:, column] = values[:, self.channels.index(channel)]
        if "T" in self.channels:
            points[:, 2] /= 1000
        elif self.rate > 0:
            points[:, 2] = self.clock + np.arange(len(points)) / self.rate
            self.clock += len(points) / self.rate
        self.components.append(len(self.strokes) if down else None)
        self.counts.append(len(points))
        if down:
            self.strokes.append(points)

    def _segment(self, body: str) -> None:
        head, quote, rest = body.strip().partition('"')
        level, *words = head.split() or [""]
        quality = words.pop() if words and words[-1] in QUALITIES else "?"
        delineation = "".join(words)
        match = _LABEL.fullmatch(quote + rest)
        if not re.fullmatch(r"[\d:,-]+", delineation) or (quote and match is None):
            raise InputError(
                f".SEGMENT {body.strip()[:60]!r} is not LEVEL COMPONENTS QUALITY LABEL"
            )
        label = match[1] if match else ""
        if self.hierarchy and level.upper() not in self.hierarchy:
            raise InputError(f".SEGMENT {level}: no level of {' '.join(self.hierarchy)}")
        label = re.sub(r"\\(.)", r"\1", label, flags=re.DOTALL)
        self.pending.append((level.upper(), delineation, label, quality))

    def segments(self) -> tuple[Segment, ...]:
        """All segments. They may precede their points, so they are resolved at the end."""
        return tuple(
            Segment(level, tuple(self._pieces(delineation)), label, quality)
            for level, delineation, label, quality in self.pending
        )

    def _pieces(self, delineation: str) -> Iterator[tuple[int, int, int]]:
        """Pieces (see `Segment`) of components such as `0-3,5` or, with points, `0:3-1:20`."""
        for part in delineation.split(","):
            start, dash, end = part.partition("-")
            first, begin = self._place(start)
            last, final = self._place(end) if dash else (first, begin)
            if last < first:
                raise InputError(f"segment {delineation}: the range {part} runs backwards")
            for component in range(first, last + 1):
                count, stroke = self.counts[component], self.components[component]
                a = begin if component == first and begin is not None else 0
                b = final + 1 if component == last and final is not None else count
                if not a < b <= count:
                    raise InputError(f"segment {delineation}: component {component} ends before it")
                if stroke is not None:
                    yield stroke, a, b

    def _place(self, text: str) -> tuple[int, int | None]:
        component, _, point = text.partition(":")
        number = _whole(component)
        if number is None or number >= len(self.components):
            raise InputError(
                f"a segment refers to component {component[:20]!r}; there are "
                f"{len(self.components)}"
            )
        return number, _whole(point)


def _whole(digits: str) -> int | None:
    return int(digits) if re.fullmatch(r"\d{1,15}", digits) else None


def _number(words: Sequence[str]) -> float:
    if words and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", words[0]):
        return float(words[0])
    raise InputError(f"{words[0] if words else ''!r} is not a number")


def write_unipen(
    path: str | os.PathLike[str],
    ink: Ink,
    segments: Sequence[Segment] = (),
    hierarchy: Sequence[str] = ("TEXT", "WORD", "CHARACTER"),
    writer: str = "",
) -> None:
    """Write ink and its segments; times are written in milliseconds, pressure as channel P.

    Raises InputError for a segment beyond the ink or outside the hierarchy, and for a label or a
    writer with a line break.
    """
    if "\n" in writer or any("\n" in segment.label for segment in segments):
        raise InputError(f"{path}: a label or a writer with a line break, which UNIPEN cannot hold")
    channels = ["X", "Y", *"T" * ink.timed, *"P" * (ink.points.shape[1] == 4)]
    lines = [".VERSION 1.0", f".COORD {' '.join(channels)}", f".HIERARCHY {' '.join(hierarchy)}"]
    lines += [f".WRITER_ID {writer}"] if writer else []
    lines += [_write_segment(segment, ink, hierarchy) for segment in segments]
    for stroke in ink.strokes:
        shown = stroke.copy()
        shown[:, 2] *= 1000
        rows = shown if ink.timed else np.delete(shown, 2, axis=1)
        lines += [".PEN_DOWN", *(" ".join(map(number, row)) for row in rows.tolist()), ".PEN_UP"]
    with whole_file(path) as stream:
        stream.write("\n".join(lines) + "\n")


def _write_segment(segment: Segment, ink: Ink, hierarchy: Sequence[str]) -> str:
    if segment.level not in hierarchy or segment.quality not in QUALITIES:
        raise InputError(f"segment {segment.level} {segment.quality}: unknown level or quality")
    parts = []
    for stroke, begin, stop in segment.pieces:
        if not (0 <= stroke < len(ink.strokes) and 0 <= begin < stop <= len(ink.strokes[stroke])):
            raise InputError(f"segment {segment.label!r} reaches beyond the ink")
        whole = (begin, stop) == (0, len(ink.strokes[stroke]))
        parts.append(str(stroke) if whole else f"{stroke}:{begin}-{stroke}:{stop - 1}")
    label = segment.label.replace("\\", "\\\\").replace('"', '\\"')
    return f'.SEGMENT {segment.level} {",".join(parts)} {segment.quality} "{label}"'
