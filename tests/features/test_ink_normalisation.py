"""Every step of normalisation finds the known answer of generated ink, and finds it once."""

import itertools
import math

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.ink import Ink25, InkDelta
from seqlabel.features.ink.cleaning import remove_duplicates, remove_outliers
from seqlabel.features.ink.delayed import delayed_strokes, remove_delayed_strokes
from seqlabel.features.ink.resampling import resample_distance, resample_time
from seqlabel.features.ink.script_lines import ScriptLines, script_lines
from seqlabel.features.ink.size import scale_to_corpus, scale_to_height, scale_to_strokes
from seqlabel.features.ink.skew import correct_skew, rotate, skew_angle
from seqlabel.features.ink.slant import correct_slant, shear, slant_angle
from seqlabel.features.ink.width import middle_crossings, scale_width
from seqlabel.inputs import Ink
from seqlabel.synthetic.hands import Hand, random_hand, write_text

TEXT = "the young fox jumps over a lazy dog"

STEPS = {
    "duplicates": remove_duplicates,
    "outliers": remove_outliers,
    "skew": correct_skew,
    "slant": correct_slant,
    "corpus": scale_to_corpus,
    "height": scale_to_height,
    "strokes": scale_to_strokes,
    "width": scale_width,
    "delayed": remove_delayed_strokes,
    "distance": lambda ink: resample_distance(ink, 17.0),
    "time": lambda ink: resample_time(ink, 0.03),
}


def write(text: str = TEXT, **options) -> Ink:
    """A line by the plain hand: level, upright, small x of 100 units."""
    return write_text(text, Hand(**options), np.random.default_rng(3))


def samples(count: int = 12) -> list[Ink]:
    """Lines by random hands."""
    rng = np.random.default_rng(11)
    texts = [TEXT, "k3f9x 7b", "illit fjord", "0o8 q"]
    return [write_text(texts[n % 4], random_hand(rng, links=True), rng) for n in range(count)]


def moved(ink: Ink, scale: float = 3.5) -> Ink:
    return ink.transformed(scale * np.eye(2), [-700, 40])


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_twice_is_once_and_the_ink_is_not_touched(step):
    for ink in samples():
        before = ink.points.copy()
        once = step(ink)
        twice = step(once)
        assert np.array_equal(ink.points, before)
        assert np.array_equal(once.offsets, twice.offsets)
        np.testing.assert_allclose(twice.points, once.points, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["corpus", "height", "strokes"])
