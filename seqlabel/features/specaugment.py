"""SpecAugment without time warping (Park et al. 2019): blocks of time and features are masked."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError


@dataclass(frozen=True)
class SpecAugment:
    """Masks of normalised frames (T, F), so that 0, what a mask leaves, is the mean.

    time_masks stretches of 0..time_width frames, at most a fifth of T each, and frequency_masks
    bands of 0..frequency_width features. Derivatives stand beside the features they are of:
    `streams` equal parts of F (features, deltas, double deltas) are masked alike.
    """

    time_masks: int = 2
    time_width: int = 30
    frequency_masks: int = 2
    frequency_width: int = 8
    streams: int = 1

    def __post_init__(self) -> None:
        sizes = (self.time_masks, self.time_width, self.frequency_masks, self.frequency_width)
        if min(sizes) < 0 or self.streams < 1:
            raise InputError("SpecAugment: counts and widths are at least 0, streams at least 1")

    def __call__(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A masked copy of x (T, F)."""
        x = x.copy()
        T, F = x.shape
        for _ in range(self.time_masks):
            start, end = _stretch(T, min(self.time_width, T // 5), rng)
            x[start:end] = 0
        bands = (
            x.reshape(T, self.streams, F // self.streams) if F % self.streams == 0 else x[:, None]
        )
        for _ in range(self.frequency_masks):
            start, end = _stretch(bands.shape[2], self.frequency_width, rng)
            bands[:, :, start:end] = 0
        return x


def _stretch(size: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    """Start and end of a stretch of 0..width within 0..size, uniform."""
    length = int(rng.integers(min(width, size) + 1))
    start = int(rng.integers(size - length + 1))
    return start, start + length
