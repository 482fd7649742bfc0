"""Loops over the points of ink at native speed.

Points are float64 (N, C) with x and y first; stroke s is rows `offsets[s]` to `offsets[s + 1]`.
"""

import numpy as np
from numba import njit

SAME = 1e-9
"""Lengths that differ by this fraction of the spacing count as equal, so that rounding adds no
point."""


@njit(cache=True)
def walk_strokes(points, offsets, spacing, samples, cuts):
    """Write points at equal Euclidean distance along each stroke to `samples`, offsets to `cuts`.

    From each sample the next one is where the stroke first leaves the circle of radius `spacing`
    around it; the last point of a stroke is kept. All columns are interpolated linearly. Returns
    the number of samples; there are at most length / spacing and two for each stroke.
    """
    columns = points.shape[1]
    start = np.empty(columns)  # where the unwalked part of the current segment begins
    n = 0
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1] - 1
        for k in range(columns):
            samples[n, k] = start[k] = points[first, k]
        n += 1
        i = first + 1
        while i <= last:
            cx, cy = samples[n - 1, 0], samples[n - 1, 1]
            distance = np.hypot(points[i, 0] - cx, points[i, 1] - cy)
            part = 1.0
            if distance > spacing * (1 + SAME):
                # |start + part * (points[i] - start) - c| = spacing, the root with part >= 0
                dx, dy = points[i, 0] - start[0], points[i, 1] - start[1]
                ex, ey = start[0] - cx, start[1] - cy
                a, b = dx * dx + dy * dy, ex * dx + ey * dy
                c = ex * ex + ey * ey - spacing * spacing
                part = (np.sqrt(max(b * b - a * c, 0.0)) - b) / a
            for k in range(columns):
                if part < 1:
                    start[k] += part * (points[i, k] - start[k])
                else:
                    start[k] = points[i, k]
            if distance >= spacing * (1 - SAME):
                for k in range(columns):
                    samples[n, k] = start[k]
                n += 1
            if part >= 1:
                i += 1
        rest = np.hypot(points[last, 0] - samples[n - 1, 0], points[last, 1] - samples[n - 1, 1])
        if rest > spacing * SAME:
            for k in range(columns):
                samples[n, k] = points[last, k]
            n += 1
        cuts[s + 1] = n
    return n


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
    settle, c = 1.5 times the weighted mean of |r|: descenders, ascenders and loose ends lose their
    say. The error is the standard error of m under the last weights.
    """
    n = len(x)
    weight = np.ones(n)
    slope = error = 0.0
    for _ in range(30):
        top_w = top_x = top_y = low_w = low_x = low_y = 1e-300  # weights and means of either kind
        for i in range(n):
            if kind[i] < 0:
                top_w, top_x, top_y = add(top_w, top_x, top_y, weight[i], x[i], y[i])
            else:
                low_w, low_x, low_y = add(low_w, low_x, low_y, weight[i], x[i], y[i])
        xx = 1e-300
        xy = 0.0
        for i in range(n):
            top = kind[i] < 0
            dx = x[i] - (top_x if top else low_x)
            xx += weight[i] * dx * dx
            xy += weight[i] * dx * (y[i] - (top_y if top else low_y))
        before, slope = slope, xy / xx
        deviation = squares = total = 0.0
        residual = np.empty(n)
        for i in range(n):
            top = kind[i] < 0
            dx, dy = x[i] - (top_x if top else low_x), y[i] - (top_y if top else low_y)
            residual[i] = dy - slope * dx
            total += weight[i]
            deviation += weight[i] * abs(residual[i])
            squares += weight[i] * residual[i] ** 2
        c = 1.5 * deviation / total
        error = np.sqrt(squares / max(total - 3, 1e-3) / xx)
        if c == 0 or abs(slope - before) < 1e-6:
            break
        for i in range(n):
            weight[i] = 1 / (1 + (residual[i] / c) ** 2)
    return slope, error


@njit(cache=True)
def add(weight, x, y, w, xi, yi):
    """Running weight and means after one more point of weight w."""
    total = weight + w
    return total, x + w / total * (xi - x), y + w / total * (yi - y)


@njit(cache=True)
def smooth_strokes(points, offsets, weights):
    """Points whose x and y are means of their neighbours', weights (2 R + 1,) that sum to one.

    A stroke is mirrored through its ends, and one shorter than R points goes on at rest behind its
    mirror image.
    """
    reach = len(weights) // 2
    smoothed = points.copy()
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1] - 1
        for i in range(first, last + 1):
            for k in range(2):
                total = 0.0
                for j in range(-reach, reach + 1):
                    n = i + j
                    if n < first:
                        mirrored = min(2 * first - n, last)
                        value = 2 * points[first, k] - points[mirrored, k]
                    elif n > last:
                        mirrored = max(2 * last - n, first)
                        value = 2 * points[last, k] - points[mirrored, k]
                    else:
                        value = points[n, k]
                    total += weights[j + reach] * value
                smoothed[i, k] = total
    return smoothed
