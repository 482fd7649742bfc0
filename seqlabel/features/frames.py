"""Frames: what every feature extractor returns, for speech and for ink."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True, eq=False)
class Frames:
    """T feature vectors and the places in the signal that they stand for.

    x: (T, F) float32. times: (T,) float64, seconds; frame t stands for the signal from times[t]
    on. period: seconds from one frame to the next (nominal where frames are not equidistant).
    strokes: (T,) int32 number of the stroke a frame belongs to; None where there are none.
    ink: what was written, as captured, with t on the clock of `times`; None for other signals, and
        where nobody put it there.
    height: rows of an image whose columns the frames are, where that is not F; what follows is 0.

    Of an image, times and period count columns of pixels instead of seconds.
    """

    x: np.ndarray
    times: np.ndarray
    period: float
    strokes: np.ndarray | None = None
    ink: Ink | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or len(self.x) != len(self.times):
            raise InputError(f"frames of shape {self.x.shape} with {len(self.times)} times")

    def __len__(self) -> int:
        """T."""
        return len(self.x)


def heights_of(frames: Sequence[Frames]) -> list[int] | None:
    """Rows of each image of a batch, None where all features of all of them are rows."""
    if all(f.height is None for f in frames):
        return None
    return [f.x.shape[1] if f.height is None else f.height for f in frames]
