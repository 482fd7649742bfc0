"""Smoothing of ink from coarse grids of pixels, whose lines are staircases."""

import numpy as np

from seqlabel.features.ink.resampling import resample_distance
from seqlabel.inputs.ink import Ink

POINTS = 2.0
"""Points per standard deviation of the filter."""


def smooth(ink: Ink, deviation: float) -> Ink:
    """Each stroke under a Gaussian filter along its length, of that standard deviation.

    The ink is resampled to POINTS points per deviation. Beyond its ends a stroke goes on as its
    mirror image through the end, which therefore stays where it is, as straight strokes do; one
    shorter than three deviations, a dot, becomes shorter still. Times and pressures stay with their
    points. Raises InputError as `resample_distance` does.
    """
    from seqlabel.features.ink.kernels import smooth_strokes  # numba, when it is needed

    ink = resample_distance(ink, deviation / POINTS)
    reach = int(np.ceil(3 * POINTS))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / POINTS) ** 2)
    return ink.with_points(smooth_strokes(ink.points, ink.offsets, weights / weights.sum()))
