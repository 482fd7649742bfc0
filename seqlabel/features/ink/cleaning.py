"""Removal of repeated points and outliers of the sensor."""

import numpy as np

from seqlabel.inputs.ink import Ink

JUMP = 6.0
"""A point is an outlier when both steps beside it exceed this many times the detour-free step."""


def remove_duplicates(ink: Ink) -> Ink:
    """Of successive points at the same place within a stroke keep the first.

    A stroke of one place (a dot) keeps one point.
    """
    moved = np.any(np.diff(ink.points[:, :2], axis=0) != 0, axis=1)
    return _keep(ink, np.concatenate([[True], moved]))


def remove_outliers(ink: Ink) -> Ink:
    """Drop single points to which the pen jumps and from which it comes straight back.

    Point i of a stroke goes when min(|p_i - p_(i-1)|, |p_(i+1) - p_i|) > JUMP * (|p_(i+1) -
    p_(i-1)| + q) with q the lower quartile of the steps (an outlier makes two long ones); repeated
    until none is left. The ends of a stroke stay.
    """
    while True:
        steps = np.diff(ink.points[:, :2], axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        within = np.diff(ink.stroke_numbers) == 0
        if len(lengths) < 2 or not within.any():
            return ink
        detours = np.minimum(lengths[:-1], lengths[1:])
        across = np.hypot(*(steps[:-1] + steps[1:]).T)
        outlier = within[:-1] & within[1:] & (detours > JUMP * across)
        if outlier.any():  # the quartile is slow, and rarely needed
            typical = float(np.quantile(lengths[within], 0.25))
            outlier &= detours > JUMP * (across + typical)
        if not outlier.any():
            return ink
        ink = _keep(ink, ~np.concatenate([[False], outlier, [False]]))


def _keep(ink: Ink, kept: np.ndarray) -> Ink:
    kept[ink.offsets[:-1]] = True
    if kept.all():
        return ink
    offsets = np.concatenate([[0], np.cumsum(kept)])[ink.offsets]
    return ink.with_points(ink.points[kept], offsets)
