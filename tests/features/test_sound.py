"""Augmentation of speech: rooms, noise, level and speed against simple computations."""

from dataclasses import replace

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.room import convolve, room_response, tilted_noise
from seqlabel.features.sound import SoundAugmentation, distort_sound, noise_for
from seqlabel.features.speed import change_speed
from seqlabel.inputs import Audio

RATE = 8000
WHOLE = SoundAugmentation(speed=0.1, room=1.0, noise=1.0, level=6.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def speech(count=3001):
    """Noise with a pause in the middle."""
    samples = 0.1 * rng(1).standard_normal(count)
    samples[count // 3 : count // 2] = 0
    return Audio(samples.astype(np.float32), RATE)


@pytest.mark.parametrize("count", [1, 700, 2048, 3001])
def test_the_room_is_a_convolution_without_delay(count):
    sound, response = speech(3001).samples[:count], room_response(0.2, 10.0, RATE, rng())
    slow = np.zeros(count)
    for n in range(count):
        for k in range(min(n + 1, len(response))):
            slow[n] += response[k] * sound[n - k]
    np.testing.assert_allclose(convolve(sound, response), slow, atol=1e-6)
    single = convolve(sound, response.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, slow, atol=1e-6)


@pytest.mark.parametrize(("seconds", "direct"), [(0.1, 6.0), (0.4, 20.0)])
def test_a_room_decays_by_60_db_below_the_direct_sound(seconds, direct):
    responses = [room_response(seconds, direct, RATE, rng(n)) for n in range(200)]
    assert all(response[0] == 1 for response in responses)
    assert len(responses[0]) == 1 + seconds * RATE
    for response in responses:
        assert 10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(-direct)
    power = np.mean(np.square(responses), axis=0)[1:]
    decay = 10 * np.polyfit(np.arange(len(power)) / RATE, np.log10(power), 1)[0]
    assert decay * seconds == pytest.approx(-60, rel=0.05)


@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_noise_falls_with_its_tilt(tilt):
    noises = [tilted_noise(1 << 12, tilt, rng(n), np.float32) for n in range(50)]
    assert noises[0].dtype == np.float32
    assert np.mean(noises[0] ** 2) == pytest.approx(1, rel=1e-5)
    power = np.mean([np.abs(np.fft.rfft(noise)) ** 2 for noise in noises], axis=0)
    octaves = [power[a : 2 * a].mean() for a in (64, 128, 256, 512, 1024)]
    steps = np.diff(10 * np.log10(octaves))
    np.testing.assert_allclose(steps, -3.01 * tilt, atol=0.5)


@pytest.mark.parametrize("snr", [5.0, 30.0])
def test_noise_is_as_far_below_the_sound_as_asked(snr):
    sound = speech().samples
    noise = noise_for(sound, snr, 0.7, rng())
    measured = 10 * np.log10(np.mean(sound.astype(float) ** 2) / np.mean(noise.astype(float) ** 2))
    assert measured == pytest.approx(snr, abs=1e-3)
    assert noise.dtype == np.float32
    assert not noise_for(np.zeros(5, np.float32), snr, 0.7, rng()).any()


def test_speeds_are_all_those_in_steps_of_a_hundredth():
    audio, options = speech(), SoundAugmentation(speed=0.03)
    found = {}
    for seed in range(60):
        samples = distort_sound(audio, rng(seed), options).samples
        found[len(samples)] = samples
    factors = [0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03]
    expected = [change_speed(audio, factor).samples for factor in factors]
    assert sorted(found) == sorted(map(len, expected))
    for samples in expected:
        np.testing.assert_array_equal(found[len(samples)], samples)


def test_each_change_is_that_of_its_options():
    audio = speech()
    room = SoundAugmentation(room=1.0, reverberation=(0.1, 0.1), direct=(10.0, 10.0))
    rest = distort_sound(audio, rng(), room).samples - audio.samples
    heard = 10 * np.log10(np.mean(audio.samples**2) / np.mean(rest**2))
    assert heard == pytest.approx(10, abs=1)
    noise = SoundAugmentation(noise=1.0, snr=(15.0, 15.0))
    rest = distort_sound(audio, rng(), noise).samples - audio.samples
    assert 10 * np.log10(np.mean(audio.samples**2) / np.mean(rest**2)) == pytest.approx(15, abs=0.1)
    gains = []
    for seed in range(50):
        louder = distort_sound(audio, rng(seed), SoundAugmentation(level=6.0)).samples
        gains.append(20 * np.log10(louder[0] / audio.samples[0]))
        np.testing.assert_allclose(louder, audio.samples * louder[0] / audio.samples[0], rtol=1e-5)
    assert -6 <= min(gains) < -4
    assert 4 < max(gains) <= 6


def test_probabilities():
    audio = speech()
    for name in ("room", "noise"):
        options = SoundAugmentation(**{name: 0.3})
        changed = [distort_sound(audio, rng(n), options) is not audio for n in range(300)]
        assert 0.2 < np.mean(changed) < 0.4
    assert distort_sound(audio, rng(), SoundAugmentation()) is audio
    assert not SoundAugmentation(snr=(1.0, 2.0)).changes


def test_the_same_state_gives_the_same_samples():
    audio = speech()
    before = audio.samples.copy()
    one, two, other = (distort_sound(audio, rng(seed), WHOLE).samples for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
    assert len(one) != len(other) or not np.allclose(one, other)
    np.testing.assert_array_equal(audio.samples, before)
    tiny = Audio(np.ones(1, np.float32), RATE)
    assert len(distort_sound(tiny, rng(), replace(WHOLE, speed=0.0)).samples) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0.6}, "speed = 0.6: must be from 0 to 0.5"),
        ({"speed": 0.005}, "in steps of 0.01"),
        ({"room": 1.5}, "room and noise are probabilities"),
        ({"noise": -0.1}, "room and noise are probabilities"),
        ({"level": -1.0}, "level = -1.0 dB"),
        ({"snr": (30.0, 20.0)}, "the lower one first"),
        ({"reverberation": (0.0, 0.4)}, "two numbers from 0.01 to 5"),
        ({"tilt": (0.0, 9.0)}, "tilt"),
        ({"direct": (0.0, 90.0)}, "direct"),
    ],
)
def test_senseless_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        SoundAugmentation(**options)
