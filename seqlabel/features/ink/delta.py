"""Differences from point to point."""

from dataclasses import dataclass

import numpy as np

from seqlabel.features.frames import Frames
from seqlabel.features.ink.normalisation import InkFrontEnd, frames_of, seconds
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True)
class InkDelta(InkFrontEnd):
    """(dx, dy, dt, pen): the step that leads to each point.

    pen is 1 where the step was made in the air, that is on the first point of each stroke, else 0.
    dt is in seconds, at most `longest_pause`; the first point of the ink has zeros for its step.
    position: append the height y over the base line (growing downwards), a fifth feature, which
    follows from the differences only by summation.
    """

    position: bool = False
    longest_pause: float = 1.0

    @property
    def dim(self) -> int:
        """F."""
        return 4 + self.position

    def __call__(self, ink: Ink) -> Frames:
        """Ink -> (T, F) frames, one for each point after normalisation."""
        writing = self.normalise(ink)
        points = writing.ink.points
        x = np.zeros((len(points), self.dim))
        x[1:, :2] = np.diff(points[:, :2], axis=0)
        x[1:, 2] = np.minimum(np.diff(seconds(writing.ink)), self.longest_pause)
        x[writing.ink.offsets[:-1], 3] = 1
        if self.position:
            x[:, 4] = points[:, 1]
        return frames_of(x, writing)
