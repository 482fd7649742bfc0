"""Mel-frequency cepstral coefficients."""

import functools
from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.deltas import add_deltas, check_deltas
from seqlabel.features.frames import Frames
from seqlabel.features.windows import Windowing, frames_of, log_mel, mel_filters
from seqlabel.inputs.audio import Audio


@dataclass(frozen=True)
class Mfcc(Windowing):
    """Cepstra of the log-mel filterbank, equal to Kaldi's `compute-mfcc-feats` without dither.

    ceps: coefficients c0 ... c(ceps - 1). filters: number of mel filters. energy: replace
    c0 by the log energy of the window. lifter: quefrency weighting, 0 for none. deltas:
    order of the derivatives appended, each over `delta_window` frames to either side.
    """

    ceps: int = 13
    filters: int = 23
    energy: bool = False
    lifter: float = 22.0
    deltas: int = 0
    delta_window: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.ceps <= self.filters:
            raise InputError(f"ceps = {self.ceps} must lie between 1 and filters = {self.filters}")
        check_deltas(self.deltas, self.delta_window)
        if self.lifter < 0:
            raise InputError(f"lifter = {self.lifter}: must not be negative")
        mel_filters(self, self.filters)

    @property
    def dim(self) -> int:
        """F."""
        return self.ceps * (self.deltas + 1)

    def __call__(self, signal: Audio) -> Frames:
        """(N,) samples -> (T, F) frames; InputError for another rate or less than a window."""
        return frames_of(add_deltas(self.static(signal), self.deltas, self.delta_window), self)

    def static(self, signal: Audio) -> np.ndarray:
        """(T, ceps) float32 without derivatives, each frame from its window only."""
        from seqlabel.features.spectrum_kernel import sum_cosines  # numba, when it is needed

        logs, energy = log_mel(signal, self, self.filters)
        ceps = np.zeros((len(logs), self.ceps))
        sum_cosines(logs, cosines(self.filters, self.ceps, self.lifter), ceps)
        if self.energy:
            ceps[:, 0] = energy
        return ceps.astype(np.float32)


@functools.cache
def cosines(filters: int, ceps: int, lifter: float) -> np.ndarray:
    """(filters, ceps) orthonormal DCT-II, columns scaled by 1 + L/2 sin(pi k / L)."""
    k = np.arange(ceps)
    matrix = np.cos(np.pi / filters * (np.arange(filters)[:, None] + 0.5) * k)
    matrix *= np.where(k == 0, np.sqrt(1 / filters), np.sqrt(2 / filters))
    if lifter:
        matrix *= 1 + 0.5 * lifter * np.sin(np.pi * k / lifter)
    return matrix


GRAVES_2006 = Mfcc(window=10.0, step=5.0, energy=True, deltas=1)
"""The 26 inputs of Graves et al. 2006: 12 coefficients and log energy with their derivative."""
