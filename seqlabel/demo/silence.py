"""The part of a recording in which somebody speaks.

Between pressing a button and speaking there is a while of silence, and another behind. Models read
utterances as their corpora cut them; much silence around one, and digital silence above all, shifts
the mean that features are normalised with.
"""

import numpy as np

FRAME = 0.02
"""Seconds over which loudness is measured."""
MARGIN = 0.3
"""Seconds kept on either side."""
CONTRAST = 10.0
"""dB between the quietest and the loudest frames from which on somebody speaks."""
QUIET = -40.0
"""dB below full scale that sound without contrast has to exceed to count as speech."""
DEEPEST = -90.0
"""dB of digital silence."""


def speech_part(samples: np.ndarray, rate: int) -> tuple[int, int]:
    """First sample, and the one behind the last, of what is spoken in samples (N,).

    (0, 0) where nothing is.
    A frame is loud where it lies in the upper three quarters, in dB, between the quietest tenth and
    the loudest twentieth of the frames, and at most 40 dB below the latter.
    """
    size = max(1, round(FRAME * rate))
    count = len(samples) // size
    if not count:
        return 0, len(samples)
    frames = samples[: count * size].reshape(count, size).astype(np.float64)
    power = ((frames - frames.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)
    level = 10 * np.log10(power + 10 ** (DEEPEST / 10))
    sounding = level[level > DEEPEST + 6]
    if not len(sounding):
        return 0, 0
    low, high = np.percentile(sounding, [10, 95])
    if high - low < CONTRAST:
        return (0, len(samples)) if high > QUIET else (0, 0)
    loud = np.flatnonzero(level > max(low + (high - low) / 4, high - 40))
    margin = round(MARGIN * rate)
    return max(0, int(loud[0]) * size - margin), min(
        len(samples), (int(loud[-1]) + 1) * size + margin
    )
