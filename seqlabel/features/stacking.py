"""Stacking of neighbouring frames into fewer, wider ones."""

import dataclasses

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames


def stack_frames(frames: Frames, size: int = 1, stride: int = 1) -> Frames:
    """Join each `size` successive frames, every `stride` frames: T -> ceil(T / stride).

    New frame n is the concatenation of frames n * stride ... n * stride + size - 1, so F becomes
    size * F; past the end the last frame is repeated, so that no frame is lost. `size=1` only drops
    frames. Times and strokes are those of the first frame of each stack.
    """
    if size < 1 or stride < 1:
        raise InputError(f"stacking {size} frames every {stride}; both must be at least 1")
    if size == stride == 1:
        return frames
    first = np.arange(0, len(frames), stride)
    chosen = np.minimum(first[:, None] + np.arange(size), len(frames) - 1)
    return dataclasses.replace(
        frames,
        x=frames.x[chosen].reshape(len(first), -1),
        times=frames.times[first],
        period=frames.period * stride,
        strokes=None if frames.strokes is None else frames.strokes[first],
        height=None,
    )
