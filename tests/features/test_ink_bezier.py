"""Bezier pieces: curves that are cubic are found, the error bound holds, dots survive."""

import itertools
import math

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.ink import InkBezier
from seqlabel.features.ink.bezier import fit_pieces
from seqlabel.inputs import Ink
from seqlabel.synthetic.hands import random_hand, write_text

AS_IT_IS = {"clean": False, "skew": False, "size": "none"}


def curve(control, s):
    """C(s) at each of the parameters s (n,), by de Casteljau's construction."""
    points = [np.asarray(point, dtype=float) * np.ones((len(s), 1)) for point in control]
    while len(points) > 1:
        points = [(1 - s)[:, None] * a + s[:, None] * b for a, b in itertools.pairwise(points)]
    return points[0]


def distances_to(control, points):
    """Distances of points (P, 2) to a densely sampled curve."""
    samples = curve(control, np.linspace(0, 1, 400))
    return np.hypot(*(points[:, None] - samples).transpose(2, 0, 1)).min(axis=1)


def test_a_cubic_is_one_piece():
    control = [[0, 0], [1, 3], [4, 3], [5, 0]]
    points = curve(control, np.linspace(0, 1, 40))
    pieces = fit_pieces(Ink([points]), tolerance=0.02)
    assert len(pieces.controls) == 1
    assert pieces.pen.tolist() == [True]
    assert distances_to(pieces.controls[0], curve(control, np.linspace(0, 1, 11))).max() < 0.02


def test_every_point_is_within_the_tolerance():
    rng = np.random.default_rng(2)
    ink = write_text("jagged 8 quirk", random_hand(rng), rng).transformed(0.01 * np.eye(2))
    counts = []
    for tolerance in (0.2, 0.05, 0.01):
        pieces = fit_pieces(ink, tolerance)
        counts.append(len(pieces.controls))
        for stroke, points in enumerate(ink.strokes):
            controls = pieces.controls[pieces.pen & (pieces.strokes == stroke)]
            nearest = np.min([distances_to(control, points[:, :2]) for control in controls], axis=0)
            assert nearest.max() < tolerance + 1e-3  # the slack of 400 samples
    assert counts == sorted(counts)


def test_pieces_join_and_moves_lead_from_stroke_to_stroke():
    ink = Ink([[[0, 0, 0], [1, 1, 1], [2, 0, 2], [3, 5, 3]], [[9, 9, 5]], [[7, 7, 6], [8, 7, 7]]])
    pieces = fit_pieces(ink, 0.01)
    controls = pieces.controls
    np.testing.assert_allclose(controls[1:, 0], controls[:-1, 3], atol=1e-12)
    assert (controls[0, 0] == [0, 0]).all()
    assert (controls[-1, 3] == [8, 7]).all()
    assert pieces.pen[~pieces.pen].size == 2
    starts = pieces.starts + pieces.times.sum(axis=1)  # t(1) = g1 + g2 + g3
    np.testing.assert_allclose(starts[:-1], pieces.starts[1:], atol=1e-12)
    assert (np.diff(pieces.strokes) >= 0).all()


def test_ten_numbers_by_hand():
    """A straight stroke, a move, a dot."""
    ink = Ink([[[0, 0, 0], [3, 4, 0.5]], [[6, 4, 1.5]]])
    frames = InkBezier(**AS_IT_IS)(ink)
    third = 1 / 3
    expected = [
        [3, 4, third, third, 0, 0, 0.5, 0, 0, 1],
        [3, 0, third, third, 0, 0, 1.0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ]
    np.testing.assert_allclose(frames.x, expected, atol=1e-6)
    assert frames.times.tolist() == [0, 0.5, 1.5]
    assert frames.strokes.tolist() == [0, 0, 1]


def test_places_by_hand():
    """A level bar, and a standing one through its right half."""
    ink = Ink([[[0, 0], [4, 0]], [[3, -1], [3, 1]]])
    frames = InkBezier(**AS_IT_IS, places=True)(ink)
    assert frames.x.shape == (3, InkBezier(places=True).dim)
    assert frames.x[:, 10:].tolist() == [
        [-2, 0, 2, 0, 4, 0, 0, 0, 0, 0],
        [2, 0, 1, -1, 4, 0, 0, 0, 0, 0],  # the move, from the end of the first to the second
        [0, -1, 0, 1, 0, 2, -1, 0, 4, 0],
    ]
    np.testing.assert_array_equal(frames.x[:, :10], InkBezier(**AS_IT_IS)(ink).x)


def test_angles_and_ratios():
    """A symmetric arch: P1 and P2 above the chord, one angle to the left, one to the right."""
    control = np.array([[0, 0], [1, -1], [3, -1], [4, 0]])  # y grows downwards
    points = curve(control, np.linspace(0, 1, 60))
    points = np.column_stack([points, np.linspace(0, 1, 60) ** 2])
    (row,) = InkBezier(**AS_IT_IS, tolerance=0.5)(Ink([points])).x
    dx, dy, d1, d2, a1, a2, *g, pen = row
    assert (dx, dy, pen) == (4, 0, 1)
    assert d1 == pytest.approx(math.sqrt(2) / 4, abs=0.03)
    assert d1 == pytest.approx(d2, abs=1e-5)
    assert a1 == pytest.approx(-math.pi / 4, abs=0.1)
    assert a2 == pytest.approx(math.pi / 4, abs=0.1)
    assert sum(g) == pytest.approx(1, abs=1e-6)
    assert g[1] > 0.5  # t is about s squared


def test_closed_curves_are_split():
    """The chord of a whole circle is 0: angles to it would mean nothing."""
    turn = np.linspace(0, 2 * math.pi, 80)
    circle = Ink([np.column_stack([np.cos(turn), np.sin(turn)])])
    frames = InkBezier(**AS_IT_IS, tolerance=10)(circle)
    assert len(frames) == 2
    assert np.hypot(*frames.x[:, :2].T).min() > 1


def test_tolerance_must_be_positive():
    with pytest.raises(InputError):
        InkBezier(tolerance=0)
