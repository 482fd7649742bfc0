"""Loops over the points of ink at native speed.

Points are float64 (N, C) with x and y first; stroke s is rows `offsets[s]` to `offsets[s + 1]`.
"""

import numpy as np
from numba import njit

SAME = 1e-9
"""Lengths that differ by this fraction of the spacing count as equal, so that rounding adds no
point."""


@njit(cache=True)
def walk_strokes(points, offsets, spacing):
    """Points at equal Euclidean distance along each stroke, and their offsets.

    From each sample the next one is where the stroke first leaves the circle of radius `spacing`
    around it; the last point of a stroke is kept. All columns are interpolated linearly.
    """
    length = 0.0
    for s in range(len(offsets) - 1):
        for i in range(offsets[s] + 1, offsets[s + 1]):
            length += np.hypot(points[i, 0] - points[i - 1, 0], points[i, 1] - points[i - 1, 1])
    room = int(length / (spacing * (1 - SAME))) + 2 * len(offsets)
    samples = np.empty((room, points.shape[1]))
    cuts = np.zeros_like(offsets)
    n = 0
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1] - 1
        samples[n] = points[first]
        n += 1
        start = points[first].copy()  # where the unwalked part of the current segment begins
        i = first + 1
        while i <= last:
            cx, cy = samples[n - 1, 0], samples[n - 1, 1]
            distance = np.hypot(points[i, 0] - cx, points[i, 1] - cy)
            if distance < spacing * (1 - SAME):
                start = points[i].copy()
                i += 1
                continue
            if distance <= spacing * (1 + SAME):
                samples[n] = points[i]
                start = points[i].copy()
                i += 1
            else:
                # |start + part * (points[i] - start) - c| = spacing, the root with part >= 0
                dx, dy = points[i, 0] - start[0], points[i, 1] - start[1]
                ex, ey = start[0] - cx, start[1] - cy
                a, b = dx * dx + dy * dy, ex * dx + ey * dy
                c = ex * ex + ey * ey - spacing * spacing
                part = (np.sqrt(max(b * b - a * c, 0.0)) - b) / a
                samples[n] = start + part * (points[i] - start)
                start = samples[n].copy()
            n += 1
        rest = np.hypot(points[last, 0] - samples[n - 1, 0], points[last, 1] - samples[n - 1, 1])
        if rest > spacing * SAME:
            samples[n] = points[last]
            n += 1
        cuts[s + 1] = n
    return samples[:n].copy(), cuts


@njit(cache=True)
def turning_points(y, offsets, threshold):
    """(N,) int8: 1 at bottoms (y largest), -1 at tops, 0 elsewhere.

    A turning point counts when y moves by more than `threshold` before and after it; the ends of a
    stroke need it on one side only. A stroke that is flatter than that has none.
    """
    kind = np.zeros(len(y), dtype=np.int8)
    for s in range(len(offsets) - 1):
        low = high = offsets[s]  # the top and the bottom since the last turning point
        direction = 0
        for i in range(offsets[s] + 1, offsets[s + 1]):
            if y[i] > y[high]:
                high = i
            if y[i] < y[low]:
                low = i
            if direction >= 0 and y[high] - y[i] > threshold:
                kind[high] = 1
                low, direction = i, -1
            elif direction <= 0 and y[i] - y[low] > threshold:
                kind[low] = -1
                high, direction = i, 1
        if direction > 0:
            kind[high] = 1
        elif direction < 0:
            kind[low] = -1
    return kind


@njit(cache=True)
def common_slope(x, y, kind):
    """Slope m of two parallel lines y = m x + b_kind through tops and bottoms, and its error.

    Least squares, repeated with the weights 1 / (1 + (r / c)^2) of the residuals r until they
    settle, c = 1.5 times the median |r|: descenders, ascenders and loose ends lose their say. The
    error is the standard error of m under the last weights.
    """
    n = len(x)
    weight = np.ones(n)
    slope = error = 0.0
    for _ in range(30):
        wx, wy, w = np.zeros(2), np.zeros(2), np.full(2, 1e-300)
        for i in range(n):
            g = 0 if kind[i] < 0 else 1
            w[g] += weight[i]
            wx[g] += weight[i] * x[i]
            wy[g] += weight[i] * y[i]
        xx = 1e-300
        xy = 0.0
        for i in range(n):
            g = 0 if kind[i] < 0 else 1
            dx = x[i] - wx[g] / w[g]
            xx += weight[i] * dx * dx
            xy += weight[i] * dx * (y[i] - wy[g] / w[g])
        before, slope = slope, xy / xx
        residual = np.empty(n)
        squares = 0.0
        for i in range(n):
            g = 0 if kind[i] < 0 else 1
            residual[i] = y[i] - wy[g] / w[g] - slope * (x[i] - wx[g] / w[g])
            squares += weight[i] * residual[i] ** 2
        error = np.sqrt(squares / max(weight.sum() - 3, 1e-3) / xx)
        c = 1.5 * np.median(np.abs(residual))
        if c == 0 or abs(slope - before) < 1e-6:
            break
        for i in range(n):
            weight[i] = 1 / (1 + (residual[i] / c) ** 2)
    return slope, error
