"""Ink features against values computed by hand."""

import math

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.ink import Ink25, InkBezier, InkDelta, InkRaw
from seqlabel.features.ink import liwicki_bunke as lb
from seqlabel.features.ink.image import CELL, Image
from seqlabel.inputs import Ink
from seqlabel.synthetic.hands import random_hand, write_text

CORNER = Ink([[[0, 0, 0], [1, 0, 1], [2, 0, 2], [2, 1, 3], [2, 2, 5]]])
"""Two to the right, two down."""

DOT = Ink([[[3, 3, 0]]])

AS_IT_IS = {
    "clean": False, "skew": False, "slant": False, "size": "none", "width": False,
    "delayed": False, "resampling": "none",
}  # fmt: skip

HALF = math.sqrt(0.5)


def lines(count: int = 6) -> list[Ink]:
    rng = np.random.default_rng(5)
    return [write_text("fit 9 jolly dogs", random_hand(rng), rng) for _ in range(count)]


def corner():
    trajectory = lb.Trajectory.of(CORNER)
    return trajectory, *trajectory.vicinity()


def test_raw():
    ink = Ink([[[5, 7, 1.0], [6, 7, 1.5]], [[9, 9, 2.0]]])
    frames = InkRaw()(ink)
    assert frames.x.tolist() == [[0, 0, 0, 0], [1, 0, 0.5, 1], [4, 2, 1.0, 1]]
    assert frames.x.dtype == np.float32
    assert frames.times.tolist() == [0, 0.5, 1.0]
    assert frames.period == 0.5
    assert frames.strokes.tolist() == [0, 0, 1]


def test_delta():
    ink = Ink([[[5, 7, 1.0], [6, 5, 1.5]], [[9, 9, 4.0]]])
    frames = InkDelta(**AS_IT_IS)(ink)
    assert frames.x.tolist() == [[0, 0, 0, 1], [1, -2, 0.5, 0], [3, 4, 1.0, 1]]  # a pause of 2.5 s
    assert InkDelta(**AS_IT_IS, longest_pause=9)(ink).x[2, 2] == 2.5
    assert InkDelta(**AS_IT_IS, position=True)(ink).x[:, 4].tolist() == [7, 5, 9]
    assert InkDelta(position=True).dim == 5


def test_untimed_ink_counts_as_a_hundred_points_per_second():
    frames = InkDelta(**AS_IT_IS)(Ink([[[0, 0], [1, 0]], [[2, 0]]]))
    assert frames.times.tolist() == [0, 0.01, 0.02]
    np.testing.assert_allclose(frames.x[:, 2], [0, 0.01, 0.01], rtol=1e-6)


def test_times_can_be_left_out():
    frames = InkDelta(**AS_IT_IS, times=False)(CORNER)
    np.testing.assert_allclose(frames.x[:, 2], [0, 0.01, 0.01, 0.01, 0.01], rtol=1e-6)


def test_pen_up():
    ink = Ink([[[0, 0], [1, 1]], [[2, 2]]])
    assert lb.pen_up(lb.Trajectory.of(ink)).tolist() == [0, 1, 1]


def test_hat():
    hats = np.array([[0.9, 1.1]])  # reaches from 0.7 to 1.3
    assert lb.hat(corner()[0], hats).tolist() == [0, 1, 0, 0, 0]
    assert lb.hat(corner()[0], np.empty((0, 2))).tolist() == [0] * 5


def test_speed():
    # |p1 - p0| / 1, |p2 - p0| / 2, |p3 - p1| / 2, |p4 - p2| / 3, |p4 - p3| / 2
    np.testing.assert_allclose(lb.speed(CORNER), [1, 1, HALF, 2 / 3, 1 / 2])
    assert lb.speed(DOT).tolist() == [0]
    assert lb.speed(Ink([[[0, 0, 1.0], [1, 0, 1.0]]])).tolist() == [0, 0]  # no time passes


