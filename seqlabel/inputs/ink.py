"""Digital ink: a pen trajectory as strokes."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from seqlabel.errors import InputError
from seqlabel.inputs.ink_svg import strokes_to_svg

LARGEST = 1e12
"""Maximum of coordinates and times, so that their squares keep their precision."""
WITHOUT_TIMES = (
    "read the file without times (times=False; --set times=false for seqlabel prepare, and "
    "times = false under [features])"
)
"""Solution for missing or wrong times."""


@dataclass(frozen=True, eq=False)
class Ink:
    """A pen trajectory: the strokes between pen-down and pen-up, in the order of writing.

    strokes: per stroke an array (P, C) of P >= 1 points with the columns x, y (C = 2), x, y, t
        (C = 3) or x, y, t, pressure (C = 4), the same C throughout. x grows to the right, y grows
        downwards as captured, t is in seconds and never goes back. Without times t is a running
        index over all points of the ink.
    unit: unit of x and y if the source states one ("mm", "px"), else "".
    timed: whether t was measured. It is False for C = 2; t of untimed ink counts points.

    The arrays are copied, float64 and read-only: `strokes` are views of `points` (N, 3 or 4), and
    stroke s is `points[offsets[s] : offsets[s + 1]]`. Two inks are equal when their points, unit
    and `timed` are.
    Raises InputError for no strokes, an empty stroke, a wrong shape, values that are not finite or
    beyond `LARGEST`, and times that go back.
    """

    unit: str
    timed: bool
    points: np.ndarray
    offsets: np.ndarray

    def __init__(self, strokes: Sequence[ArrayLike], unit: str = "", timed: bool = True) -> None:
        if unit.split() not in ([], [unit]):
            raise InputError(f"unit {unit!r} has white space")
        arrays = [_as_stroke(stroke, number) for number, stroke in enumerate(strokes)]
        if not arrays:
            raise InputError("ink without strokes; at least one pen-down point is needed")
        columns = arrays[0].shape[1]
        for number, array in enumerate(arrays):
            if array.shape[1] != columns:
                raise InputError(
                    f"stroke {number} has {array.shape[1]} columns, stroke 0 has {columns}; "
                    "give every stroke the same channels"
                )
        offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
        points = np.concatenate(arrays)
        if columns == 2:
            timed = False
            points = np.column_stack([points, np.arange(len(points), dtype=np.float64)])
        self._fill(points, offsets, unit, timed)

    def _fill(self, points: np.ndarray, offsets: np.ndarray, unit: str, timed: bool) -> None:
        """Set all fields from arrays that are not shared; raises InputError for bad values."""
        _check_values(points, offsets, timed)
        points.flags.writeable = False
        offsets.flags.writeable = False
        # the class is frozen
        self.__dict__.update(unit=unit, timed=timed, points=points, offsets=offsets)

    @cached_property
    def strokes(self) -> tuple[np.ndarray, ...]:
        """Per stroke a view (P, 3 or 4) of its points."""
        return tuple(self.points[a:b] for a, b in itertools.pairwise(self.offsets.tolist()))

    @property
    def x(self) -> np.ndarray:
        """(N,) horizontal positions of all points."""
        return self.points[:, 0]

    @property
    def y(self) -> np.ndarray:
        """(N,) vertical positions, growing downwards."""
        return self.points[:, 1]

    @property
    def t(self) -> np.ndarray:
        """(N,) seconds, or a running index if `timed` is False."""
        return self.points[:, 2]

    @property
    def stroke_numbers(self) -> np.ndarray:
        """(N,) int32, the stroke of each point."""
        counts = np.diff(self.offsets)
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    @property
    def duration(self) -> float:
        """Seconds from the first to the last point; 0 if the times are unknown."""
        return float(self.t[-1] - self.t[0]) if self.timed else 0.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Bounding box (left, top, right, bottom)."""
        left, top = self.points[:, :2].min(axis=0)
        right, bottom = self.points[:, :2].max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounding boxes of the S strokes: (S, 2) left and top, (S, 2) right and bottom."""
        places, starts = self.points[:, :2], self.offsets[:-1]
        return np.minimum.reduceat(places, starts), np.maximum.reduceat(places, starts)

    def with_points(self, points: np.ndarray, offsets: np.ndarray | None = None) -> "Ink":
        """Ink of the same unit and kind of time from points (N', 3 or 4) cut at `offsets`.

        Without `offsets` the strokes are cut as here, and N' = N. The array is copied. Raises
        InputError as the constructor does.
        """
        cuts = self.offsets if offsets is None else np.array(offsets)
        empty = np.diff(cuts) < 1
        if empty.any():
            raise InputError(f"stroke {empty.argmax()} has no points; leave it out")
        if points.ndim != 2 or points.shape[1] not in (3, 4) or cuts[-1] != len(points):
            raise InputError(f"points of shape {points.shape} do not fill {cuts[-1]} of strokes")
        return self._changed(np.array(points, dtype=np.float64), cuts)

    def _changed(
        self, points: np.ndarray, offsets: np.ndarray | None = None, timed: bool | None = None
    ) -> "Ink":
        """Ink from a float64 array that is not shared; else as this one."""
        ink = object.__new__(Ink)
        cuts = self.offsets if offsets is None else offsets
        ink._fill(points, cuts, self.unit, self.timed if timed is None else timed)
        return ink

    def transformed(self, matrix: ArrayLike, shift: ArrayLike = (0.0, 0.0)) -> "Ink":
        """Ink with (x, y) mapped to matrix @ (x, y) + shift; times and pressures stay."""
        points = self.points.copy()
        points[:, :2] = points[:, :2] @ np.asarray(matrix, dtype=np.float64).T + np.asarray(shift)
        return self._changed(points)

    def untimed(self) -> "Ink":
        """The same trajectory with a running index instead of times."""
        points = self.points.copy()
        points[:, 2] = np.arange(len(points))
        return self._changed(points, timed=False)

    def __len__(self) -> int:
        """N, the number of points."""
        return len(self.points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ink):
            return NotImplemented
        return (
            (self.unit, self.timed) == (other.unit, other.timed)
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.points, other.points)
        )

    def __repr__(self) -> str:
        time = f", {self.duration:.2f} s" if self.timed else ""
        return f"Ink({len(self.strokes)} strokes, {len(self)} points{time})"

    def to_text(self) -> str:
        """The plain text form, exact to the last bit; `Ink.from_text` reads it back.

        A heading (`ink x y t`, then ` pressure`, ` untimed` and ` unit=mm` if they apply), one
        point per line, and an empty line between strokes.
        """
        words = ["ink", *CHANNELS[: self.points.shape[1]]]
        words += [] if self.timed else ["untimed"]
        words += [f"unit={self.unit}"] if self.unit else []
        strokes = (
            "\n".join(" ".join(number(value) for value in row) for row in stroke.tolist())
            for stroke in self.strokes
        )
        return " ".join(words) + "\n" + "\n\n".join(strokes) + "\n"

    @classmethod
    def from_text(cls, text: str, times: bool = True) -> "Ink":
        """Read the output of `to_text`, or points under the heading `ink x y`.

        With `times=False` times are replaced by a running index. Raises InputError naming the line.
        """
        heading, _, body = text.partition("\n")
        words = heading.split()
        unit = words.pop().removeprefix("unit=") if words and words[-1][:5] == "unit=" else ""
        timed = not (words and words[-1] == "untimed" and words.pop())
        if words not in (["ink", *CHANNELS[:columns]] for columns in (2, 3, 4)):
            raise InputError(f"line 1: {heading[:60]!r} is not a heading such as 'ink x y t'")
        strokes: list[list[list[float]]] = [[]]
        for line, row in enumerate(body.split("\n"), 2):
            values = row.split()
            if not values:
                strokes.append([])
                continue
            if len(values) != len(words) - 1:
                raise InputError(
                    f"line {line}: {len(values)} numbers, but {len(words) - 1} are expected; "
                    "was the file cut off?"
                )
            try:
                strokes[-1].append([float(value) for value in values])
            except ValueError:
                raise InputError(f"line {line}: {row[:60]!r} is not a row of numbers") from None
        if not times and len(words) > 3:
            count = itertools.count()
            strokes = [[[*p[:2], next(count), *p[3:]] for p in stroke] for stroke in strokes]
        return cls([stroke for stroke in strokes if stroke], unit, timed and times)

    def to_svg(self, width: int = 640, colours: Sequence[str] = ("#1b3a5c",)) -> str:
        """An SVG picture `width` pixels wide; stroke s is drawn in `colours[s % len(colours)]`.

        A stroke of one point is a dot.
        """
        return strokes_to_svg(self.points[:, :2], self.offsets, width, colours)


CHANNELS = ("x", "y", "t", "pressure")
"""Columns of `Ink.points`, named as the text form names them."""


def number(value: float) -> str:
    """The shortest decimal form that reads back as the same float; whole numbers without a dot."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _as_stroke(stroke: ArrayLike, number: int) -> np.ndarray:
    try:
        array = np.array(stroke, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"stroke {number} is not an array of numbers") from None
    if array.ndim != 2 or array.shape[1] not in (2, 3, 4):
        raise InputError(
            f"stroke {number} has shape {array.shape}; (points, 2 to 4) is expected: x, y, t, "
            "pressure"
        )
    if not len(array):
        raise InputError(f"stroke {number} has no points; leave it out")
    return array


def _check_values(points: np.ndarray, offsets: np.ndarray, timed: bool) -> None:
    def place(index: int) -> str:
        stroke = int(np.searchsorted(offsets, index, side="right")) - 1
        return f"stroke {stroke}, point {index - offsets[stroke]}"

    if not -LARGEST <= points.min() <= points.max() <= LARGEST:  # nor where one of them is NaN
        row, column = np.argwhere(~(np.abs(points) <= LARGEST))[0]
        raise InputError(
            f"{place(row)}: {CHANNELS[column]} is {points[row, column]:g}, not a plausible finite "
            "value; remove the point"
        )
    backwards = points[1:, 2] < points[:-1, 2]
    if backwards.any():
        row = int(backwards.argmax()) + 1
        before, after = points[row - 1 : row + 1, 2].tolist()
        raise InputError(
            f"{place(row)}: time goes back from {before!r} to {after!r}"
            f"{' s' if timed else ''} ({backwards.sum()} such points); sort the points, or "
            f"{WITHOUT_TIMES}"
        )
