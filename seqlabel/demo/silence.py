"""The part of a recording with speech.

Recordings begin and end with silence. Much silence around an utterance, above all digital silence,
shifts the mean with which features are normalised.
"""

import numpy as np

FRAME = 0.02
"""Seconds per frame of loudness."""
MARGIN = 0.3
"""Seconds kept on either side."""
CONTRAST = 10.0
"""Minimum dB between the quietest and the loudest frames for speech."""
QUIET = -40.0
"""dB below full scale that sound without contrast must exceed to be speech."""
DEEPEST = -90.0
"""dB of digital silence."""


def speech_part(samples: np.ndarray, rate: int) -> tuple[int, int]:
    """First and last (exclusive) sample of speech in samples (N,).

    (0, 0) if there is none.
    A frame is loud if it lies in the upper three quarters, in dB, between the quietest tenth and
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
