"""Results of a search: its trials, tests of each variant against vanilla, fractions of variance.

The best trials of a variant are chosen by dev error and compared by test error. A diverged trial
counts with the test error of its best weights, or 100 % if it has none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, variance
from typing import Any

import numpy as np
from anova import Decomposition, decompose
from search import RESULT, STUDY, TRIALS
from space import SPACE, VARIANTS, trial

from seqlabel.errors import InputError
from seqlabel.files import read_json

LEVEL = 0.05
FEWEST_BEST = 3
"""Minimum number of best trials of a variant, since a test of two means needs variances."""

FEWEST_OF_VARIANT = 50
"""Minimum number of trials of a variant for a separate forest."""

Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Welch:
    """The difference of mean test errors, variant - V, in percentage points.

    low, high: confidence interval of the difference. p: of Welch's t-test, two-sided. Both are
    corrected for eight comparisons by Bonferroni's rule: p times 8, interval at 1 - 0.05 / 8. None
    if a group has fewer than two trials or no variance.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def significant(self) -> bool:
        return self.p is not None and self.p < LEVEL


def read_results(out: Path, count: int | None = None) -> list[dict[str, Any]]:
    """The finished trials among the first `count`, or all, in order; InputError if none is."""
    if not (out / STUDY).is_file():
        raise InputError(f"{out}: holds no search; run recipes/odyssey/run.sh first")
    seed = read_json(out / STUDY)["seed"]
    results = [read_json(path) for path in (out / TRIALS).glob(f"*/{RESULT}")]
    results = [result for result in results if count is None or result["number"] < count]
    if not results:
        raise InputError(f"{out}: no trial is finished yet")
    results.sort(key=lambda result: result["number"])
    for result in results:
        if not asdict(trial(seed, result["number"])).items() <= result.items():
            raise InputError(
                f"{out / TRIALS}: trial {result['number']} is not that of seed {seed}; it comes "
                "from another search or version, remove its folder"
            )
    return results


def by_variant(results: Results) -> dict[str, list[Mapping[str, Any]]]:
    """Trials of each variant, the best by dev error first."""
    groups: dict[str, list[Mapping[str, Any]]] = {name: [] for name in VARIANTS}
    for result in results:
        groups[result["variant"]].append(result)
    return {
        name: sorted(group, key=lambda result: (result["dev_error"], result["number"]))
        for name, group in groups.items()
    }


def chosen(group: Results, share: float) -> Results:
    """The best `share` of trials sorted by dev error, at least FEWEST_BEST."""
    return group[: max(FEWEST_BEST, math.ceil(share * len(group) - 1e-9))]


def percent(results: Results) -> list[float]:
    """Test errors in per cent."""
    return [100 * result["test_error"] for result in results]


def welch(errors: Sequence[float], vanilla: Sequence[float]) -> Welch | None:
    """The comparison of two groups of trials (Welch 1947), None if one is empty."""
    try:
        from scipy import stats
    except ImportError:
        raise InputError("Welch's t-test needs scipy: pip install scikit-learn") from None
    if not errors or not vanilla:
        return None
    difference = mean(errors) - mean(vanilla)
    groups = [group for group in (errors, vanilla) if len(group) > 1]
    parts = [variance(group) / len(group) for group in groups]
    if len(groups) < 2 or sum(parts) == 0:
        return Welch(difference, None, None, None)
    deviation = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True)
    )
    comparisons = len(VARIANTS) - 1
    p = 2 * float(stats.t.sf(abs(difference) / deviation, freedom))
    half = deviation * float(stats.t.isf(LEVEL / comparisons / 2, freedom))
    return Welch(difference, difference - half, difference + half, min(1.0, p * comparisons))


def fractions(results: Results) -> dict[str, Decomposition]:
    """Fractions of the variance of the test error, for all trials and for variants with many."""

    def place(result: Mapping[str, Any]) -> list[float]:
        return [spread.place(result[name]) for name, spread in SPACE.items()]

    names = list(VARIANTS)
    points = [
        [*place(result), (names.index(result["variant"]) + 0.5) / len(names)] for result in results
    ]
    found = {"all": decompose(np.array(points), percent(results))}
    for name, group in by_variant(results).items():
        if len(group) >= FEWEST_OF_VARIANT:
            found[name] = decompose(np.array([place(r) for r in group]), percent(group))
    return found


def compare(groups: Mapping[str, Results]) -> dict[str, Welch | None]:
    """Compare each variant with V."""
    errors = {name: percent(group) for name, group in groups.items()}
    return {name: welch(errors[name], errors["V"]) for name in VARIANTS if name != "V"}
