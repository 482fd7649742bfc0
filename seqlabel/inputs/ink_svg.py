"""Ink as an SVG picture."""

import itertools
from collections.abc import Sequence

import numpy as np


def strokes_to_svg(
    points: np.ndarray, offsets: np.ndarray, width: int, colours: Sequence[str]
) -> str:
    """A self-contained SVG document, `width` pixels wide, as high as the writing asks for.

    points: (P, 2) x and y, y downwards. offsets: (S + 1,), stroke s is points[offsets[s] :
    offsets[s + 1]], drawn in `colours[s % len(colours)]`; a stroke of one point is a dot.
    """
    margin = 8.0
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    extent = max(right - left, (bottom - top) / 4, 1e-9)  # a column of ink stays a readable picture
    scale = (width - 2 * margin) / extent
    height = round((bottom - top) * scale + 2 * margin)
    placed = (points - [left, top]) * scale + margin
    shapes = [
        stroke_to_svg(placed[a:b], colours[number % len(colours)])
        for number, (a, b) in enumerate(itertools.pairwise(offsets.tolist()))
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" fill="none" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(shapes) + "\n</svg>"
    )


def stroke_to_svg(points: np.ndarray, colour: str) -> str:
    """One stroke (P, 2) in pixels as a polyline, a stroke of one place as a dot."""
    if (points == points[0]).all():
        x, y = points[0].tolist()
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist())
    return f'<polyline points="{path}" stroke="{colour}"/>'
