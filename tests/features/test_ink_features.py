"""Ink features against values computed by hand."""

import itertools
import math

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.ink import Ink25, InkBezier, InkDelta, InkRaw
from seqlabel.features.ink import liwicki_bunke_kernel as lb
from seqlabel.features.ink.image import CELL, Image
from seqlabel.features.ink.normalisation import seconds
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


def at_each_point(feature, ink):
    """Of every point of ink; `feature` has the place of all points and those of its stroke."""
    ends = [(a, b - 1) for a, b in itertools.pairwise(ink.offsets)]
    return [
        feature(ink.x, ink.y, first, last, i)
        for first, last in ends
        for i in range(first, last + 1)
    ]


def in_each_vicinity(feature, ink):
    """Likewise; `feature` has the place of all points, the first and the last of the vicinity."""

    def at_point(x, y, first, last, i):
        return feature(x, y, max(i - lb.REACH, first), min(i + lb.REACH, last))

    return at_each_point(at_point, ink)


def of_trajectory(ink, hats=()):
    features = np.zeros((len(ink), 25))
    lb.of_trajectory(ink.points, ink.offsets, np.reshape(hats, (-1, 2)).astype(float), features)
    return features


def speeds(ink):
    return lb.speeds(ink.points, seconds(ink), ink.offsets).tolist()


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
    assert of_trajectory(ink)[:, 0].tolist() == [0, 1, 1]


def test_hat():
    hats = [[0.9, 1.1]]  # reaches from 0.7 to 1.3
    assert of_trajectory(CORNER, hats)[:, 1].tolist() == [0, 1, 0, 0, 0]
    assert of_trajectory(CORNER)[:, 1].tolist() == [0] * 5


def test_speed():
    # |p1 - p0| / 1, |p2 - p0| / 2, |p3 - p1| / 2, |p4 - p2| / 3, |p4 - p3| / 2
    np.testing.assert_allclose(speeds(CORNER), [1, 1, HALF, 2 / 3, 1 / 2])
    assert speeds(DOT) == [0]
    assert speeds(Ink([[[0, 0, 1.0], [1, 0, 1.0]]])) == [0, 0]  # no time passes


def test_x_after_high_pass():
    np.testing.assert_allclose(lb.high_pass(CORNER.x, 1), [-1 / 2, 0, 2 - 5 / 3, 0, 0], atol=1e-12)
    np.testing.assert_allclose(lb.high_pass(CORNER.x, 99), CORNER.x - 7 / 5)


def test_y():
    assert of_trajectory(CORNER)[:, 4].tolist() == [0, 0, 0, 1, 2]


def test_writing_direction():
    directions = at_each_point(lb.writing_direction, CORNER)
    assert directions == [(1, 0), (1, 0), (0, 1), (0, 1), (0, 1)]
    slanted = Ink([[[0, 0], [1, -1]], [[5, 5], [2, 9]]])
    np.testing.assert_allclose(
        at_each_point(lb.writing_direction, slanted),
        [[HALF, -HALF], [HALF, -HALF], [-0.6, 0.8], [-0.6, 0.8]],
    )
    assert at_each_point(lb.writing_direction, DOT) == [(0, 0)]


def test_curvature():
    # At the corner u = (-1, 0) and v = (0, 1): u . v = 0, u x v = -1.
    expected = [(-1, 0), (-1, 0), (0, -1), (-1, 0), (-1, 0)]
    assert at_each_point(lb.curvature, CORNER) == expected
    back = Ink([[[0, 0], [1, 0], [0, 0]]])
    assert at_each_point(lb.curvature, back)[1] == (1, 0)


def test_vicinity_aspect():
    boxes = in_each_vicinity(lb.vicinity_box, CORNER)
    assert boxes == [(2, 0), (2, 1), (2, 2), (1, 2), (0, 2)]
    aspects = [lb.vicinity_aspect(*box) for box in boxes]
    np.testing.assert_allclose(aspects, [-1, -1 / 3, 0, 1 / 3, 1])
    assert lb.vicinity_aspect(0.0, 0.0) == 0


def test_vicinity_slope():
    fifth = 1 / math.sqrt(5)
    np.testing.assert_allclose(
        in_each_vicinity(lb.vicinity_slope, CORNER),
        [[1, 0], [2 * fifth, fifth], [HALF, HALF], [fifth, 2 * fifth], [0, 1]],
    )


