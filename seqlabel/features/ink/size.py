"""Size: ink moved and scaled so that its script lines, or its strokes, have fixed heights."""

import numpy as np

from seqlabel.features.ink.script_lines import ScriptLines, script_lines
from seqlabel.inputs.ink import Ink


def scale_to_corpus(ink: Ink, lines: ScriptLines | None = None) -> Ink:
    """Corpus height 1, base line at y = 0, left edge at x = 0; the same factor for x and y.

    `lines` are those of `ink`, estimated if not given. Scaling twice changes nothing; flat ink
    is only moved.
    """
    lines = lines or script_lines(ink)
    return _scaled(ink, lines.corpus_height, lines.base)


def scale_to_height(ink: Ink) -> Ink:
    """Height of the whole ink 1, its lower edge at y = 0, left edge at x = 0."""
    _, top, _, bottom = ink.bounds
    return _scaled(ink, bottom - top, bottom)


def scale_to_strokes(ink: Ink) -> Ink:
    """Mean stroke of size 1, mean height of all points at y = 0, left edge at x = 0.

    The size of a stroke is the longer side of its bounding box; strokes of one place do not count.
    For ink without lines of writing, such as formulas.
    """
    low, high = ink.boxes
    sizes = (high - low).max(axis=1)
    return _scaled(ink, float(sizes[sizes > 0].mean()) if sizes.any() else 0.0, ink.y.mean())


def _scaled(ink: Ink, height: float, origin: float) -> Ink:
    scale = 1 / height if height > 0 else 1.0
    return ink.transformed(scale * np.eye(2), [-scale * ink.bounds[0], -scale * origin])
