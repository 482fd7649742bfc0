"""Bezier-curve features: ink as a sequence of cubic pieces.

V. Carbune et al., "Fast multi-language LSTM-based online handwriting recognition", IJDAR 23
(2020), section "Bezier curves".
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.ink.normalisation import InkFrontEnd, seconds
from seqlabel.features.ink.places import places
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True)
class Pieces:
    """Cubic pieces of ink, the moves in the air between its strokes among them.

    controls: (M, 4, 2) control points P0 ... P3. times: (M, 3) g1, g2, g3 of the time since the
    start of the piece, t(s) = g1 s + g2 s^2 + g3 s^3 in seconds. starts: (M,) seconds at which
    the pieces start. pen: (M,) bool, False for moves in the air. strokes: (M,) int32 the stroke
    of a piece, for a move the stroke before it.
    """

    controls: np.ndarray
    times: np.ndarray
    starts: np.ndarray
    pen: np.ndarray
    strokes: np.ndarray


def fit_pieces(ink: Ink, tolerance: float) -> Pieces:
    """Least-squares pieces of each stroke, and straight moves from stroke to stroke.

    Every point of the ink lies within `tolerance` of its curve; where one does not, the piece is
    split there. Pieces begin and end at points of the ink. A stroke of one place is a piece of
    four equal control points.
    """
    from seqlabel.features.ink.bezier_kernel import fit_strokes  # numba, when it is needed

    points = np.column_stack([ink.points[:, :2], seconds(ink)])
    stroke, first = np.empty(len(ink), dtype=np.int64), np.empty(len(ink), dtype=np.int64)
    controls, times = np.empty((len(ink), 4, 2)), np.empty((len(ink), 3))
    count = fit_strokes(points, ink.offsets, tolerance, stroke, first, controls, times)
    stroke, first = stroke[:count], first[:count]
    last = ink.offsets[1:-1] - 1  # of each stroke but the last; the move starts there
    third = np.linspace(0, 1, 4)[:, None]
    moves = points[last, None, :2] * (1 - third) + points[last + 1, None, :2] * third
    pauses = np.zeros((len(last), 3))
    pauses[:, 0] = points[last + 1, 2] - points[last, 2]
    order = np.argsort(np.concatenate([2 * stroke, 2 * np.arange(len(last)) + 1]), kind="stable")
    return Pieces(
        np.concatenate([controls[:count], moves])[order],
        np.concatenate([times[:count], pauses])[order],
        np.concatenate([points[first, 2], points[last, 2]])[order],
        np.concatenate([np.ones(len(stroke), bool), np.zeros(len(last), bool)])[order],
        np.concatenate([stroke, np.arange(len(last))])[order].astype(np.int32),
    )


@dataclass(frozen=True)
class InkBezier(InkFrontEnd):
    """Ten numbers per piece: dx, dy, d1, d2, a1, a2, g1, g2, g3, p, in the order of Carbune et al.

    dx, dy: the chord, from P0 to P3. d1 = |P1 - P0| / |P3 - P0|, d2 = |P2 - P3| / |P3 - P0|.
    a1: the angle from the chord to P1 - P0, a2: from the reversed chord to P2 - P3, in radians,
    -pi to pi. g1, g2, g3: the coefficients of time, in seconds. p: 1 for a piece of a stroke, 0 for
    a move in the air (d = 1/3, angles 0). A stroke of one place has zeros for dx, dy, d and a.
    tolerance: greatest distance of a point from its curve, in the unit that `size` makes 1.
    places: append ten more (`places`, of P0 and P3), which follow from the ten only by summation.
    A move in the air belongs to the stroke before it.
    """

    resampling: Literal["distance", "time", "none"] = "none"
    tolerance: float = 0.05
    places: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tolerance > 0:
            raise InputError(f"tolerance {self.tolerance}: a positive length is expected")

    @property
    def dim(self) -> int:
        """F."""
        return 20 if self.places else 10

    def __call__(self, ink: Ink) -> Frames:
        """Ink -> (T, F) frames, one for each piece and each move between strokes."""
        writing = self.normalise(ink)
        pieces = fit_pieces(writing.ink, self.tolerance)
        p0, p1, p2, p3 = pieces.controls.transpose(1, 0, 2)
        chord = p3 - p0
        length = np.hypot(*chord.T)
        length[length == 0] = 1.0
        x = np.column_stack(
            [
                chord,
                np.hypot(*(p1 - p0).T) / length,
                np.hypot(*(p2 - p3).T) / length,
                _angle(chord, p1 - p0),
                _angle(-chord, p2 - p3),
                pieces.times,
                pieces.pen,
            ]
        )
        if self.places:
            x = np.column_stack(
                [x, places(writing.ink, pieces.controls[:, [0, 3]], pieces.strokes)]
            )
        period = float(pieces.starts[-1] - pieces.starts[0]) / max(len(x) - 1, 1)
        strokes = writing.numbers[pieces.strokes]
        return Frames(x.astype(np.float32), pieces.starts, period, strokes)


def _angle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(M,) signed angle from u to v, (M, 2) each; 0 where one of them is 0."""
    return np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1))