def test_x_after_high_pass():
    np.testing.assert_allclose(
        lb.high_pass(CORNER.x, reach=1), [-1 / 2, 0, 2 - 5 / 3, 0, 0], atol=1e-12
    )
    np.testing.assert_allclose(lb.high_pass(CORNER.x, reach=99), CORNER.x - 7 / 5)


def test_y():
    assert lb.height(corner()[0]).tolist() == [0, 0, 0, 1, 2]


def test_writing_direction():
    directions = lb.writing_direction(corner()[0])
    assert directions.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]
    slanted = Ink([[[0, 0], [1, -1]], [[5, 5], [2, 9]]])
    np.testing.assert_allclose(
        lb.writing_direction(lb.Trajectory.of(slanted)),
        [[HALF, -HALF], [HALF, -HALF], [-0.6, 0.8], [-0.6, 0.8]],
    )
    assert lb.writing_direction(lb.Trajectory.of(DOT)).tolist() == [[0, 0]]


def test_curvature():
    # At the corner u = (-1, 0) and v = (0, 1): u . v = 0, u x v = -1.
    assert lb.curvature(corner()[0]).tolist() == [[-1, 0], [-1, 0], [0, -1], [-1, 0], [-1, 0]]
    back = Ink([[[0, 0], [1, 0], [0, 0]]])
    assert lb.curvature(lb.Trajectory.of(back))[1].tolist() == [1, 0]


def test_vicinity_aspect():
    _, vx, vy = corner()
    # Boxes: 2 x 0, 2 x 1, 2 x 2, 1 x 2, 0 x 2
    np.testing.assert_allclose(lb.vicinity_aspect(vx, vy), [-1, -1 / 3, 0, 1 / 3, 1])
    assert lb.vicinity_aspect(np.zeros((1, 5)), np.zeros((1, 5))).tolist() == [0]


def test_vicinity_slope():
    _, vx, vy = corner()
    fifth = 1 / math.sqrt(5)
    np.testing.assert_allclose(
        lb.vicinity_slope(vx, vy),
        [[1, 0], [2 * fifth, fifth], [HALF, HALF], [fifth, 2 * fifth], [0, 1]],
    )


def test_vicinity_curliness():
    _, vx, vy = corner()
    np.testing.assert_allclose(lb.vicinity_curliness(vx, vy), [1, 3 / 2, 2, 3 / 2, 1])
    assert lb.vicinity_curliness(np.zeros((1, 5)), np.zeros((1, 5))).tolist() == [1]


def test_vicinity_linearity():
    trajectory, vx, vy = corner()
    # At the corner the line is y = x: squared distances 0, 1/2, 2, 1/2, 0, their mean 3/5.
    # One point earlier: (0,0) (1,0) (2,0) (2,1) to y = x/2: 0, 1/5, 4/5, 0, their mean 1/4.
    np.testing.assert_allclose(
        lb.vicinity_linearity(trajectory, vx, vy), [0, 1 / 4, 3 / 5, 1 / 4, 0], atol=1e-12
    )
    loop = Ink([[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]])
    trajectory = lb.Trajectory.of(loop)
    at_middle = lb.vicinity_linearity(trajectory, *trajectory.vicinity())[2]
    assert at_middle == pytest.approx((0 + 1 + 2 + 1 + 0) / 5)


def test_image_counts_like_its_slow_twin():
    rng = np.random.default_rng(0)
    points = rng.uniform(-3, 3, (200, 2))
    image = Image(points)
    columns, rows = Image.cells(points)
    for _ in range(50):
        top, left = rng.integers(-25, 20, 2)
        bottom, right = top + rng.integers(0, 30), left + rng.integers(0, 30)
        inside = (top <= rows) & (rows <= bottom) & (left <= columns) & (columns <= right)
        assert image.count(top, bottom, left, right) == inside.sum()
    assert Image.cells(np.array([[0.3, -0.1]])) == (1, -1)


