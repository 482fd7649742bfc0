"""Frames: what every feature extractor returns, for speech and for ink."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True, eq=False)
class Frames:
    """T feature vectors and the places in the signal that they stand for.

    x: (T, F) float32. times: (T,) float64, seconds; frame t stands for the signal from times[t]
    on. period: seconds from one frame to the next (nominal where frames are not equidistant).
    strokes: (T,) int32 number of the stroke a frame belongs to; None for speech.
    ink: what was written, as captured, with t on the clock of `times`; None for speech, and where
        nobody put it there.
    """

    x: np.ndarray
    times: np.ndarray
    period: float
    strokes: np.ndarray | None = None
    ink: Ink | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or len(self.x) != len(self.times):
            raise InputError(f"frames of shape {self.x.shape} with {len(self.times)} times")

    def __len__(self) -> int:
        """T."""
        return len(self.x)
