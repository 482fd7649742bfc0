"""Cubic Bezier pieces through the points of ink, at native speed.

A piece through points a ... b is C(s) = (1-s)^3 P0 + 3 s (1-s)^2 P1 + 3 s^2 (1-s) P2 + s^3 P3 with
P0 and P3 its outer points; each point has its parameter s in [0, 1].
"""

import numpy as np
from numba import njit

REFINEMENTS = 12
"""Newton steps that move the parameters before a piece is given up and split."""

SHORTEST_CHORD = 0.1
"""A piece whose ends are nearer than this fraction of its length is split: its angles and ratios
refer to the chord."""

STIFFNESS = 1e-6
"""Weight of the straight line in the least squares, for pieces of too few points."""


@njit(cache=True)
def arc_parameters(points, a, b, s):
    """Set s_i (s[i - a]) by arc length, 0 at point a and 1 at point b; returns the length."""
    s[0] = 0.0
    for i in range(a, b):
        dx, dy = points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1]
        s[i + 1 - a] = s[i - a] + np.sqrt(dx * dx + dy * dy)
    length = s[b - a]
    if length > 0:
        for i in range(b - a + 1):
            s[i] /= length
    return length


@njit(cache=True)
def fit_cubic(points, a, b, s, control):
    """Set the control points (4, 2) to those with the least sum of squares |C(s_i) - p_i|^2."""
    for k in range(2):
        p0, p3 = points[a, k], points[b, k]
        uu = vv = STIFFNESS
        uv = ur = vr = 0.0
        for i in range(a + 1, b):
            z = s[i - a]
            u, v = 3 * z * (1 - z) ** 2, 3 * z * z * (1 - z)
            r = points[i, k] - p0 - z * (p3 - p0)
            uu, uv, vv = uu + u * u, uv + u * v, vv + v * v
            ur, vr = ur + u * r, vr + v * r
        determinant = uu * vv - uv * uv
        control[0, k] = p0
        control[1, k] = (2 * p0 + p3) / 3 + (vv * ur - uv * vr) / determinant
        control[2, k] = (p0 + 2 * p3) / 3 + (uu * vr - uv * ur) / determinant
        control[3, k] = p3


@njit(cache=True)
def curve_at(control, z, k):
    """Coordinate k of C(z), C'(z) and C''(z)."""
    p0, p1, p2, p3 = control[0, k], control[1, k], control[2, k], control[3, k]
    w = 1 - z
    value = w * w * w * p0 + 3 * z * w * w * p1 + 3 * z * z * w * p2 + z * z * z * p3
    first = 3 * (w * w * (p1 - p0) + 2 * z * w * (p2 - p1) + z * z * (p3 - p2))
    second = 6 * (w * (p2 - 2 * p1 + p0) + z * (p3 - 2 * p2 + p1))
    return value, first, second


@njit(cache=True)
def move_parameters(points, a, b, control, s):
    """One Newton step of each s_i towards the foot of p_i on the curve; the order is kept."""
    for i in range(a + 1, b):
        z = s[i - a]
        x, x1, x2 = curve_at(control, z, 0)
        y, y1, y2 = curve_at(control, z, 1)
        ex, ey = x - points[i, 0], y - points[i, 1]
        slope = x1 * x1 + y1 * y1 + ex * x2 + ey * y2
        if slope > 0:
            z -= (ex * x1 + ey * y1) / slope
        s[i - a] = min(max(z, s[i - 1 - a]), 1.0)


@njit(cache=True)
def largest_error(points, a, b, control, s):
    """The greatest distance |C(s_i) - p_i| and the point that has it."""
    error, place = 0.0, a
    for i in range(a, b + 1):
        x, _, _ = curve_at(control, s[i - a], 0)
        y, _, _ = curve_at(control, s[i - a], 1)
        distance = np.sqrt((x - points[i, 0]) ** 2 + (y - points[i, 1]) ** 2)
        if distance > error:
            error, place = distance, i
    return error, place


@njit(cache=True)
def fit_time(points, a, b, s, coefficients):
    """Set g1, g2, g3 of t(s) - t_a = g1 s + g2 s^2 + g3 s^3: exact at the end, least squares."""
    whole = points[b, 2] - points[a, 2]
    uu = vv = STIFFNESS
    uv = ur = vr = 0.0
    for i in range(a + 1, b):
        z = s[i - a]
        u, v = z * z - z, z * z * z - z
        r = points[i, 2] - points[a, 2] - whole * z
        uu, uv, vv = uu + u * u, uv + u * v, vv + v * v
        ur, vr = ur + u * r, vr + v * r
    determinant = uu * vv - uv * uv
    coefficients[1] = (vv * ur - uv * vr) / determinant
    coefficients[2] = (uu * vr - uv * ur) / determinant
    coefficients[0] = whole - coefficients[1] - coefficients[2]


@njit(cache=True)
def fit_strokes(points, offsets, tolerance, stroke, first, controls, times):
    """Pieces of all strokes in order; every point is nearer than `tolerance` to its curve.

    points (N, 3): x, y, t. Sets stroke (N,), first point (N,), control points (N, 4, 2) and
    coefficients of time (N, 3) of each piece and returns the number of pieces. A piece that is too
    far from a point is split there; the ends of pieces are points of the ink.
    """
    n = 0
    s = np.empty(len(points))
    ends = np.empty(len(points), dtype=np.int64)  # last points of the pieces still to be fitted
    for number in range(len(offsets) - 1):
        a = offsets[number]
        ends[0] = offsets[number + 1] - 1
        waiting = 1
        while waiting > 0:
            b, control = ends[waiting - 1], controls[n]
            length = arc_parameters(points, a, b, s)
            fit_cubic(points, a, b, s, control)
            error, place = largest_error(points, a, b, control, s)
            for _ in range(REFINEMENTS):
                if error < tolerance:
                    break
                move_parameters(points, a, b, control, s)
                fit_cubic(points, a, b, s, control)
                error, place = largest_error(points, a, b, control, s)
            dx, dy = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
            closed = np.sqrt(dx * dx + dy * dy) < SHORTEST_CHORD * length
            if b - a > 1 and (closed or error >= tolerance):
                if error < tolerance:
                    place = (a + b) // 2
                ends[waiting] = min(max(place, a + 1), b - 1)
                waiting += 1
                continue
            stroke[n], first[n] = number, a
            fit_time(points, a, b, s, times[n])
            n += 1
            a = b
            waiting -= 1
    return n