def test_vicinity_curliness():
    def curliness(*where):
        return lb.vicinity_curliness(*where, max(lb.vicinity_box(*where)))

    np.testing.assert_allclose(in_each_vicinity(curliness, CORNER), [1, 3 / 2, 2, 3 / 2, 1])
    assert in_each_vicinity(curliness, DOT) == [1]


def test_vicinity_linearity():
    def linearity(*where):
        return lb.vicinity_linearity(*where, *lb.vicinity_slope(*where))

    # At the corner the line is y = x: squared distances 0, 1/2, 2, 1/2, 0, their mean 3/5.
    # One point earlier: (0,0) (1,0) (2,0) (2,1) to y = x/2: 0, 1/5, 4/5, 0, their mean 1/4.
    found = in_each_vicinity(linearity, CORNER)
    np.testing.assert_allclose(found, [0, 1 / 4, 3 / 5, 1 / 4, 0], atol=1e-12)
    loop = Ink([[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]])
    assert in_each_vicinity(linearity, loop)[2] == pytest.approx((0 + 1 + 2 + 1 + 0) / 5)


def test_image_counts_like_its_slow_twin():
    rng = np.random.default_rng(0)
    image = Image(rng.uniform(-3, 3, (200, 2)))
    for _ in range(50):
        top, left = rng.integers(-10, 35, 2)
        bottom, right = top + rng.integers(0, 30), left + rng.integers(0, 30)
        inside = (top <= image.rows) & (image.rows <= bottom)
        inside &= (left <= image.columns) & (image.columns <= right)
        assert lb.count_in(image.sums, top, bottom, left, right) == inside.sum()


def test_cells_count_from_the_first():
    image = Image(np.array([[0.3, -0.1], [0.9, 0.1], [0.3, -0.5]]))
    assert image.columns.tolist() == [0, 3, 0]
    assert image.rows.tolist() == [2, 3, 0]
    assert image.base == 3


def test_ascenders_and_descenders():
    heights = [-1.9, -1.3, -1.1, -0.5, 0.1, 0.3, 0.9]  # two above -1.2, two below 0.2
    points = np.array([[0.05, y] for y in heights] + [[0.5, -1.5], [0.75, -1.5], [-0.5, 0.5]])
    image = Image(points)

    def counts(n):
        return [
            count(image.sums, image.base, image.columns[n])
            for count in (lb.ascenders, lb.descenders)
        ]

    assert counts(0) == [3, 2]  # 0.5 is near, 0.75 is not, -0.5 is three cells away
    assert counts(-1) == [0, 1]


def test_context_map():
    here = [0.1, -0.5]
    points = np.array([here, here, [0.3, -0.5], [0.6, -0.5], [-0.4, -1.0], [0.1, 0.1], [2.0, -0.5]])
    image = Image(points)
    counts = np.empty(9)
    lb.context_map(image.sums, image.rows[0], image.columns[0], counts)
    expected = [
        [1, 0, 0],
        [0, 3, 1],
        [0, 1, 0],
    ]
    assert counts.reshape(3, 3).tolist() == expected
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


def test_places_follow_the_25():
    """A bar and a dot: points within the box of their stroke, its size, and the stroke before."""
    ink = Ink([[[0, 0], [4, 0]], [[3, -1]]])
    frames = Ink25(**AS_IT_IS, places=True)(ink)
    assert frames.x.shape == (3, Ink25(places=True).dim)
    assert frames.x[:, 25:].tolist() == [
        [-2, 0, 4, 0, 0, 0, 0, 0],
        [2, 0, 4, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, -1, 1, 4, 0],
    ]
    np.testing.assert_array_equal(frames.x[:, :25], Ink25(**AS_IT_IS)(ink).x)


def test_hats_and_speed_come_from_before_resampling():
    ink = lines(1)[0]
    frames = Ink25()(ink)
    assert 0 < frames.x[:, 1].sum() < len(frames)  # below the dots of i and j
    before = Ink25().prepare(ink)
    assert min(speeds(before.ink)) <= frames.x[:, 2].min()
    assert frames.x[:, 2].max() <= max(speeds(before.ink)) + 1e-5
    delayed = set(range(len(ink.strokes))) - set(frames.strokes.tolist())
    assert len(delayed) == len(before.delayed) > 0


@pytest.mark.parametrize("extractor", [InkDelta(), Ink25(places=True), InkBezier(places=True)])
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
