"""Smoothing along strokes: straight strokes stay, staircases lose their steps."""

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.ink.bezier import InkBezier
from seqlabel.features.ink.resampling import resample_distance
from seqlabel.features.ink.smoothing import POINTS, smooth
from seqlabel.inputs.ink import Ink


def stroke(x, y, start=0.0):
    return np.column_stack([x, y, start + np.arange(len(x))])


def circle(count: int = 400) -> np.ndarray:
    angle = np.linspace(0, 1.5 * np.pi, count)
    return stroke(np.cos(angle), np.sin(angle))


def test_straight_strokes_and_dots_stay():
    line = stroke(np.linspace(0, 10, 31), np.linspace(0, -5, 31))
    dot = stroke([3.0], [4.0], 100.0)
    ink = smooth(Ink([line, dot]), 0.5)
    np.testing.assert_allclose(ink.y[:-1], -ink.x[:-1] / 2, atol=1e-12)
    np.testing.assert_allclose(ink.points[[0, -2], :2], line[[0, -1], :2], atol=1e-12)
    np.testing.assert_allclose(ink.points[-1, :2], [3, 4])


def test_a_staircase_comes_close_to_what_was_drawn():
    drawn = circle()
    grid = drawn.copy()
    grid[:, :2] = np.round(drawn[:, :2] * 12) / 12
    error = [
        np.abs(np.hypot(ink.x, ink.y) - 1).max() for ink in (Ink([grid]), smooth(Ink([grid]), 0.1))
    ]
    assert error[1] < 0.6 * error[0]
    np.testing.assert_allclose(smooth(Ink([grid]), 0.1).points[0, :2], grid[0, :2], atol=1e-12)


def test_every_point_is_the_mean_that_it_should_be():
    rng = np.random.default_rng(0)
    ink = Ink([stroke(*rng.normal(size=(2, n)).cumsum(axis=1), 9 * n) for n in (3, 40)])
    found = smooth(ink, 0.8)
    given = resample_distance(ink, 0.8 / POINTS)
    weights = np.exp(-0.5 * (np.arange(-6, 7) / POINTS) ** 2)
    weights /= weights.sum()
    for old, new in zip(given.strokes, found.strokes, strict=True):
        last = len(old) - 1

        def at(n, old=old, last=last):
            if n < 0:
                return 2 * old[0, :2] - old[min(-n, last), :2]
            return 2 * old[last, :2] - old[max(2 * last - n, 0), :2] if n > last else old[n, :2]

        means = [sum(w * at(n + j - 6) for j, w in enumerate(weights)) for n in range(len(old))]
        np.testing.assert_allclose(new[:, :2], means, atol=1e-12)
        np.testing.assert_array_equal(new[:, 2], old[:, 2])


def test_as_a_step_of_normalisation():
    ink = Ink([circle()])
    names = [name for name, _ in InkBezier(size="none", smoothing=0.1).steps(ink)]
    assert names[-1] == "smoothed"
    assert "smoothed" not in [name for name, _ in InkBezier(size="none").steps(ink)]
    with pytest.raises(InputError, match="smoothing -1"):
        InkBezier(smoothing=-1)
