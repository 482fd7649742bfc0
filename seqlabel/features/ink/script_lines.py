"""The four lines of a line of writing, and ink scaled to them."""

from typing import NamedTuple

import numpy as np

from seqlabel.inputs.ink import Ink

ENOUGH = 0.5
"""Share of the greatest density of tops that makes a corpus line."""
SAMPLE = 500
"""Turning points that a density is estimated from at most, spread evenly over all by their height.
A line of writing has fewer; of a million points all pairs would fill the memory."""


class ScriptLines(NamedTuple):
    """Heights (values of y, which grows downwards) of the lines between which people write.

    Small letters without a stem stand between `base` and `corpus`; stems reach up to `ascender`
    and tails down to `descender`: ascender <= corpus < base <= descender.
    """

    ascender: float
    corpus: float
    base: float
    descender: float

    @property
    def corpus_height(self) -> float:
        """From the base line to the corpus line, > 0 unless the ink is flat."""
        return self.base - self.corpus


def script_lines(ink: Ink) -> ScriptLines:
    """Estimate the lines of level, upright ink from the turning points of its strokes.

    The base line is where most bottoms lie. The corpus line is the lowest of the heights, at least
    a standard deviation of y above the base line, where many tops lie (`ENOUGH` of the greatest
    density): capitals, digits and stems have theirs above it. The ascender and the descender line
    are the medians of the tops and the bottoms beyond; where there are none, they lie one corpus
    height away.
    Ink without turning points (a dot, a dash) is taken to fill its corpus. Moving and scaling the
    ink moves and scales the lines.
    """
    from seqlabel.features.ink.kernels import turning_points  # numba, when it is needed

    y = ink.y
    _, top, _, bottom = ink.bounds
    kind = turning_points(y, ink.offsets, 0.5 * y.std())
    tops, bottoms = y[kind < 0], y[kind > 0]
    if not len(tops) or not len(bottoms):
        height = bottom - top
        return ScriptLines(top - height, top, bottom, bottom + height)
    base = _densest(bottoms, 0.25 * y.std())
    above = tops[tops < base - y.std()]
    if not len(above):
        above = np.array([top])
    corpus = _lowest_dense(above, 0.1 * (base - above.min()))
    height = base - corpus
    ascenders, descenders = tops[tops < corpus - height / 3], bottoms[bottoms > base + height / 3]
    return ScriptLines(
        float(np.median(ascenders)) if len(ascenders) else corpus - height,
        corpus,
        base,
        float(np.median(descenders)) if len(descenders) else base + height,
    )


def _density(values: np.ndarray, width: float) -> np.ndarray:
    width = max(width, 1e-12 * float(np.abs(values).max()), 1e-300)
    sample = np.sort(values)[:: -(-len(values) // SAMPLE)]
    return np.exp(-0.5 * ((values[:, None] - sample) / width) ** 2).sum(axis=1)


def _peak(values: np.ndarray, density: np.ndarray, width: float) -> float:
    """Mean of the values within `width` of the densest one; of equally dense ones the lowest."""
    densest = values[density >= (1 - 1e-9) * density.max()].max()
    return float(values[np.abs(values - densest) <= width].mean())


def _densest(values: np.ndarray, width: float) -> float:
    return _peak(values, _density(values, width), width)


def _lowest_dense(values: np.ndarray, width: float) -> float:
    density = _density(values, width)
    lowest = values[density >= ENOUGH * density.max()].max()
    return _peak(values, np.where(values >= lowest - 2 * width, density, 0.0), width)
