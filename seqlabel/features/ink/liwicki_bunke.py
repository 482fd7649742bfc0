"""The 25 features of Liwicki & Bunke, the input of Graves et al. 2009.

Source of every definition: M. Liwicki & H. Bunke, "Feature selection for HMM and BLSTM based
handwriting recognition of whiteboard notes", IJPRAI 23 (2009), and their chapter in
"Computational Intelligence Paradigms in Advanced Pattern Classification" (2012), in its order.
Details that they do not specify are in the docstrings. Lengths are in corpus heights, y
grows downwards (an angle is positive when it turns from rightwards to downwards), the base line is
y = 0 and the corpus line y = -1.
"""

from dataclasses import dataclass

import numpy as np

from seqlabel.features.frames import Frames
from seqlabel.features.ink.image import CELL, Image
from seqlabel.features.ink.normalisation import InkFrontEnd, Writing, frames_of, seconds
from seqlabel.features.ink.resampling import resample_distance
from seqlabel.inputs.ink import Ink

REACH = 2
"""Points before and after a point that make its vicinity, within its stroke."""

HAT_MARGIN = 0.2
"""A point is below a hat when it is this near to the horizontal range of the removed stroke."""

LINE_MARGIN = 0.2
"""Ascenders and descenders count from this distance to the corpus and the base line on."""

NEARBY = 0.5
"""Ascenders and descenders count up to this horizontal distance from the point."""

REGION = 3
"""Side of a region of the context map, in cells of the image."""


@dataclass(frozen=True)
class Trajectory:
    """Points with the places of their strokes' ends.

    x, y: (N,). first, last: (N,) the first and the last point of the stroke of each point.
    """

    x: np.ndarray
    y: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, ink: Ink) -> "Trajectory":
        """The trajectory of ink."""
        counts = np.diff(ink.offsets)
        first, last = np.repeat(ink.offsets[:-1], counts), np.repeat(ink.offsets[1:] - 1, counts)
        return cls(ink.x, ink.y, first, last)

    def at(self, shift: int) -> np.ndarray:
        """(N,) the point `shift` places on, or the end of the stroke where that is nearer."""
        return np.clip(np.arange(len(self.x)) + shift, self.first, self.last)

    def step(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dx, dy) from points `start` to points `end`."""
        return self.x[end] - self.x[start], self.y[end] - self.y[start]

    def vicinity(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y (N, 2 REACH + 1) of the vicinity; beyond the ends of a stroke they repeat."""
        places = np.stack([self.at(shift) for shift in range(-REACH, REACH + 1)], axis=1)
        return self.x[places], self.y[places]


