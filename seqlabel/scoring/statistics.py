"""Bootstrap intervals, paired tests between systems, and spread over seeds."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlabel.scoring.results import Interval, Operation, UtteranceScore

LEVEL = 0.95
"""Confidence level of every interval."""

BOUNDARY = 2
"""Labels correct in both systems that separate two segments of MAPSSWE (as in sc_stats)."""


@dataclass(frozen=True)
class PairedTest:
    """A two-sided paired test of the hypothesis that two systems have the same error rate.

    name: "mapsswe", "sign" or "bootstrap"; over: what is paired, "segments", "utterances",
        "speakers" or "writers"; units: how many pairs.
    statistic: Z (mapsswe), pairs in favour of the first system (sign), observed difference of the
        rates (bootstrap). p: probability of a statistic at least as extreme under the hypothesis.
    """

    name: str
    over: str
    units: int
    statistic: float
    p: float


@dataclass(frozen=True)
class Spread:
    """Rates of several runs of one recipe: mean, sample standard deviation and range."""

    runs: int
    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class Units:
    """What a bootstrap draws: errors and reference labels of each speaker or utterance."""

    over: str
    errors: np.ndarray
    tokens: np.ndarray


def units(utterances: Sequence[UtteranceScore], people: str = "speakers") -> Units:
    """Sums per speaker; per utterance if there is only one speaker, or speakers are missing.

    Utterances of one speaker are not independent: drawing them singly makes intervals too narrow.
    """
    return _summed(utterances, people, _by_speaker(utterances))


def paired_units(
    first: Sequence[UtteranceScore], second: Sequence[UtteranceScore], people: str = "speakers"
) -> tuple[Units, Units]:
    """The same units of two systems: by the speakers of the first, else by those of the second.

    Per utterance where neither has speakers as `units` needs them.
    """
    groups = _by_speaker(first) or _by_speaker(second)
    return _summed(first, people, groups), _summed(second, people, groups)


def _by_speaker(utterances: Sequence[UtteranceScore]) -> list[list[int]]:
    """Indices of the utterances of each speaker; none for one speaker, or if some are missing."""
    members: dict[str, list[int]] = defaultdict(list)
    for n, utterance in enumerate(utterances):
        members[utterance.speaker].append(n)
    return [] if len(members) < 2 or "" in members else list(members.values())


def _summed(utterances: Sequence[UtteranceScore], people: str, groups: list[list[int]]) -> Units:
    """Sums of each group; without groups the utterances themselves."""
    errors = np.array([u.counts.errors for u in utterances], np.int64)
    tokens = np.array([u.counts.reference_tokens for u in utterances], np.int64)
    if not groups:
        return Units("utterances", errors, tokens)
    return Units(
        people,
        np.array([errors[group].sum() for group in groups]),
        np.array([tokens[group].sum() for group in groups]),
    )


def bootstrap_interval(
    utterances: Sequence[UtteranceScore],
    people: str = "speakers",
    resamples: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """Percentile bootstrap interval of the error rate (Bisani & Ney, ICASSP 2004).

    None if there is only one unit to draw.
    """
    drawn = units(utterances, people)
    n = len(drawn.errors)
    if n < 2:
        return None
    rng = np.random.default_rng(seed)
    rates = np.empty(resamples)
    for b in range(resamples):
        some = rng.integers(0, n, n)
        rates[b] = drawn.errors[some].sum() / max(1, drawn.tokens[some].sum())
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), LEVEL, drawn.over, n, resamples)


def paired_bootstrap(
    first: Sequence[UtteranceScore],
    second: Sequence[UtteranceScore],
    people: str = "speakers",
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Interval | None, PairedTest]:
    """Interval of the difference of the rates (second - first), and its test.

    The same units, those of `paired_units`, are drawn for both systems (Bisani & Ney 2004); p is
    twice the share of draws on the rarer side of zero, the observed set counted as one draw.
    `first` and `second` are the same utterances in the same order.
    """
    a, b = paired_units(first, second, people)
    n = len(a.errors)
    total = max(1, a.tokens.sum())
    observed = float((b.errors.sum() - a.errors.sum()) / total)
    if n < 2:
        return None, PairedTest("bootstrap", a.over, n, observed, 1.0)
    rng = np.random.default_rng(seed)
    excess = b.errors - a.errors
    differences = np.empty(resamples)
    for draw in range(resamples):
        some = rng.integers(0, n, n)
        differences[draw] = excess[some].sum() / max(1, a.tokens[some].sum())
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    rarer = min((differences <= 0).sum(), (differences >= 0).sum())
    p = min(1.0, 2 * (rarer + 1) / (resamples + 1))
    interval = Interval(float(low), float(high), LEVEL, a.over, n, resamples)
    return interval, PairedTest("bootstrap", a.over, n, observed, float(p))


def sign_test(
    first: Sequence[UtteranceScore], second: Sequence[UtteranceScore], people: str = "speakers"
) -> PairedTest:
    """Exact two-sided binomial test of the numbers of units in which each system has fewer errors.

    Ties are dropped. The units are those of the bootstrap.
    """
    a, b = paired_units(first, second, people)
    better = int((a.errors < b.errors).sum())
    worse = int((a.errors > b.errors).sum())
    return PairedTest("sign", a.over, better + worse, better, binomial_two_sided(better, worse))


def binomial_two_sided(better: int, worse: int) -> float:
    """Probability of a split at least as uneven as this one in tosses of a fair coin."""
    n, fewer = better + worse, min(better, worse)
    tail = math.fsum(
        math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def mapsswe(first: Sequence[UtteranceScore], second: Sequence[UtteranceScore]) -> PairedTest:
    """Matched-pair sentence segment word error test (Gillick & Cox, ICASSP 1989).

    Utterances are cut where both systems have at least `BOUNDARY` correct labels in a row, so
    that the errors of different segments are nearly independent; the mean difference of the
    errors per segment over its standard error is normal for many segments. If all
    segments differ by the same number, there is no variance to estimate, and the sign test is used.
    """
    pairs = [pair for a, b in zip(first, second, strict=True) for pair in segments(a.ops, b.ops)]
    n = len(pairs)
    if n == 0:
        return PairedTest("mapsswe", "segments", 0, 0.0, 1.0)
    difference = np.array([a - b for a, b in pairs], np.float64)
    mean = float(difference.mean())
    deviation = float(difference.std(ddof=1)) if n > 1 else 0.0
    if mean == 0.0:
        return PairedTest("mapsswe", "segments", n, 0.0, 1.0)
    if deviation == 0.0:
        return PairedTest(
            "mapsswe", "segments", n, math.copysign(math.inf, mean), min(1.0, 2 * 0.5**n)
        )
    z = mean / (deviation / math.sqrt(n))
    return PairedTest("mapsswe", "segments", n, z, math.erfc(abs(z) / math.sqrt(2)))


def segments(first: Sequence[Operation], second: Sequence[Operation]) -> list[tuple[int, int]]:
    """Errors of both systems in each segment of one utterance; both align the same reference."""
    found: list[tuple[int, int]] = []
    errors = [0, 0]
    good = 0
    for a, b in zip(_slots(first), _slots(second), strict=True):
        if a or b:
            errors[0] += a or 0
            errors[1] += b or 0
            good = 0
        elif a is not None:  # a label both read correctly; None is a gap without insertions
            good += 1
            if good == BOUNDARY and any(errors):
                found.append((errors[0], errors[1]))
                errors = [0, 0]
    if any(errors):
        found.append((errors[0], errors[1]))
    return found


def _slots(ops: Sequence[Operation]) -> list[int | None]:
    """Errors at each place: the gap before the first label, the label, the gap after it, ...

    A gap without insertions is None, a label read correctly 0.
    """
    slots: list[int | None] = [None]
    for code, _, _ in ops:
        if code == "I":
            slots[-1] = (slots[-1] or 0) + 1
        else:
            slots += [int(code != "C"), None]
    return slots


def spread(rates: Sequence[float]) -> Spread:
    """Mean and spread of the rates of several runs (seeds) of one recipe."""
    values = np.asarray(rates, np.float64)
    std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Spread(len(values), float(values.mean()), std, float(values.min()), float(values.max()))