def test_ascenders_and_descenders():
    heights = [-1.9, -1.3, -1.1, -0.5, 0.1, 0.3, 0.9]  # two above -1.2, two below 0.2
    points = np.array([[0.05, y] for y in heights] + [[0.5, -1.5], [0.75, -1.5], [-0.5, 0.5]])
    image, columns = Image(points), Image.cells(points)[0]
    counts = lb.ascenders_descenders(image, columns)
    assert counts[0].tolist() == [3, 2]  # 0.5 is near, 0.75 is not, -0.5 is three cells away
    assert counts[-1].tolist() == [0, 1]


def test_context_map():
    here = [0.1, -0.5]
    points = np.array([here, here, [0.3, -0.5], [0.6, -0.5], [-0.4, -1.0], [0.1, 0.1], [2.0, -0.5]])
    image = Image(points)
    columns, rows = Image.cells(points)
    expected = [
        [1, 0, 0],
        [0, 3, 1],
        [0, 1, 0],
    ]
    assert lb.context_map(image, columns, rows)[0].reshape(3, 3).tolist() == expected
    assert (lb.REGION, CELL) == (3, 0.2)


def test_all_25_in_their_order():
    """One row for the corner: every number by hand, in the order of the chapter."""
    frames = Ink25(**AS_IT_IS)(CORNER)
    expected = [
        0, 0, HALF, 2 - 7 / 5, 0,                    # pen-up, hat, speed, x, y
        0, 1, 0, -1,                                 # direction, curvature
        0, HALF, HALF, 2, 3 / 5,                     # aspect, slope, curliness, linearity
        0, 2,                                        # ascenders, descenders (2, 1) and (2, 2)
        0, 0, 0, 0, 1, 0, 0, 0, 0,                   # context map: alone within 0.9
    ]  # fmt: skip
    assert frames.x.shape == (5, Ink25.dim.fget(Ink25()))
    np.testing.assert_allclose(frames.x[2], expected, atol=1e-6)


def test_hats_and_speed_come_from_before_resampling():
    ink = lines(1)[0]
    frames = Ink25()(ink)
    assert 0 < frames.x[:, 1].sum() < len(frames)  # below the dots of i and j
    before = Ink25().prepare(ink)
    assert lb.speed(before.ink).min() <= frames.x[:, 2].min()
    assert frames.x[:, 2].max() <= lb.speed(before.ink).max() + 1e-5
    delayed = set(range(len(ink.strokes))) - set(frames.strokes.tolist())
    assert len(delayed) == len(before.delayed) > 0


@pytest.mark.parametrize("extractor", [InkDelta(), Ink25(), InkBezier()])
def test_place_and_scale_of_the_ink_do_not_matter(extractor):
    for ink in lines(2):
        expected = extractor(ink)
        got = extractor(ink.transformed(0.07 * np.eye(2), [12345, -800]))
        assert len(got) == len(expected)
        np.testing.assert_allclose(got.x, expected.x, rtol=1e-3, atol=2e-3)
        assert np.array_equal(got.strokes, expected.strokes)


POOR = [
    [[[5, 5]]],
    [[[5, 5], [5, 5], [5, 5]]],
    [[[0, 0], [1, 0]], [[5, 0]]],
    [[[0, 0]], [[1e7, 1e7]]],
]


@pytest.mark.parametrize("strokes", POOR)
@pytest.mark.parametrize("extractor", [InkRaw(), InkDelta(), Ink25(), InkBezier()])
def test_poor_ink_gives_finite_frames(extractor, strokes):
    frames = extractor(Ink(strokes))
    assert frames.x.shape[1] == extractor.dim
    assert len(frames) >= 1
    assert np.isfinite(frames.x).all()


def test_absurdly_wide_ink_is_refused():
    ink = Ink([[[0, 0], [0, 1]], [[1e9, 0], [1e9, 1]]])
    with pytest.raises(InputError, match="times as wide"):
        Ink25()(ink)


def test_a_long_recording_is_no_problem():
    """A million points; about one in a hundred is left at the default spacing."""
    t = np.arange(1_000_000) / 200
    ink = Ink([np.column_stack([0.2 * t, np.sin(t), t])])
    assert 5_000 < len(InkDelta()(ink)) < 20_000
