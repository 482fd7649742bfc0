"""Resampling against its definition, and against torchaudio, whose filter it has."""

import math

import numpy as np
import pytest
import torch

from seqlabel.inputs.resampling import KAISER_BEST, SHORT, resample

RATES = [(8000, 16000), (16000, 8000), (44100, 16000), (48000, 16000), (11025, 16000), (3, 7)]


def noise(samples=700, seed=0):
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def by_definition(x, found, wanted, n, filter=KAISER_BEST):
    """Output n: the sum over all inputs of sinc times window, in double precision."""
    total, scale = 0.0, min(1.0, wanted / found) * filter.rolloff
    for k, sample in enumerate(x.tolist()):
        t = (k - n * found / wanted) * scale
        if abs(t) < filter.zeros:
            window = math.cos(math.pi * t / filter.zeros / 2) ** 2
            if filter.beta is not None:
                edge = math.sqrt(1 - (t / filter.zeros) ** 2)
                window = np.i0(filter.beta * edge) / np.i0(filter.beta)
            total += sample * np.sinc(t) * window * scale
    return total


@pytest.mark.parametrize("filter", [KAISER_BEST, SHORT])
@pytest.mark.parametrize(("found", "wanted"), RATES)
def test_equal_to_the_definition(found, wanted, filter):
    x = noise()
    y = resample(x, found, wanted, filter)
    assert y.dtype == np.float32
    assert len(y) == math.ceil(len(x) * wanted / found)
    for n in (0, 1, len(y) // 3, len(y) - 1):
        assert y[n] == pytest.approx(by_definition(x, found, wanted, n, filter), abs=1e-5)


LIKE_KAISER_BEST = {
    "lowpass_filter_width": 64, "rolloff": 0.9475937167399596,
    "resampling_method": "sinc_interp_kaiser", "beta": 14.769656459379492,
}  # fmt: skip


@pytest.mark.parametrize(("filter", "options"), [(KAISER_BEST, LIKE_KAISER_BEST), (SHORT, {})])
@pytest.mark.parametrize(("found", "wanted"), RATES)
def test_equal_to_torchaudio(found, wanted, filter, options):
    """Whose filter is computed in single precision."""
    from torchaudio_guard import torchaudio

    x = noise(5000)
    expected = torchaudio.functional.resample(torch.from_numpy(x), found, wanted, **options).numpy()
    found_here = resample(x, found, wanted, filter)
    assert found_here.shape == expected.shape
    assert np.abs(found_here - expected).max() < 1e-4


def test_a_sample_is_the_same_whatever_lies_beyond_its_filter():
    x = noise(4410)
    whole = resample(x, 44100, 16000)
    middle = resample(x[441 : 9 * 441], 44100, 16000)  # a whole number of periods of both rates
    np.testing.assert_array_equal(middle[160:-160], whole[320 : 160 + len(middle) - 160])


def test_few_samples():
    assert len(resample(noise(1), 44100, 16000)) == 1
    assert len(resample(noise(1), 8000, 16000)) == 2
