"""Raw ink: positions and times as captured."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqlabel.features.frames import Frames
from seqlabel.features.ink.normalisation import InkFrontEnd, frames_of, seconds
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True)
class InkRaw(InkFrontEnd):
    """(x, y, t, pen) of each point, the raw input of Graves et al., NIPS 2007.

    x and y are offsets from the first point, t is in seconds from the first point on, pen is 1 on
    the last point of each stroke, else 0. Unlike with the other features, all normalisation steps
    are off by default.
    """

    clean: bool = False
    skew: bool = False
    size: Literal["corpus", "height", "strokes", "none"] = "none"
    resampling: Literal["distance", "time", "none"] = "none"

    @property
    def dim(self) -> int:
        """F."""
        return 4

    def __call__(self, ink: Ink) -> Frames:
        """Ink -> (T, 4) frames, one for each point."""
        writing = self.normalise(ink)
        points = writing.ink.points
        x = np.zeros((len(points), 4))
        x[:, :2] = points[:, :2] - points[0, :2]
        x[:, 2] = seconds(writing.ink)
        x[writing.ink.offsets[1:] - 1, 3] = 1
        return frames_of(x, writing)
