"""The features of Liwicki & Bunke at one point of the ink, at native speed.

Each function gives the feature, or the features, of point i of a stroke from point `first` to point
`last`, or of its vicinity, points `start` to `end`; x and y (N,) are the places of all points. The
numbers before the definitions are those of `seqlabel.features.ink.liwicki_bunke`, where the sources
are.
"""

import numpy as np
from numba import njit

from seqlabel.features.ink.image import CELL

INLINED = njit(inline="always")  # into the loops at the end: a third less time to compile

REACH = 2
"""Points before and after a point that make its vicinity, within its stroke."""

HAT_MARGIN = 0.2
"""A point is below a hat when it is this near to the horizontal range of the removed stroke."""

LINE_MARGIN = 0.2
"""Ascenders and descenders count from this distance to the corpus and the base line on."""

NEARBY = 0.5
"""Ascenders and descenders count up to this horizontal distance from the point."""

REGION = 3
"""Side of a region of the context map, in cells of the image."""

FAR = 1_000_000
"""More rows than an image has."""

ABOVE, BELOW = round((-1 - LINE_MARGIN) / CELL) - 1, round(LINE_MARGIN / CELL)
"""Last row that counts above the corpus line, first row below the base line, from the base line."""

ASIDE = round(NEARBY / CELL)
"""`NEARBY` in cells."""


@INLINED
def unit(dx, dy):
    """cos and sin of the angle of (dx, dy) with the x axis; (0, 0) without a direction."""
    length = np.hypot(dx, dy)
    if length == 0:
        return 0.0, 0.0
    return dx / length, dy / length


@INLINED
def hat(place, hats):
    """2: 1 if a delayed stroke was removed at the same horizontal position, else 0.

    place: x of the point. hats: (removed strokes, 2) left and right ends.
    """
    for n in range(len(hats)):
        if hats[n, 0] - HAT_MARGIN <= place <= hats[n, 1] + HAT_MARGIN:
            return 1.0
    return 0.0


@INLINED
def speed(x, y, t, first, last, i):
    """3: |p(i+1) - p(i-1)| / (t(i+1) - t(i-1)), corpus heights per second, before resampling.

    One-sided at the ends of a stroke; 0 where no time passes.
    """
    before, after = max(i - 1, first), min(i + 1, last)
    passed = t[after] - t[before]
    if passed <= 0:
        return 0.0
    return np.hypot(x[after] - x[before], y[after] - y[before]) / passed


@njit(cache=True)
def high_pass(x, reach):
    """4: x(i) minus the mean of x over the points i - reach ... i + reach that there are; (N,)."""
    sums = np.zeros(len(x) + 1)
    for i in range(len(x)):
        sums[i + 1] = sums[i] + x[i]
    passed = np.empty(len(x))
    for i in range(len(x)):
        start, stop = max(i - reach, 0), min(i + reach + 1, len(x))
        passed[i] = x[i] - (sums[stop] - sums[start]) / (stop - start)
    return passed


@INLINED
def writing_direction(x, y, first, last, i):
    """6, 7: cos and sin of the angle between the segment starting at the point and the x axis.

    On the last point of a stroke, the segment ending there.
    """
    start = min(i, max(last - 1, first))
    end = min(start + 1, last)
    return unit(x[end] - x[start], y[end] - y[start])


@INLINED
def curvature(x, y, first, last, i):
    """8, 9: cos and sin of the angle between the lines to the previous and to the next point.

    With u = p(i-1) - p(i) and v = p(i+1) - p(i): (u . v, u x v) / (|u| |v|), which is (-1, 0) on
    a straight line, and taken so at the ends of a stroke.
    """
    if not first < i < last:
        return -1.0, 0.0
    ux, uy = unit(x[i - 1] - x[i], y[i - 1] - y[i])
    vx, vy = unit(x[i + 1] - x[i], y[i + 1] - y[i])
    return ux * vx + uy * vy, ux * vy - uy * vx


@INLINED
def vicinity_box(x, y, start, end):
    """Width and height of the bounding box of the vicinity, points `start` to `end`."""
    left = right = x[start]
    top = bottom = y[start]
    for n in range(start + 1, end + 1):
        left, right = min(left, x[n]), max(right, x[n])
        top, bottom = min(top, y[n]), max(bottom, y[n])
    return right - left, bottom - top


@INLINED
def vicinity_aspect(width, height):
    """10: (dy - dx) / (dy + dx) of the bounding box of the vicinity; 0 for a single place."""
    return (height - width) / (height + width) if height + width > 0 else 0.0