def unit(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """(N, 2) cos and sin of the angle of (dx, dy) with the x axis; (0, 0) without a direction."""
    length = np.hypot(dx, dy)
    length[length == 0] = 1.0
    return np.stack([dx / length, dy / length], axis=1)


def pen_up(trajectory: Trajectory) -> np.ndarray:
    """1: 1 where the pen leaves the board after the point, else 0."""
    return (np.arange(len(trajectory.x)) == trajectory.last).astype(np.float64)


def hat(trajectory: Trajectory, hats: np.ndarray) -> np.ndarray:
    """2: 1 if a delayed stroke was removed at the same horizontal position, else 0.

    hats: (removed strokes, 2) left and right ends.
    """
    x = trajectory.x[:, None]
    below = (hats[:, 0] - HAT_MARGIN <= x) & (x <= hats[:, 1] + HAT_MARGIN)
    return np.any(below, axis=1)


def speed(ink: Ink) -> np.ndarray:
    """3: |p(i+1) - p(i-1)| / (t(i+1) - t(i-1)), corpus heights per second, before resampling.

    One-sided at the ends of a stroke; 0 where no time passes.
    """
    trajectory = Trajectory.of(ink)
    before, after = trajectory.at(-1), trajectory.at(1)
    time = seconds(ink)
    passed = time[after] - time[before]
    way = np.hypot(*trajectory.step(before, after))
    return np.divide(way, passed, out=np.zeros_like(way), where=passed > 0)


def high_pass(x: np.ndarray, reach: int) -> np.ndarray:
    """4: x(i) minus the mean of x over the points i - reach ... i + reach that there are."""
    sums = np.concatenate([[0.0], np.cumsum(x)])
    start = np.maximum(np.arange(len(x)) - reach, 0)
    stop = np.minimum(np.arange(len(x)) + reach + 1, len(x))
    return x - (sums[stop] - sums[start]) / (stop - start)


def height(trajectory: Trajectory) -> np.ndarray:
    """5: y after normalisation."""
    return trajectory.y


def writing_direction(trajectory: Trajectory) -> np.ndarray:
    """6, 7: cos and sin of the angle between the segment starting at the point and the x axis.

    On the last point of a stroke, the segment ending there.
    """
    start = np.minimum(
        np.arange(len(trajectory.x)), np.maximum(trajectory.last - 1, trajectory.first)
    )
    return unit(*trajectory.step(start, np.minimum(start + 1, trajectory.last)))


def curvature(trajectory: Trajectory) -> np.ndarray:
    """8, 9: cos and sin of the angle between the lines to the previous and to the next point.

    With u = p(i-1) - p(i) and v = p(i+1) - p(i): (u . v, u x v) / (|u| |v|), which is (-1, 0) on
    a straight line, and taken so at the ends of a stroke.
    """
    here = np.arange(len(trajectory.x))
    u = unit(*trajectory.step(here, trajectory.at(-1)))
    v = unit(*trajectory.step(here, trajectory.at(1)))
    cos = u[:, 0] * v[:, 0] + u[:, 1] * v[:, 1]
    sin = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    inner = (here != trajectory.first) & (here != trajectory.last)
    return np.stack([np.where(inner, cos, -1.0), np.where(inner, sin, 0.0)], axis=1)


def vicinity_aspect(vx: np.ndarray, vy: np.ndarray) -> np.ndarray:
    """10: (dy - dx) / (dy + dx) of the bounding box of the vicinity; 0 for a single place."""
    dx, dy = np.ptp(vx, axis=1), np.ptp(vy, axis=1)
    return np.divide(dy - dx, dy + dx, out=np.zeros_like(dx), where=dy + dx > 0)


def vicinity_slope(vx: np.ndarray, vy: np.ndarray) -> np.ndarray:
    """11, 12: cos and sin of the angle of the line from the first to the last vicinity point."""
    return unit(vx[:, -1] - vx[:, 0], vy[:, -1] - vy[:, 0])


def vicinity_curliness(vx: np.ndarray, vy: np.ndarray) -> np.ndarray:
    """13: length of the trajectory in the vicinity / max(dx, dy) of its bounding box.

    1 on a line along an axis, and taken so for a single place.
    """
    length = np.hypot(np.diff(vx, axis=1), np.diff(vy, axis=1)).sum(axis=1)
    side = np.maximum(np.ptp(vx, axis=1), np.ptp(vy, axis=1))
    return np.divide(length, side, out=np.ones_like(side), where=side > 0)


def vicinity_linearity(trajectory: Trajectory, vx: np.ndarray, vy: np.ndarray) -> np.ndarray:
    """14: mean squared distance of the vicinity points to the line from the first to the last.

    Where first and last coincide, the distance is that to this place.
    """
    dx, dy = vx - vx[:, :1], vy - vy[:, :1]
    direction = vicinity_slope(vx, vy)
    across = dx * direction[:, 1:] - dy * direction[:, :1]
    closed = (direction == 0).all(axis=1, keepdims=True)
    squares = np.where(closed, dx**2 + dy**2, across**2)
    places = np.arange(len(vx))[:, None] + np.arange(-REACH, REACH + 1)
    real = (places >= trajectory.first[:, None]) & (places <= trajectory.last[:, None])
    return (squares * real).sum(axis=1) / real.sum(axis=1)


def ascenders_descenders(image: Image, columns: np.ndarray) -> np.ndarray:
    """15, 16: points above the corpus line, and below the base line, near each point.

    Points of the image at least `LINE_MARGIN` beyond the line, at most `NEARBY` to either side.
    """
    far, reach = 1_000_000, round(NEARBY / CELL)
    left, right = columns - reach, columns + reach
    above = image.count(-far, round((-1 - LINE_MARGIN) / CELL) - 1, left, right)
    below = image.count(round(LINE_MARGIN / CELL), far, left, right)
    return np.stack([above, below], axis=1)


def context_map(image: Image, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """17-25: points in each region of a 3 x 3 grid around the point, row by row from the top.

    A region is `REGION` cells of the image wide and high; the point is in the middle one.
    """
    starts = REGION * np.arange(-1, 2) - REGION // 2
    top, left = rows[:, None, None] + starts[:, None], columns[:, None, None] + starts
    return image.count(top, top + REGION - 1, left, left + REGION - 1).reshape(-1, 9)


@dataclass(frozen=True)
class Ink25(InkFrontEnd):
    """The 25 features of Liwicki & Bunke, in their order, after all steps of normalisation.

    1 pen-up, 2 hat, 3 speed, 4 x, 5 y, 6-7 writing direction, 8-9 curvature, 10 vicinity aspect,
    11-12 vicinity slope, 13 curliness, 14 linearity, 15 ascenders, 16 descenders, 17-25 context
    map. The image behind the last eleven holds the delayed strokes as well.
    averaging: points to either side over which x is averaged for feature 4.
    """

    slant: bool = True
    width: bool = True
    delayed: bool = True
    averaging: int = 25

    @property
    def dim(self) -> int:
        """F."""
        return 25

    def __call__(self, ink: Ink) -> Frames:
        """Ink -> (T, 25) frames, one for each point after normalisation."""
        before = self.prepare(ink)
        writing = self.resample(before)
        trajectory = Trajectory.of(writing.ink)
        vx, vy = trajectory.vicinity()
        image, columns, rows = self._image(writing)
        x = np.column_stack(
            [
                pen_up(trajectory),
                hat(trajectory, writing.hats),
                np.interp(writing.ink.t, before.ink.t, speed(before.ink)),
                high_pass(trajectory.x, self.averaging),
                height(trajectory),
                writing_direction(trajectory),
                curvature(trajectory),
                vicinity_aspect(vx, vy),
                vicinity_slope(vx, vy),
                vicinity_curliness(vx, vy),
                vicinity_linearity(trajectory, vx, vy),
                ascenders_descenders(image, columns),
                context_map(image, columns, rows),
            ]
        )
        return frames_of(x, writing)

    def _image(self, writing: Writing) -> tuple[Image, np.ndarray, np.ndarray]:
        """The image of all strokes, and the columns and rows of the points that make frames."""
        points = writing.ink.points[:, :2]
        if writing.delayed:
            late = resample_distance(Ink([s[:, :2] for s in writing.delayed]), self.spacing)
            points = np.concatenate([points, late.points[:, :2]])
        columns, rows = Image.cells(points)
        return Image(points), columns[: len(writing.ink)], rows[: len(writing.ink)]
