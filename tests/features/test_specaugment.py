"""SpecAugment: the statistics of its masks."""

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.specaugment import SpecAugment


def masked(options, T=100, F=40, uses=3000, seed=0):
    """(uses, T, F): where masks fell."""
    rng, x = np.random.default_rng(seed), np.ones((T, F), np.float32)
    return np.stack([options(x, rng) == 0 for _ in range(uses)])


def test_time_masks_cover_whole_frames_of_uniform_width():
    holes = masked(SpecAugment(time_masks=1, time_width=10, frequency_masks=0))
    assert (holes.all(2) == holes.any(2)).all()
    frames = holes[:, :, 0]
    starts = (np.diff(frames.astype(int), axis=1, prepend=0) == 1).sum(1)
    assert set(starts) == {0, 1}
    widths = frames.sum(1)
    counts = np.bincount(widths, minlength=11)
    expected = len(widths) / 11
    assert len(counts) == 11
    assert ((counts - expected) ** 2 / expected).sum() < 29.6  # χ² with 10 degrees, p = 0.001
    middle = frames[:, 10:-10].mean(0)
    assert abs(middle.mean() - 5 / 100) < 0.01


def test_time_masks_take_a_fifth_at_most():
    holes = masked(SpecAugment(time_masks=1, time_width=30, frequency_masks=0), T=20, uses=300)
    assert holes[:, :, 0].sum(1).max() == 4
    assert not masked(SpecAugment(), T=1, F=0, uses=5).any()


def test_frequency_masks_take_the_same_band_of_every_stream():
    options = SpecAugment(time_masks=0, frequency_masks=1, frequency_width=3, streams=3)
    holes = masked(options, T=5, F=30, uses=500)
    assert (holes.all(1) == holes.any(1)).all()
    bands = holes[:, 0].reshape(500, 3, 10)
    assert (bands == bands[:, :1]).all()
    assert set(bands[:, 0].sum(1)) == {0, 1, 2, 3}
    # Derivatives that do not come in equal parts: one band over all features.
    assert masked(options, T=5, F=31, uses=50).any()


def test_masks_add_up_and_leave_the_frames_alone():
    x = np.ones((200, 40), np.float32)
    rng = np.random.default_rng(1)
    one, four = (SpecAugment(n, 20, n, 8) for n in (1, 4))
    shares = [
        np.mean([(options(x, rng) == 0).mean() for _ in range(300)]) for options in (one, four)
    ]
    assert 2 < shares[1] / shares[0] < 4
    assert (x == 1).all()


def test_bad_options():
    with pytest.raises(InputError, match="at least 0"):
        SpecAugment(time_width=-1)
