"""Warping of frequency and time: the map of Jaitly & Hinton by hand, and that of time."""

import math

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.frames import Frames
from seqlabel.features.mfcc import Mfcc
from seqlabel.features.warping import Warping, bend
from seqlabel.inputs.audio import Audio
from seqlabel.training.options import AugmentationOptions


def mel(frequency):
    return 1127 * math.log(1 + frequency / 700)


def warped_frequency(f, factor, half_rate=8000.0, high=4800.0):
    """Jaitly & Hinton 2013, equation 1."""
    if f <= high * min(factor, 1) / factor:
        return f * factor
    top = half_rate - high * min(factor, 1)
    bottom = half_rate - high * min(factor, 1) / factor
    return half_rate - top / bottom * (half_rate - f)


def frames_of(x):
    return Frames(x, 0.0125 + 0.01 * np.arange(len(x)), 0.01)


@pytest.mark.parametrize("factor", [0.85, 0.9, 1.0, 1.05, 1.2])
@pytest.mark.parametrize(("energy", "deltas"), [(False, 0), (True, 2)])
def test_filters_take_what_is_at_the_warped_frequency(factor, energy, deltas):
    options = Fbank(filters=23, energy=energy, deltas=deltas)
    x = np.random.default_rng(0).standard_normal((4, options.dim)).astype(np.float32)
    found = Warping(options, frequency=0.2).scale(x, factor)
    edges = [mel(20) + m * (mel(8000) - mel(20)) / 24 for m in range(25)]
    centres = [700 * (math.exp(edge / 1127) - 1) for edge in edges[1:-1]]
    for stream in range(deltas + 1):
        start = stream * (23 + energy)
        if energy:
            np.testing.assert_array_equal(found[:, start], x[:, start])
        filters = x[:, start + energy : start + energy + 23]
        for m, centre in enumerate(centres):
            place = mel(warped_frequency(centre, factor))
            expected = [np.interp(place, edges[1:-1], row) for row in filters]
            np.testing.assert_allclose(found[:, start + energy + m], expected, atol=1e-5)


def test_a_tone_is_heard_at_another_frequency():
    """Scaled by 1.1, the features of 1100 Hz are about those of 1000 Hz."""
    options = Fbank(filters=40)
    times = np.arange(8000) / 16000

    def tone(frequency):
        rng = np.random.default_rng(0)
        noise = 0.01 * rng.standard_normal(len(times))
        return options(Audio(0.3 * np.sin(2 * np.pi * frequency * times) + noise, 16000)).x

    plain, scaled = tone(1000), Warping(options, frequency=0.1).scale(tone(1100), 1.1)
    assert scaled.mean(0).argmax() == plain.mean(0).argmax() != tone(1100).mean(0).argmax()


def test_a_frame_moves_and_the_others_in_proportion():
    ramp = np.arange(21, dtype=np.float32)[:, None] * [[1.0, -2.0]]
    frames = frames_of(ramp.astype(np.float32))
    found = bend(frames, 5, 8)
    # 0..5 are spread over 0..8, 5..20 squeezed into 8..20
    expected = [t * 5 / 8 if t <= 8 else 5 + (t - 8) * 15 / 12 for t in range(21)]
    np.testing.assert_allclose(found.x[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(found.x[:, 1], -2 * np.array(expected), rtol=1e-6)
    np.testing.assert_allclose(found.times, 0.0125 + 0.01 * np.array(expected), rtol=1e-9)
    np.testing.assert_array_equal(bend(frames, 5, 5).x, frames.x)
    np.testing.assert_array_equal(frames.x, ramp)


def test_draws_cover_the_limits_and_no_more():
    options = Fbank(filters=10)
    drawn = []
    warping = Warping(options, frequency=0.1)
    object.__setattr__(warping, "scale", lambda x, factor: drawn.append(factor) or x)
    rng, x = np.random.default_rng(0), np.zeros((3, 10), np.float32)
    for _ in range(400):
        warping(frames_of(x), rng)
    assert 0.9 <= min(drawn) < 0.903
    assert 1.097 < max(drawn) <= 1.1
    ramp = np.repeat(np.arange(50, dtype=np.float32)[:, None], 10, axis=1)
    warping = Warping(options, time=8)
    shifts = [np.abs(warping(frames_of(ramp), rng).x[:, 0] - ramp[:, 0]).max() for _ in range(400)]
    assert 6.5 < max(shifts) <= 8.01
    short = frames_of(ramp[:16])
    assert warping(short, rng) is short


def test_one_filter_and_short_utterances():
    for filters in (1, 2):
        x = np.random.default_rng(0).standard_normal((1, filters)).astype(np.float32)
        found = Warping(Fbank(filters=filters), frequency=0.1, time=3)(
            frames_of(x), np.random.default_rng(1)
        )
        assert found.x.shape == x.shape
        assert np.isfinite(found.x).all()


def test_bad_options():
    with pytest.raises(InputError, match="must be from 0 to 0"):
        AugmentationOptions(frequency_warp=0.6)
    with pytest.raises(InputError, match="time_warp = -1 frames: must not be negative"):
        AugmentationOptions(time_warp=-1)
    assert AugmentationOptions().warping(Mfcc()) is None
    with pytest.raises(InputError, match="frequency_warp and time_warp are for features"):
        AugmentationOptions(time_warp=5).warping(Mfcc())
