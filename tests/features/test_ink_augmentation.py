"""Augmentation: seeded, bounded, and it keeps what makes ink ink."""

import math

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.ink import Augmentation, InkDelta, augment
from seqlabel.features.ink.augmentation import smooth_noise
from seqlabel.features.ink.skew import skew_angle
from seqlabel.features.ink.slant import slant_angle
from seqlabel.inputs import Ink
from seqlabel.synthetic.hands import Hand, write_text

INK = write_text("jumping fox 23", Hand(), np.random.default_rng(0))

NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0)


def changed(seed: int = 1, **options) -> Ink:
    zeros = dict.fromkeys(vars(NOTHING), 0.0)
    return augment(INK, np.random.default_rng(seed), Augmentation(**(zeros | options)))


def test_zero_changes_nothing():
    np.testing.assert_allclose(changed().points, INK.points, atol=1e-9)


def test_the_seed_decides():
    def copy(seed: int) -> Ink:
        return augment(INK, np.random.default_rng(seed), Augmentation())

    assert copy(4) == copy(4)
    assert copy(4) != copy(5)
    assert copy(4) != INK


def test_strokes_and_times_stay_in_order():
    for seed in range(20):
        ink = augment(INK, np.random.default_rng(seed), Augmentation(drop=0.5))
        assert len(ink.strokes) == len(INK.strokes)
        assert (np.diff(ink.t) >= 0).all()
        for before, after in zip(INK.strokes, ink.strokes, strict=True):
            assert 1 <= len(after) <= len(before)


def test_each_change_is_what_it_says():
    for seed in range(5):
        rotated = skew_angle(changed(seed, rotation=10)) - skew_angle(INK)
        assert abs(math.degrees(rotated)) < 10.1
        sheared = math.tan(slant_angle(changed(seed, shear=20))) - math.tan(slant_angle(INK))
        assert abs(math.degrees(math.atan(sheared))) < 20.1
        width, height = np.ptp(changed(seed, scale=0.2).points[:, :2], axis=0)
        factors = [width / np.ptp(INK.x), height / np.ptp(INK.y)]
        assert factors[0] != pytest.approx(factors[1])
        assert all(math.exp(-0.2) < factor < math.exp(0.2) for factor in factors)
        faster = changed(seed, speed=0.3)
        assert math.exp(-0.3) < faster.duration / INK.duration < math.exp(0.3)
        assert np.array_equal(faster.points[:, :2], INK.points[:, :2])
    shifted = changed(offset=0.1)
    for before, after in zip(INK.strokes, shifted.strokes, strict=True):
        shift = (after - before)[:, :2]
        np.testing.assert_allclose(shift, np.tile(shift[0], (len(shift), 1)), atol=1e-9)
    jittered = changed(jitter=0.02)
    assert 0 < np.abs(jittered.points - INK.points).max() < 0.2 * np.ptp(INK.y)
    thinned = changed(drop=0.3)
    assert 0.6 < len(thinned) / len(INK) < 0.85
    places = {tuple(point) for point in INK.points[:, :2].tolist()}
    assert {tuple(point) for point in thinned.points[:, :2].tolist()} <= places


def test_noise_has_variance_one_and_alike_neighbours():
    noise = smooth_noise(50_000, np.random.default_rng(0))
    np.testing.assert_allclose(noise.var(axis=0), 1, atol=0.05)
    np.testing.assert_allclose((noise[1:] * noise[:-1]).mean(axis=0), 4 / 5, atol=0.05)
    np.testing.assert_allclose((noise[5:] * noise[:-5]).mean(axis=0), 0, atol=0.05)


def test_poor_and_untimed_ink():
    for strokes in ([[[1, 1]]], [[[1, 1], [1, 1]]], [[[0, 0], [1, 0]], [[2, 2]]]):
        ink = augment(Ink(strokes), np.random.default_rng(0), Augmentation())
        assert not ink.timed
        assert np.isfinite(InkDelta()(ink).x).all()


def test_bad_options_are_refused():
    for options in ({"drop": 1.0}, {"jitter": -1.0}, {"shear": 90.0}):
        with pytest.raises(InputError):
            Augmentation(**options)
