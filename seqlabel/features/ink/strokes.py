"""Ink features stroke by stroke: each stroke's features when it ends, equal to those of the whole
ink.

What can be computed when a stroke ends, and what needs the whole ink:

    times, smoothing, resampling    depend on one stroke only: they stream
    clean           outliers depend on the lower quartile of all steps: must be False
    skew, slant     are fitted to the line of writing: must be False
    size            is measured on the whole ink: must be "none"
    width, delayed  need all letters, all strokes: must be False

    ink_raw         from the first point: streams
    ink_delta       from the last point of the previous stroke: streams
    ink_bezier      pieces of the stroke, and the move to it; `places` use the previous stroke:
                    streams
    ink_25          its image of the surroundings has later strokes: cannot stream
"""

from dataclasses import replace
from typing import Any

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.ink.liwicki_bunke import Ink25
from seqlabel.features.ink.normalisation import on_the_clock
from seqlabel.inputs.ink import Ink

_NEEDED = {"clean": False, "skew": False, "slant": False, "size": "none", "width": False,
           "delayed": False}  # fmt: skip

_CONTEXT = 2
"""Strokes before a stroke that its features look at: the move to it is a piece of the one before,
and has the one before that beside it (`places`)."""


def why_not(extractor: Any) -> str | None:
    """Why ink features cannot stream, with the solution; None if they can."""
    if isinstance(extractor, Ink25):
        return "features.kind = 'ink_25' needs later strokes; train with ink_delta or ink_bezier"
    wrong = [name for name, value in _NEEDED.items() if getattr(extractor, name) != value]
    if not wrong:
        return None
    wanted = ", ".join(f"{name} = {str(_NEEDED[name]).lower()}" for name in wrong)
    return f"features.{wrong[0]} needs the whole ink; train with {wanted} in [features]"


class Strokes:
    """The strokes of one ink as they are written, and their frames."""

    def __init__(self, extractor: Any) -> None:
        assert why_not(extractor) is None
        self._untimed = not extractor.times
        # points are numbered here, as those of the whole ink, and not in every part of it anew
        self._extractor = replace(extractor, times=True)
        self._open: list[np.ndarray] = []  # pieces of the stroke that is being written
        self._before: list[np.ndarray] = []  # the first point of the ink, the last strokes
        self._points = 0
        self._columns: int | None = None
        self._last_time = -np.inf
        # points, columns and time after the last whole stroke
        self._settled: tuple[int, int | None, float] = 0, None, -np.inf
        self._ended: list[np.ndarray] = []  # x, y, t of the strokes that have ended

    @property
    def ink(self) -> Ink | None:
        """The strokes that have ended, with t on the clock of the frames' times; None for none."""
        return on_the_clock(Ink(self._ended, timed=self._timed)) if self._ended else None

    def push(self, points: Any, pen_up: bool = False) -> Frames | None:
        """Points (n, 2 to 4) of the current stroke, n may be 0; `pen_up` ends it after them.

        Returns the frames of a stroke that ended, with times and stroke numbers as in the whole
        ink (their `period` has no meaning), None if none ended. Raises InputError for points that
        are invalid in an `Ink`, for other columns than before, and for times that go back, none of
        which is then taken; and for a stroke whose features cannot be computed, which is dropped.
        """
        try:
            piece = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("points are not an array of numbers (n, 2 to 4)") from None
        if piece.size or piece.ndim == 2:
            if piece.ndim != 2 or piece.shape[1] not in (2, 3, 4):
                raise InputError(
                    f"points of shape {piece.shape}; (points, 2 to 4) is expected: x, y, t, "
                    "pressure"
                )
            if len(piece):
                self._append(piece)
        if not (pen_up and self._open):
            return None
        try:
            return self._end()
        except InputError as error:
            self._open = []
            self._points, self._columns, self._last_time = self._settled
            raise InputError(f"stroke {len(self._ended)}: {error}") from None

    @property
    def _timed(self) -> bool:
        return not self._untimed and self._columns != 2

    def _append(self, piece: np.ndarray) -> None:
        columns = piece.shape[1]
        if self._columns not in (None, columns):
            raise InputError(
                f"points with {columns} columns after points with {self._columns}; give every "
                "stroke the same channels"
            )
        if columns == 2 or self._untimed:
            numbers = self._points + np.arange(len(piece), dtype=np.float64)
            piece = np.column_stack([piece[:, :2], numbers, piece[:, 3:]])
        try:
            Ink([piece])
        except InputError as error:
            raise InputError(
                str(error).replace("stroke 0", f"stroke {len(self._ended)}", 1)
            ) from None
        if piece[0, 2] < self._last_time:
            raise InputError(
                f"stroke {len(self._ended)}: time goes back from {self._last_time!r} to "
                f"{float(piece[0, 2])!r} s; push points in the order of writing"
            )
        self._last_time = float(piece[-1, 2])
        self._columns = columns
        self._points += len(piece)
        self._open.append(piece)

    def _end(self) -> Frames:
        stroke = np.concatenate(self._open)
        timed = self._timed
        known = len(self._extractor(Ink(self._before, timed=timed))) if self._before else 0
        frames = self._extractor(Ink([*self._before, stroke], timed=timed))
        numbers = frames.strokes[known:] + np.int32(len(self._ended) - len(self._before))
        # the first point of the ink, a stroke by itself, is where places and times count from
        first, *others = [*self._before, stroke]
        if len(others) >= _CONTEXT:
            first, others = first[:1], others[-_CONTEXT:]
        self._before = [first, *others]
        self._open = []
        self._settled = self._points, self._columns, self._last_time
        self._ended.append(stroke[:, :3])
        return Frames(frames.x[known:], frames.times[known:], frames.period, numbers)
