"""Resampling within strokes; nothing is interpolated while the pen is up."""

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.ink import Ink

MOST_POINTS = 4_000_000
"""Maximum points after resampling; more mean a wrong spacing for the size of the ink."""

UNTIMED_RATE = 100.0
"""Points per second assumed of ink without times."""


def resample_distance(ink: Ink, spacing: float) -> Ink:
    """Points of equal Euclidean distance `spacing` along each stroke.

    Every stroke keeps its first and its last point, which may lie nearer to the point before it;
    times and pressures are interpolated. Resampling twice changes nothing.
    Raises InputError for a spacing that is not positive or would make millions of points.
    """
    points, offsets = resample_points(ink.points, ink.offsets, spacing)
    return ink.with_points(points, offsets)


def resample_points(
    points: np.ndarray, offsets: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """`resample_distance` for points (N, C) with any further columns; returns points, offsets."""
    from seqlabel.features.ink.kernels import SAME, walk_strokes  # numba, when it is needed

    if not spacing > 0:
        raise InputError(f"spacing {spacing} between points; must be positive")
    steps = np.hypot(*np.diff(points[:, :2], axis=0).T)
    steps[offsets[1:-1] - 1] = 0.0  # between strokes
    room = steps.sum() / (spacing * (1 - SAME)) + 2 * len(offsets)
    if not room < MOST_POINTS:
        raise InputError(
            f"a spacing of {spacing:g} cuts this ink into more than {MOST_POINTS} points; "
            "normalise its size first, or remove its outliers"
        )
    samples = np.empty((int(room), points.shape[1]))
    cuts = np.zeros(len(offsets), dtype=np.int64)
    count = walk_strokes(np.ascontiguousarray(points), offsets, spacing, samples, cuts)
    return samples[:count], cuts


def resample_time(ink: Ink, interval: float) -> Ink:
    """Points every `interval` seconds from the start of each stroke, and each stroke's last point.

    Ink without times counts as written at `UNTIMED_RATE` points per second. Resampling twice
    changes nothing. Raises InputError for an interval that is not positive or far too short.
    """
    from seqlabel.features.ink.kernels import SAME

    if not interval > 0:
        raise InputError(f"interval {interval} between points; must be positive")
    step = interval if ink.timed else interval * UNTIMED_RATE
    if (ink.t[-1] - ink.t[0]) / step > MOST_POINTS:
        raise InputError(f"an interval of {interval:g} s makes more than {MOST_POINTS} points")
    strokes = []
    for stroke in ink.strokes:
        t = stroke[:, 2]
        whole = int((t[-1] - t[0]) / step + SAME)
        times = t[0] + step * np.arange(whole + 1)
        if t[-1] - times[-1] > SAME * step:
            times = np.append(times, t[-1])
        columns = [np.interp(times, t, column) for column in stroke.T]
        columns[2] = times
        strokes.append(np.column_stack(columns))
    return Ink(strokes, ink.unit, ink.timed)
