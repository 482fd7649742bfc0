"""Width: writing stretched so that its letters have a common mean width."""

import numpy as np

from seqlabel.features.ink.script_lines import ScriptLines, script_lines
from seqlabel.inputs.ink import Ink

CROSSING = 0.6
"""Corpus heights from one crossing of the middle line to the next in normal writing."""

LARGEST_STRETCH = 2.0
"""Maximum factor; with a larger one, or one below its inverse, the ink is not changed."""


def middle_crossings(ink: Ink, lines: ScriptLines | None = None) -> int:
    """How often the strokes cross the line half-way between base and corpus line.

    Liwicki & Bunke estimate the number of characters as a fraction of it.
    """
    lines = lines or script_lines(ink)
    below = ink.y > (lines.base + lines.corpus) / 2
    within = np.diff(ink.stroke_numbers) == 0
    return int(np.sum((below[1:] != below[:-1]) & within))


def scale_width(ink: Ink, lines: ScriptLines | None = None) -> Ink:
    """Ink stretched in x so that it crosses its middle line every `CROSSING` corpus heights.

    Stretching changes no crossing, so that stretching twice changes nothing. Ink that crosses it
    less than three times is not changed.
    """
    lines = lines or script_lines(ink)
    crossings = middle_crossings(ink, lines)
    left, _, right, _ = ink.bounds
    if crossings < 3 or right == left:
        return ink
    stretch = CROSSING * crossings * lines.corpus_height / (right - left)
    if not 1 / LARGEST_STRETCH <= stretch <= LARGEST_STRETCH:
        return ink
    return ink.transformed(np.diag([stretch, 1.0]), [left * (1 - stretch), 0])
