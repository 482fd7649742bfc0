"""Slant of the down-strokes, estimated from the directions of all segments."""

import math

import numpy as np

from seqlabel.features.ink.skew import LEAST_ANGLE, MOST_TURNS
from seqlabel.inputs.ink import Ink

BANDWIDTH = 0.12
"""Width of the smoothing over dx/dy; 0.12 is 7 degrees at the vertical."""

NEARLY = 0.8
"""Modes that reach this fraction of the highest density compete with it."""

STEEPEST = math.tan(math.radians(55))
"""Flatter segments are not used for the slant."""


def shear(ink: Ink, angle: float) -> Ink:
    """Ink sheared so that what was vertical leans to the right by `angle` radians."""
    return ink.transformed([[1.0, -math.tan(angle)], [0.0, 1.0]])  # y grows downwards


def slant_angle(ink: Ink) -> float:
    """Radians by which the writing leans to the right.

    The mode of the histogram of u = -dx/dy over all segments, weighted by |dy| and smoothed. A
    shear adds the same number to every u and keeps |dy|, so that a sheared ink gives exactly the
    sheared answer. Of modes nearly as high as the highest, the most upright one is used. It is 0
    for ink without steep segments.
    """
    steps = np.diff(ink.points[:, :2], axis=0)[np.diff(ink.stroke_numbers) == 0]
    steps = steps[np.abs(steps[:, 0]) < STEEPEST * np.abs(steps[:, 1])]
    if not len(steps):
        return 0.0
    u, weight = -steps[:, 0] / steps[:, 1], np.abs(steps[:, 1])
    edges = np.linspace(-STEEPEST, STEEPEST, 161)
    histogram, _ = np.histogram(u, edges, weights=weight)
    centres = (edges[1:] + edges[:-1]) / 2
    reach = np.arange(-60, 61) * (edges[1] - edges[0])
    density = np.convolve(histogram, np.exp(-0.5 * (reach / BANDWIDTH) ** 2), mode="full")[60:-60]
    peak = (density[1:-1] >= density[:-2]) & (density[1:-1] >= density[2:])
    modes = centres[1:-1][peak & (density[1:-1] >= NEARLY * density.max())]
    mode = modes[np.argmin(np.abs(modes))] if len(modes) else centres[np.argmax(density)]
    for _ in range(200):  # mean shift: from the best bin to the exact mode
        near = weight * np.exp(-0.5 * ((u - mode) / BANDWIDTH) ** 2)
        before, mode = mode, float((near * u).sum() / near.sum())
        if abs(mode - before) < 1e-7:
            break
    return math.atan(mode)


def correct_slant(ink: Ink) -> Ink:
    """Ink sheared until it is upright; shearing twice changes nothing."""
    for _ in range(MOST_TURNS):
        angle = slant_angle(ink)
        if abs(angle) < LEAST_ANGLE:
            break
        ink = shear(ink, -angle)
    return ink