def test_size_does_not_depend_on_place_and_scale(name):
    for ink in samples(4):
        np.testing.assert_allclose(
            STEPS[name](moved(ink)).points, STEPS[name](ink).points, rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("name", ["skew", "slant", "width", "delayed", "outliers"])
def test_other_steps_move_and_scale_with_the_ink(name):
    for ink in samples(4):
        expected = STEPS[name](ink)
        got = STEPS[name](moved(ink))
        assert np.array_equal(got.offsets, expected.offsets)
        shape = expected.points[:, :2] - expected.points[0, :2]
        np.testing.assert_allclose(
            got.points[:, :2] - got.points[0, :2], 3.5 * shape, rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("degrees", [-12, -5, 0, 2, 5, 20])
def test_rotation_is_found(degrees):
    ink = write()
    found = skew_angle(rotate(ink, math.radians(degrees)))
    assert math.degrees(found) == pytest.approx(degrees, abs=0.3)
    assert math.degrees(found - skew_angle(ink)) == pytest.approx(degrees, abs=0.05)


def test_rotation_turns_as_seen():
    """Counter-clockwise by 90 degrees: what lay to the right lies above, at smaller y."""
    turned = rotate(Ink([[[1.0, 0.0]]]), math.pi / 2)
    np.testing.assert_allclose(turned.points[0, :2], [0, -1], atol=1e-12)


def test_descenders_do_not_tilt_the_line():
    """Tails on one side only; a regression through all points would see several degrees."""
    ink = write("non nom moon gypy jgyq")
    slope = np.polyfit(ink.x, ink.y, 1)[0]
    assert abs(math.degrees(slope)) > 1
    assert math.degrees(skew_angle(ink)) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("degrees", [-25, -10, 0, 10, 30])
def test_shear_is_found(degrees):
    ink = write()
    upright = math.tan(slant_angle(ink))
    found = slant_angle(shear(ink, math.radians(degrees)))
    assert math.degrees(found) == pytest.approx(degrees, abs=3)  # letters have their own slants
    assert math.tan(found) - upright == pytest.approx(math.tan(math.radians(degrees)), abs=1e-4)


def test_shear_leans_to_the_right_as_seen():
    sheared = shear(Ink([[[0.0, 0.0], [0.0, -1.0]]]), math.radians(45))
    np.testing.assert_allclose(sheared.points[1, :2], [1, -1], atol=1e-12)
    assert slant_angle(sheared) == pytest.approx(math.radians(45), abs=1e-6)


def test_lines_of_writing():
    """The outlines stand on y = 0, a small x is 100 high, stems 190, tails -85."""
    lines = script_lines(write("hop lip dog pay bold quay"))
    assert lines.corpus_height == pytest.approx(100, abs=5)
    assert lines.base - lines.ascender == pytest.approx(190, abs=8)
    assert lines.descender - lines.base == pytest.approx(86, abs=8)


def test_lines_that_nothing_reaches_are_a_corpus_height_away():
    lines = script_lines(write("mnoxeura"))
    assert lines.corpus - lines.ascender == lines.corpus_height
    assert lines.descender - lines.base == lines.corpus_height


def test_flat_ink_has_lines():
    dash = Ink([[[0, 5], [9, 5]]])
    assert script_lines(dash) == ScriptLines(5, 5, 5, 5)
    assert scale_to_corpus(dash).points[:, 1].tolist() == [0, 0]


def test_size():
    ink = write("hop lip dog")
    lines = script_lines(scale_to_corpus(ink))
    assert lines.base == pytest.approx(0, abs=1e-9)
    assert lines.corpus == pytest.approx(-1, abs=1e-9)
    left, top, _, bottom = scale_to_height(ink).bounds
    assert (left, top, bottom) == pytest.approx((0, -1, 0), abs=1e-9)
    square = Ink([[[0, 0], [4, 0], [4, 2]], [[7, 7], [7, 9]], [[1, 1]]])
    scaled = scale_to_strokes(square)  # sides 4 and 2, mean 3; the dot does not count
    assert scaled.points[1, 0] == pytest.approx(4 / 3)


def test_width_is_set_by_the_crossings_of_the_middle():
    ink = Ink([[[0, 0], [2, 4], [4, 0], [6, 4], [8, 0]]])
    assert middle_crossings(ink) == 4
    lines = script_lines(ink)
    assert (lines.base, lines.corpus) == (4, 0)
    assert np.ptp(scale_width(ink).x) == pytest.approx(0.6 * 4 * 4)
    assert scale_width(ink.transformed(np.diag([9.0, 1.0]))) == ink.transformed(np.diag([9.0, 1.0]))


@pytest.mark.parametrize(
    ("text", "delays", "expected"),
    [("ijt", 0.0, 3), ("ijt", 1.0, 3), ("fit it", 1.0, 5), ("moon", 1.0, 0), ("x", 0.0, 0)],
)
def test_dots_and_bars_are_delayed_whenever_they_are_written(text, delays, expected):
    ink = write(text, delays=delays)
    late = delayed_strokes(ink)
    assert late.sum() == expected
    assert len(remove_delayed_strokes(ink).strokes) == len(ink.strokes) - expected
    heights = [np.ptp(stroke[:, 1]) for stroke, out in zip(ink.strokes, late, strict=True) if out]
    assert all(height < 10 for height in heights)


@pytest.mark.parametrize(
    ("stroke", "delayed"),
    [
        ([[-3, -16], [3, -16]], True),  # a bar across the stem
        ([[-4, -15]], True),  # a dot, nearly above it
        ([[-3, -2], [3, -2]], False),  # a bar at the foot
        ([[1, -18], [1, -7]], False),  # as high as a letter
        ([[8, -15]], False),  # to the right of all that is there
        ([[-9, -15]], False),  # above nothing
    ],
)
def test_what_makes_a_stroke_delayed(stroke, delayed):
    """After a stem from the base line at 0 to -20; a small letter is 10 high."""
    ink = Ink([[[0, -20], [0, 0]], stroke])
    found = delayed_strokes(ink, ScriptLines(-20, -10, 0, 10))
    assert found.tolist() == [False, delayed]


def test_numbers_of_strokes_outlive_removal():
    writing = Ink25().normalise(write("if"))  # strokes: i, its dot, f, its bar
    assert writing.numbers.tolist() == [0, 2]
    assert len(writing.delayed) == len(writing.hats) == 2


def test_straight_lines_are_resampled_exactly():
    ink = resample_distance(Ink([[[0, 0, 0], [3, 4, 1]], [[10, 0, 2], [10, 2.5, 3]]]), 1.0)
    np.testing.assert_allclose(
        ink.strokes[0], [[0.6 * n, 0.8 * n, 0.2 * n] for n in range(6)], atol=1e-12
    )
    np.testing.assert_allclose(ink.strokes[1][:, 1], [0, 1, 2, 2.5])  # the last point is kept


def test_steps_have_the_spacing_and_stay_inside_strokes():
    ink = write()
    sampled = resample_distance(ink, 20.0)
    assert len(sampled.strokes) == len(ink.strokes)
    for before, after in zip(ink.strokes, sampled.strokes, strict=True):
        assert np.array_equal(after[[0, -1], :2], before[[0, -1], :2])
        steps = np.hypot(*np.diff(after[:, :2], axis=0).T)
        np.testing.assert_allclose(steps[:-1], 20.0, rtol=1e-9)
        assert (steps[-1:] <= 20.0 * (1 + 1e-9)).all()


def test_resampling_walks_like_its_slow_twin():
    """The next sample is found by stepping along the stroke in tiny steps."""
    stroke = write("g").strokes[0]
    fine = np.concatenate(
        [np.linspace(a, b, 400)[:-1] for a, b in itertools.pairwise(stroke)] + [stroke[-1:]]
    )
    expected = [fine[0]]
    for point in fine:
        if np.hypot(*(point - expected[-1])[:2]) >= 30.0:
            expected.append(point)
    got = resample_distance(Ink([stroke]), 30.0).points
    assert len(got) in (len(expected), len(expected) + 1)
    np.testing.assert_allclose(got[: len(expected), :2], np.array(expected)[:, :2], atol=0.3)


def test_times_are_resampled_evenly():
    ink = Ink([[[0, 0, 1.0], [10, 0, 2.0], [10, 5, 2.25]], [[7, 7, 9.0]]])
    sampled = resample_time(ink, 0.5)
    assert sampled.points.tolist() == [[0, 0, 1], [5, 0, 1.5], [10, 0, 2], [10, 5, 2.25], [7, 7, 9]]
    untimed = resample_time(Ink([[[0, 0], [1, 0], [2, 0]]]), 0.02)  # 100 points per second
    assert untimed.points.tolist() == [[0, 0, 0], [2, 0, 2]]


def test_duplicates_and_outliers():
    ink = Ink([[[0, 0, 0], [0, 0, 1], [1, 0, 2], [900, 900, 3], [2, 0, 4], [3, 0, 5]], [[3, 0, 6]]])
    once = remove_duplicates(ink)
    assert once.t.tolist() == [0, 2, 3, 4, 5, 6]
    assert remove_outliers(once).t.tolist() == [0, 2, 4, 5, 6]
    corner = Ink([[[0, 0], [5, 0], [5, 5], [0, 5]]])
    assert remove_outliers(corner) == corner
    there_and_back = Ink([[[0, 0], [1, 0], [2, 0], [2, 3], [2, 0], [3, 0], [4, 0]]])
    assert remove_outliers(there_and_back) == there_and_back  # three typical steps, no jump


@pytest.mark.parametrize(
    "strokes",
    [
        [[[5, 5]]],
        [[[5, 5], [5, 5], [5, 5]]],
        [[[5, 5]], [[5, 5]]],
        [[[0, 0], [1, 0]]],
        [[[0, 0], [0, 1]]],
        [[[0, 0]], [[1e9, 1e9]]],
        [[[0, 0], [1e-9, 1e-9]]],
    ],
)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_poor_ink_passes_every_step(step, strokes):
    ink = step(Ink(strokes))
    assert np.isfinite(ink.points).all()
    assert np.isfinite(InkDelta(size="corpus", resampling="none")(ink).x).all()


def test_absurd_spacings_are_refused():
    ink = write()
    for spacing in (0.0, -1.0, float("nan"), 1e-9):
        with pytest.raises(InputError):
            resample_distance(ink, spacing)
    with pytest.raises(InputError):
        resample_time(ink, 1e-9)
    with pytest.raises(InputError):
        InkDelta(spacing=0)
