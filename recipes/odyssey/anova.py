"""Functional ANOVA of a regression forest (Hutter, Hoos & Leyton-Brown 2014, algorithm 2).

A regression tree is constant on boxes that fill the unit cube, so means over any of its coordinates
are finite sums. For uniform, independent inputs, as in a random search, its variance V is a sum
over sets of inputs,

    V = Σ_j V_j + Σ_j<k V_jk + ...,    V_j = Var of f_j(x_j) = E[f | x_j],

and V_j / V is the fraction of variance that input j explains by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqlabel.errors import InputError

TREES = 100
SMALLEST_LEAF = 3


@dataclass(frozen=True)
class Decomposition:
    """Fractions of variance explained by each input (D,): mean and standard deviation over trees.

    rest: fraction due to interactions. r2: 1 - squared error / variance of out-of-bag predictions.
    It states how reliable the forest, and with it the fractions, are.
    """

    mean: np.ndarray
    deviation: np.ndarray
    rest: float
    r2: float


def decompose(points: np.ndarray, values: Sequence[float], seed: int = 0) -> Decomposition:
    """Fit a forest to `values` (N,) at `points` (N, D) of the unit cube, and decompose it."""
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError:
        raise InputError(
            "the fractions of variance need scikit-learn: pip install scikit-learn"
        ) from None
    values = np.asarray(values, np.float64)
    forest = RandomForestRegressor(TREES, min_samples_leaf=SMALLEST_LEAF, random_state=seed)
    forest.set_params(oob_score=True).fit(points, values)
    fractions = np.array([main_effects(*leaves(tree.tree_)) for tree in forest.estimators_])
    return Decomposition(
        fractions.mean(axis=0), fractions.std(axis=0), float(1 - fractions.sum(axis=1).mean()),
        float(forest.oob_score_),
    )  # fmt: skip


def leaves(tree: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low and high corners (L, D) of the boxes of a scikit-learn tree, and their values (L,)."""
    found = []

    def descend(node: int, low: np.ndarray, high: np.ndarray) -> None:
        axis, cut = tree.feature[node], tree.threshold[node]
        if axis < 0:
            found.append((low, high, tree.value[node, 0, 0]))
            return
        below, above = high.copy(), low.copy()
        below[axis], above[axis] = min(high[axis], cut), max(low[axis], cut)
        descend(tree.children_left[node], low, below)
        descend(tree.children_right[node], above, high)

    descend(0, np.zeros(tree.n_features), np.ones(tree.n_features))
    lows, highs, values = zip(*found, strict=True)
    return np.array(lows), np.array(highs), np.array(values)


def main_effects(low: np.ndarray, high: np.ndarray, values: np.ndarray) -> np.ndarray:
    """V_j / V of a function that is constant on boxes: corners (L, D), values (L,) -> (D,)."""
    volumes = np.prod(high - low, axis=1)
    mean = volumes @ values
    variance = volumes @ (values - mean) ** 2
    if variance <= 0:
        return np.zeros(low.shape[1])
    effects = []
    for j in range(low.shape[1]):
        cuts = np.unique([low[:, j], high[:, j]])
        inside = (low[:, j] <= cuts[:-1, None]) & (cuts[1:, None] <= high[:, j])  # (pieces, L)
        widths = high[:, j] - low[:, j]
        marginal = inside @ (values * volumes / np.where(widths > 0, widths, np.inf))
        effects.append(np.diff(cuts) @ (marginal - mean) ** 2)
    return np.array(effects) / variance