@INLINED
def vicinity_slope(x, y, start, end):
    """11, 12: cos and sin of the angle of the line from the first to the last vicinity point."""
    return unit(x[end] - x[start], y[end] - y[start])


@INLINED
def vicinity_curliness(x, y, start, end, side):
    """13: length of the trajectory in the vicinity / the longer side of its bounding box.

    1 on a line along an axis, and taken so for a single place.
    """
    if side <= 0:
        return 1.0
    length = 0.0
    for n in range(start, end):
        length += np.hypot(x[n + 1] - x[n], y[n + 1] - y[n])
    return length / side


@INLINED
def vicinity_linearity(x, y, start, end, cos, sin):
    """14: mean squared distance of the vicinity points to the line from the first to the last.

    cos, sin: of its `vicinity_slope`. Where first and last coincide, the distance is that to this
    place.
    """
    total = 0.0
    for n in range(start, end + 1):
        dx, dy = x[n] - x[start], y[n] - y[start]
        if cos == 0 and sin == 0:
            total += dx * dx + dy * dy
        else:
            total += (dx * sin - dy * cos) ** 2
    return total / (end - start + 1)


@INLINED
def count_in(sums, top, bottom, left, right):
    """Points in the cells of rows top ... bottom and columns left ... right of an image.

    sums: `Image.sums`; rows and columns count from its first ones, and may lie outside.
    """
    height, width = sums.shape
    a, b = min(max(top, 0), height - 1), min(max(bottom + 1, 0), height - 1)
    c, d = min(max(left, 0), width - 1), min(max(right + 1, 0), width - 1)
    return sums[b, d] - sums[a, d] - sums[b, c] + sums[a, c]


@INLINED
def ascenders(sums, base, column):
    """15: points of the image at least `LINE_MARGIN` above the corpus line, at most `NEARBY` away.

    base: the row whose upper edge is the base line.
    """
    return count_in(sums, -FAR, base + ABOVE, column - ASIDE, column + ASIDE)


@INLINED
def descenders(sums, base, column):
    """16: points of the image at least `LINE_MARGIN` below the base line, at most `NEARBY` away."""
    return count_in(sums, base + BELOW, FAR, column - ASIDE, column + ASIDE)


@INLINED
def context_map(sums, row, column, out):
    """17-25: points in each region of a 3 x 3 grid around the point, row by row from the top.

    A region is `REGION` cells of the image wide and high; the point is in the middle one.
    """
    for n in range(9):
        top = row + REGION * (n // 3 - 1) - REGION // 2
        left = column + REGION * (n % 3 - 1) - REGION // 2
        out[n] = count_in(sums, top, top + REGION - 1, left, left + REGION - 1)


@njit(cache=True)
def speeds(points, t, offsets):
    """(N,) `speed` of all points (N, 2 or more) at the times t (N,)."""
    x, y = points[:, 0], points[:, 1]
    found = np.empty(len(points))
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            found[i] = speed(x, y, t, offsets[s], offsets[s + 1] - 1, i)
    return found


@njit(cache=True)
def of_trajectory(points, offsets, hats, out):
    """Write the features of the trajectory (1, 2, 5-14) to their columns of `out` (N, 25)."""
    x, y = points[:, 0], points[:, 1]
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1] - 1
        for i in range(first, last + 1):
            out[i, 0] = 1.0 if i == last else 0.0  # the pen leaves the board after the point
            out[i, 1] = hat(x[i], hats)
            out[i, 4] = y[i]
            out[i, 5], out[i, 6] = writing_direction(x, y, first, last, i)
            out[i, 7], out[i, 8] = curvature(x, y, first, last, i)
            start, end = max(i - REACH, first), min(i + REACH, last)
            width, height = vicinity_box(x, y, start, end)
            cos, sin = vicinity_slope(x, y, start, end)
            out[i, 9] = vicinity_aspect(width, height)
            out[i, 10], out[i, 11] = cos, sin
            out[i, 12] = vicinity_curliness(x, y, start, end, max(width, height))
            out[i, 13] = vicinity_linearity(x, y, start, end, cos, sin)


@njit(cache=True)
def of_image(sums, rows, columns, base, out):
    """Write the features of the image (15-25) to their columns of `out` (N, 25).

    rows, columns: cells of the points, N and any further ones. base: the row whose upper edge is
    the base line.
    """
    for i in range(len(out)):
        out[i, 14] = ascenders(sums, base, columns[i])
        out[i, 15] = descenders(sums, base, columns[i])
        context_map(sums, rows[i], columns[i], out[i, 16:])
