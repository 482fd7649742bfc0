"""Stacking and subsampling of frames."""

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.stacking import stack_frames


def numbered(count, strokes=False):
    x = np.stack([np.arange(count), 10.0 * np.arange(count)], axis=1).astype(np.float32)
    numbers = np.arange(count, dtype=np.int32) // 2 if strokes else None
    return Frames(x, 0.01 * np.arange(count), 0.01, numbers)


def test_three_of_seven():
    """The last stack is filled with the last frame; nothing is lost."""
    stacked = stack_frames(numbered(7, strokes=True), 3, 3)
    expected = [[0, 0, 1, 10, 2, 20], [3, 30, 4, 40, 5, 50], [6, 60, 6, 60, 6, 60]]
    np.testing.assert_array_equal(stacked.x, expected)
    np.testing.assert_allclose(stacked.times, [0, 0.03, 0.06])
    assert stacked.period == pytest.approx(0.03)
    np.testing.assert_array_equal(stacked.strokes, [0, 1, 3])
    assert stacked.x.dtype == np.float32


@pytest.mark.parametrize("count", [1, 5, 6, 11])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (2, 1), (3, 2), (4, 4)])
def test_against_a_loop(count, size, stride):
    frames = numbered(count)
    expected = [
        np.concatenate([frames.x[min(t + n, count - 1)] for n in range(size)])
        for t in range(0, count, stride)
    ]
    stacked = stack_frames(frames, size, stride)
    np.testing.assert_array_equal(stacked.x, expected)
    assert len(stacked) == -(-count // stride)


def test_impossible_sizes():
    with pytest.raises(InputError, match="stacking 0 frames"):
        stack_frames(numbered(3), 0, 1)
    with pytest.raises(InputError, match="with 2 times"):
        Frames(np.zeros((3, 1), np.float32), np.zeros(2), 0.01)
