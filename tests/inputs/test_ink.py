"""The Ink type: what it accepts, what it refuses, and its text and SVG forms."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.inputs.ink import Ink

TWO_STROKES = Ink([[[0, 0, 0.0], [3, 4, 0.1]], [[5, 5, 0.3]]], unit="mm")


def test_strokes_are_views_of_all_points():
    assert TWO_STROKES.points.tolist() == [[0, 0, 0], [3, 4, 0.1], [5, 5, 0.3]]
    assert TWO_STROKES.offsets.tolist() == [0, 2, 3]
    assert TWO_STROKES.stroke_numbers.tolist() == [0, 0, 1]
    assert all(np.shares_memory(s, TWO_STROKES.points) for s in TWO_STROKES.strokes)
    assert TWO_STROKES.duration == pytest.approx(0.3)
    assert TWO_STROKES.bounds == (0, 0, 5, 5)


def test_ink_cannot_be_changed():
    source = np.zeros((2, 3))
    ink = Ink([source])
    source[:] = 7
    assert not ink.points.any()
    with pytest.raises(ValueError, match="read-only"):
        ink.strokes[0][0, 0] = 1
    with pytest.raises(AttributeError):
        ink.unit = "px"


def test_times_can_be_taken_away():
    ink = Ink([[[0, 0, 1.0], [1, 0, 1.5]], [[2, 0, 9.0]]], unit="mm").untimed()
    assert ink == Ink([[[0, 0], [1, 0]], [[2, 0]]], unit="mm")
    assert not ink.timed


def test_without_times_t_counts_points():
    ink = Ink([[[0, 0], [1, 1]], [[2, 2]]])
    assert not ink.timed
    assert ink.t.tolist() == [0, 1, 2]
    assert ink.duration == 0


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "without strokes"),
        ([[[0, 0, 0]], np.zeros((0, 3))], "stroke 1 has no points"),
        ([[[0, 0, 0]], [[0, 0]]], "stroke 1 has 2 columns, stroke 0 has 3"),
        ([[1, 2, 3]], r"shape \(3,\)"),
        ([[["a", "b"]]], "not an array of numbers"),
        ([[[0, 0, 0]], [[0, float("nan"), 1]]], "stroke 1, point 0: y is nan"),
        ([[[0, 0, 0], [float("inf"), 0, 1]]], "stroke 0, point 1: x is inf"),
        ([[[1e300, 0, 0]]], "x is 1e[+]300"),
        ([[[0, 0, 1.0]], [[0, 0, 2.0], [0, 0, 1.5]]], "stroke 1, point 1: time goes back from 2.0"),
    ],
)
def test_bad_strokes_are_refused_by_place(strokes, message):
    with pytest.raises(InputError, match=message):
        Ink(strokes)


def test_text_form_is_what_the_docstring_says():
    assert TWO_STROKES.to_text() == "ink x y t unit=mm\n0 0 0\n3 4 0.1\n\n5 5 0.3\n"
    assert Ink.from_text("ink x y\n0 0\n1 1\n") == Ink([[[0, 0], [1, 1]]])
    assert Ink.from_text(TWO_STROKES.to_text(), times=False).t.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ink a b\n1 2\n", "line 1"),
        ("ink x y t\n1 2 3\n4 5\n", "line 3: 2 numbers, but 3 are expected; was the file cut off"),
        ("ink x y t\n1 2 three\n", "line 2: .* is not a row of numbers"),
        ("ink x y t\n\n\n", "without strokes"),
        ("ink x y t\n1 nan 3\n", "y is nan"),
    ],
)
def test_bad_text_names_its_line(text, message):
    with pytest.raises(InputError, match=message):
        Ink.from_text(text)


def test_svg_has_a_line_per_stroke_and_a_dot_for_a_point():
    root = ET.fromstring(TWO_STROKES.to_svg(width=100, colours=("#ff0000", "#00ff00")))
    names = [child.tag.split("}")[1] for child in root]
    assert names == ["rect", "polyline", "circle"]
    assert root[1].get("points") == "8.0,8.0 58.4,75.2"
    assert root[1].get("stroke") == "#ff0000"
    assert root[2].get("fill") == "#00ff00"


def test_transformation_leaves_times_alone():
    moved = TWO_STROKES.transformed([[2, 0], [0, 3]], [1, -1])
    assert moved.points.tolist() == [[1, -1, 0], [7, 11, 0.1], [11, 14, 0.3]]


def test_other_points_in_the_same_or_other_strokes():
    ink = Ink([[[0, 0, 0.0], [1, 4, 0.1]], [[7, 2, 0.2]]], "mm")
    moved = ink.with_points(ink.points + np.array([1, 0, 0]))
    assert moved == Ink([[[1, 0, 0.0], [2, 4, 0.1]], [[8, 2, 0.2]]], "mm")
    assert ink.x.tolist() == [0, 1, 7]
    joined = ink.with_points(ink.points, np.array([0, 3]))
    assert [len(stroke) for stroke in joined.strokes] == [3]
    low, high = ink.boxes
    assert low.tolist() == [[0, 0], [7, 2]]
    assert high.tolist() == [[1, 4], [7, 2]]
    for points, offsets, message in (
        (ink.points[:2], None, "do not fill 3"),
        (ink.points[:, :2], None, "do not fill 3"),
        (ink.points, np.array([0, 2, 2, 3]), "stroke 1 has no points"),
        (ink.points * [1, np.nan, 1], None, "stroke 0, point 0: y is nan"),
        (ink.points[::-1], None, "time goes back"),
    ):
        with pytest.raises(InputError, match=message):
            ink.with_points(points, offsets)


def test_importing_ink_needs_no_torch():
    code = "import sys, seqlabel.inputs.ink; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
