"""Where ink lies within its stroke, and a stroke beside the one before."""

import numpy as np

from seqlabel.inputs.ink import Ink


def places(ink: Ink, points: np.ndarray, strokes: np.ndarray) -> np.ndarray:
    """(M, 2 P + 6): places of M pieces of the ink, each with P points of a stroke.

    points: (M, P, 2). strokes: (M,) the stroke of each. A stroke's box has its left, right, upper
    and lower ends for sides. The P points, counted from the middle of the box (x, y each); width
    and height of the box; and for the stroke before, the middle of its box, counted from the same
    place, its width and its height (zeros for the first stroke). A bar inside a circle and one
    beside it, or a comma and a one, differ in two of these numbers, but otherwise only in the sum
    of all movements between.
    """
    low, high = ink.boxes
    middle, extent = (low + high) / 2, high - low
    before = np.zeros((len(low), 4))
    before[1:, :2], before[1:, 2:] = middle[:-1] - middle[1:], extent[:-1]
    within = points - middle[strokes, None]
    return np.column_stack([within.reshape(len(points), -1), extent[strokes], before[strokes]])
