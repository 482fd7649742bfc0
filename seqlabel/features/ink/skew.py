"""Skew: the angle of the line of writing, estimated from its turning points."""

import math

import numpy as np

from seqlabel.inputs.ink import Ink

LEAST_ANGLE = math.radians(0.05)
"""Minimum angle for a correction."""

MOST_TURNS = 5
"""Maximum number of corrections; one is usually enough."""

LARGEST_ERROR = math.radians(1.0)
"""Maximum standard error of the skew for a correction, because writing is usually nearly level."""

LARGEST_ANGLE = math.radians(40)
"""Maximum skew for a correction."""


def rotate(ink: Ink, angle: float) -> Ink:
    """Ink turned by `angle` radians about its origin, counter-clockwise as one looks at it."""
    cos, sin = math.cos(angle), math.sin(angle)
    return ink.transformed([[cos, sin], [-sin, cos]])  # y grows downwards


def skew_angle(ink: Ink) -> float:
    """Radians by which the line of writing rises to the right.

    The slope of two parallel lines, one through the bottoms and one through the tops of the
    strokes (Liwicki & Bunke: regression through the minima; the tops make short lines certain),
    found again after turning the ink until it no longer changes. It is 0 if it
    cannot be estimated: fewer than six turning points, or a standard error above `LARGEST_ERROR`.
    """
    x, y = ink.x - ink.x.mean(), ink.y - ink.y.mean()
    angle, best, remaining, uncertain = 0.0, 0.0, math.inf, True
    for _ in range(12):
        cos, sin = math.cos(angle), math.sin(angle)
        step, error = _remaining_angle(x * cos - y * sin, x * sin + y * cos, ink.offsets)
        if abs(step) < remaining:
            best, remaining, uncertain = angle, abs(step), error > LARGEST_ERROR
        if remaining < LEAST_ANGLE / 10:
            break
        angle += step
    return 0.0 if uncertain or abs(best) > LARGEST_ANGLE else best


def _remaining_angle(x: np.ndarray, y: np.ndarray, offsets: np.ndarray) -> tuple[float, float]:
    from seqlabel.features.ink.kernels import common_slope, turning_points  # numba, when needed

    trend = (x @ y) / max(x @ x, 1e-300)  # x and y have mean 0
    kind = turning_points(y, offsets, 0.5 * (y - trend * x).std())
    turning = np.flatnonzero(kind)
    if len(turning) < 6:
        return 0.0, math.inf
    slope, error = common_slope(x[turning], y[turning], kind[turning])
    return -math.atan(slope), error


def correct_skew(ink: Ink) -> Ink:
    """Ink turned until its line of writing is level; turning twice changes nothing."""
    for _ in range(MOST_TURNS):
        angle = skew_angle(ink)
        if abs(angle) < LEAST_ANGLE:
            break
        ink = rotate(ink, -angle)
    return ink
