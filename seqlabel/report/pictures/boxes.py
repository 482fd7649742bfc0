"""Box plots: how the results of many runs are spread, one box a group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlabel.report.pictures.canvas import Canvas

WIDTH = 760
"""Pixels of a canvas that is wide enough for ten boxes."""

LEFT, RIGHT, ABOVE, HEIGHT, BELOW = 52.0, 10.0, 34.0, 240.0, 40.0
"""Pixels beside, above and below the field of a panel, and of the field."""

INK, GREY, FAINT, VALUE = "#222222", "#777777", "#dddddd", "#9db4c8"
MARKED, MEAN = "#1f5fae", "#c0392b"


@dataclass(frozen=True)
class Box:
    """A group of values. note: a few letters below its name. marked: drawn blue and thick."""

    name: str
    values: Sequence[float]
    note: str = ""
    marked: bool = False


def draw_boxes(canvas: Canvas, title: str, boxes: Sequence[Box], unit: str = "") -> None:
    """A panel of boxes from quartile to quartile, the median across, whiskers over the whole range.

    A red dot is the mean, faint ones beside the box are the values. A faint line goes on from the
    median of the first group. Values are finite; a group without any has no box.
    """
    everything = [value for box in boxes for value in box.values]
    top = canvas.grow(ABOVE + HEIGHT + BELOW) + ABOVE
    canvas.text(LEFT, top - 14, title, INK, 6.5)
    if not everything:
        return
    scale = marks(min(everything), max(everything))
    low, high = scale[0], scale[-1]

    def y(value: float) -> float:
        return top + HEIGHT * (high - value) / (high - low)

    for mark in scale:
        _level(canvas, y(mark), FAINT, 1.0)
        text = f"{mark:g}{unit if mark == high else ''}"
        canvas.text(LEFT - 8, y(mark) + 4, text, GREY, 5.5, align="end")
    if boxes[0].values:
        _level(canvas, y(float(np.median(boxes[0].values))), VALUE, 1.0)
    step = (canvas.width - LEFT - RIGHT) / len(boxes)
    for n, box in enumerate(boxes):
        middle = LEFT + step * (n + 0.5)
        canvas.text(middle, top + HEIGHT + 18, box.name, MARKED if box.marked else INK, 6, "middle")
        canvas.text(middle, top + HEIGHT + 32, box.note, GREY, 5, align="middle")
        if box.values:
            _draw_box(canvas, box, middle, 0.24 * step, [y(value) for value in box.values])


def _level(canvas: Canvas, y: float, colour: str, width: float) -> None:
    canvas.line(np.array([[LEFT, y], [canvas.width - RIGHT, y]]), colour, width)


def _draw_box(canvas: Canvas, box: Box, x: float, half: float, heights: Sequence[float]) -> None:
    """heights: of the values on the canvas."""
    colour, width = (MARKED, 2.4) if box.marked else (INK, 1.2)
    place = x + half + 9
    for height in heights:
        canvas.line(np.array([[place, height]]), VALUE, 2.6)
    bottom, lower, median, upper, top = np.percentile(heights, [100, 75, 50, 25, 0])
    corners = [(-half, lower), (half, lower), (half, upper), (-half, upper), (-half, lower)]
    canvas.line(np.array([(x + dx, y) for dx, y in corners]), colour, width)
    canvas.line(np.array([[x - half, median], [x + half, median]]), colour, 2 * width)
    for end, from_ in ((bottom, lower), (top, upper)):
        canvas.line(np.array([[x, from_], [x, end]]), colour, width)
        canvas.line(np.array([[x - half / 2, end], [x + half / 2, end]]), colour, width)
    canvas.line(np.array([[x, np.mean(heights)]]), MEAN, 4.0)


def marks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, about `count` of them, the first at or below `low`, the last at or above."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= span / count * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]
