"""Frames: the output of all feature extractors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True, eq=False)
class Frames:
    """T feature vectors and their places in the signal.

    x: (T, F) float32. times: (T,) float64, seconds; frame t represents the signal from
    times[t]. period: seconds from one frame to the next (nominal if frames are not equidistant).
    strokes: (T,) int32 number of the stroke of a frame; None for other signals.
    ink: the captured ink, with t on the clock of `times`; None for other signals, and if it was not
        added.
    height: rows of the image if that is not F; the other features are 0.

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
    """Rows of each image of a batch, None if all of them have F rows."""
    if all(f.height is None for f in frames):
        return None
    return [f.x.shape[1] if f.height is None else f.height for f in frames]
