"""Speed perturbation: duration and pitch of a tone."""

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.features.speed import change_speed
from seqlabel.inputs import Audio
from seqlabel.training.options import AugmentationOptions

RATE = 16000


def tone(hertz, seconds=1.0):
    t = np.arange(int(RATE * seconds)) / RATE
    return Audio(np.sin(2 * np.pi * hertz * t).astype(np.float32), RATE)


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.25])
def test_duration_and_pitch_change_together(factor):
    changed = change_speed(tone(440.0), factor)
    assert changed.rate == RATE
    assert abs(len(changed.samples) - RATE / factor) <= 1
    middle = changed.samples[1000:-1000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    hertz = spectrum.argmax() * RATE / (1 << 18)
    assert hertz == pytest.approx(440.0 * factor, rel=2e-3)
    assert np.abs(middle).max() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("factor", [0.9, 1.1, 0.97, 2.0])
def test_equal_to_torchaudio(factor):
    from torchaudio_guard import torchaudio

    audio = tone(300.0)
    rates = round(100 * factor), 100
    expected = torchaudio.functional.resample(torch.from_numpy(audio.samples), *rates).numpy()
    np.testing.assert_allclose(change_speed(audio, factor).samples, expected, atol=1e-5)


def test_speed_one_is_the_same_signal():
    audio = tone(300.0)
    assert change_speed(audio, 1.0) is audio


@pytest.mark.parametrize("factor", [0.0, 0.4, 2.5, -1.0])
def test_senseless_factors_are_named(factor):
    with pytest.raises(InputError, match=r"between 0\.5 and 2"):
        change_speed(tone(300.0), factor)


@pytest.mark.parametrize("factor", [0.925, 1.004, 1.115])
def test_factors_between_the_steps_are_refused(factor):
    """They would be played at the speed of a step."""
    with pytest.raises(InputError, match=rf"speed {factor}: .*in steps of 0\.01"):
        AugmentationOptions(speeds=(0.9, factor))
    steps = tuple(n / 100 for n in range(50, 201))
    assert AugmentationOptions(speeds=steps).speeds == steps
