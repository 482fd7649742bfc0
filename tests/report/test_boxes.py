"""Box plots: what is drawn is what the values are."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from seqlabel.report.pictures.boxes import (
    HEIGHT,
    INK,
    MARKED,
    MEAN,
    VALUE,
    WIDTH,
    Box,
    draw_boxes,
    marks,
)
from seqlabel.report.pictures.canvas import Canvas, Line, Text


def drawn(*boxes):
    canvas = Canvas(WIDTH)
    draw_boxes(canvas, "a title", boxes, " %")
    return canvas


def value_of(canvas):
    """The value that a height of the panel stands for, by its labelled axis."""
    axis = {}
    for shape in canvas.shapes:
        if isinstance(shape, Text) and shape.align == "end":
            axis[shape.y - 4] = float(shape.text.removesuffix(" %"))
    (top, high), (bottom, low) = min(axis.items()), max(axis.items())
    assert bottom - top == pytest.approx(HEIGHT)
    return lambda y: high + (y - top) * (low - high) / (bottom - top)


def test_a_box_shows_quartiles_median_range_mean_and_values():
    values = [31.0, 10.0, 12.0, 40.0, 13.0, 17.0, 11.0]
    canvas = drawn(Box("V", values))
    value = value_of(canvas)
    lines = [shape for shape in canvas.shapes if isinstance(shape, Line)]
    (box,) = [line for line in lines if len(line.points) == 5]
    heights = sorted({round(value(y), 6) for y in box.points[:, 1]})
    assert heights == pytest.approx(np.percentile(values, [25, 75]))
    (median,) = [line for line in lines if line.colour == INK and line.width == 2.4]
    assert value(median.points[0, 1]) == pytest.approx(np.median(values))
    whiskers = [line for line in lines if line.colour == INK and line.width == 1.2]
    ends = [value(y) for line in whiskers for y in line.points[:, 1]]
    assert (min(ends), max(ends)) == pytest.approx((10, 40))
    (dot,) = [line for line in lines if line.colour == MEAN]
    assert value(dot.points[0, 1]) == pytest.approx(np.mean(values))
    dots = [line for line in lines if line.colour == VALUE and len(line.points) == 1]
    assert sorted(value(line.points[0, 1]) for line in dots) == pytest.approx(sorted(values))


def test_marked_and_empty_groups_and_the_line_of_the_first():
    canvas = drawn(Box("V", [1.0, 2.0, 5.0]), Box("A", [4.0], "1 lost", True), Box("B", []))
    value = value_of(canvas)
    texts = {shape.text: shape for shape in canvas.shapes if isinstance(shape, Text)}
    assert texts["A"].colour == MARKED
    assert texts["V"].colour == texts["B"].colour == INK
    assert texts["V"].x < texts["A"].x == texts["1 lost"].x < texts["B"].x
    boxes = [s for s in canvas.shapes if isinstance(s, Line) and len(s.points) == 5]
    assert [box.colour for box in boxes] == [INK, MARKED]
    (level,) = [s for s in canvas.shapes
                if isinstance(s, Line) and s.colour == VALUE and len(s.points) == 2]  # fmt: skip
    assert value(level.points[0, 1]) == pytest.approx(2)
    root = ET.fromstring(canvas.to_svg())
    assert root.get("height") == str(canvas.height)
    assert not re.search(r"nan|inf", canvas.to_svg())


def test_nothing_to_draw_is_a_title():
    canvas = drawn(Box("V", []))
    assert [shape.text for shape in canvas.shapes] == ["a title"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (31, 100, [20, 40, 60, 80, 100]),
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (29.3, 31.2, [29, 29.5, 30, 30.5, 31, 31.5]),
        (7, 7, [6, 8]),
        (0, 0, [0, 0.2]),
    ],
)
def test_marks_are_round_and_reach_around_the_values(low, high, expected):
    assert marks(low, high) == pytest.approx(expected)
