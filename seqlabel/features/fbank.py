"""Log-mel filterbank features."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.deltas import add_deltas, check_deltas
from seqlabel.features.frames import Frames
from seqlabel.features.windows import Windowing, frames_of, log_mel, mel_filters
from seqlabel.inputs.audio import Audio


@dataclass(frozen=True)
class Fbank(Windowing):
    """Natural logs of mel filter energies, equal to Kaldi's `compute-fbank-feats` without dither.

    filters: number of mel filters. energy: put the log energy of the window first. deltas: order
    of the derivatives appended, each over `delta_window` frames to either side.
    The order of the features is that of Kaldi: energy, filters, then their derivatives.
    """

    filters: int = 40
    energy: bool = False
    deltas: int = 0
    delta_window: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_deltas(self.deltas, self.delta_window)
        if self.filters < 1:
            raise InputError(f"filters = {self.filters}: must be at least 1")
        mel_filters(self, self.filters)

    @property
    def dim(self) -> int:
        """F."""
        return (self.filters + self.energy) * (self.deltas + 1)

    def __call__(self, signal: Audio) -> Frames:
        """(N,) samples -> (T, F) frames; InputError for another rate or less than a window."""
        return frames_of(add_deltas(self.static(signal), self.deltas, self.delta_window), self)

    def static(self, signal: Audio) -> np.ndarray:
        """(T, filters + energy) float32 without derivatives, each frame from its window only."""
        logs, energy = log_mel(signal, self, self.filters)
        return np.column_stack([energy, logs]) if self.energy else logs


GRAVES_2013 = Fbank(filters=40, energy=True, deltas=2)
"""The 123 inputs of Graves, Mohamed & Hinton 2013: 40 filters and energy with two derivatives."""
