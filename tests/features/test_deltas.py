"""Deltas: Kaldi's regression and padding."""

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.features.deltas import add_deltas


def kaldi_deltas(x, order, window):
    """Kaldi's DeltaFeatures::Process, transcribed: scales are built first, frames are clamped."""
    scales = [np.array([1.0])]
    for _ in range(order):
        before = scales[-1]
        offset = (len(before) - 1) // 2
        after = np.zeros(len(before) + 2 * window)
        for j in range(-window, window + 1):
            for k in range(-offset, offset + 1):
                after[j + k + offset + window] += j * before[k + offset]
        scales.append(after / sum(j * j for j in range(-window, window + 1)))
    out = np.zeros((len(x), (order + 1) * x.shape[1]))
    for t in range(len(x)):
        for n, scale in enumerate(scales):
            reach = (len(scale) - 1) // 2
            for j in range(-reach, reach + 1):
                frame = x[min(max(t + j, 0), len(x) - 1)]
                out[t, n * x.shape[1] : (n + 1) * x.shape[1]] += scale[j + reach] * frame
    return out


@pytest.mark.parametrize(
    ("frames", "order", "window"), [(30, 2, 2), (30, 3, 3), (3, 2, 2), (1, 2, 2)]
)
def test_equal_to_kaldis(frames, order, window):
    x = np.random.default_rng(3).standard_normal((frames, 4)).astype(np.float32)
    np.testing.assert_allclose(
        add_deltas(x, order, window), kaldi_deltas(x, order, window), atol=1e-5
    )


def test_first_order_equals_torchaudios():
    from torchaudio_guard import torchaudio

    x = np.random.default_rng(4).standard_normal((20, 3)).astype(np.float32)
    expected = torchaudio.functional.compute_deltas(torch.from_numpy(x.T.copy()), win_length=5)
    np.testing.assert_allclose(add_deltas(x, 1, 2)[:, 3:], expected.numpy().T, atol=1e-5)


def test_a_ramp_has_its_slope_and_a_parabola_its_curvature():
    t = np.arange(40.0)[:, None]
    inner = slice(4, -4)
    np.testing.assert_allclose(add_deltas(3 * t, 2)[inner, 1:], [[3, 0]] * 32, atol=1e-4)
    np.testing.assert_allclose(add_deltas(t**2, 2)[inner, 2], 2.0, atol=1e-3)


def test_order_zero_and_no_frames():
    x = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(add_deltas(x, 0), x)
    assert add_deltas(np.ones((0, 2)), 2).shape == (0, 6)
    with pytest.raises(InputError, match="order -1"):
        add_deltas(x, -1)
