"""Intervals and paired tests against enumeration, exact fractions and hand-made cases."""

import math
from fractions import Fraction
from itertools import product
from statistics import NormalDist, mean, stdev

import numpy as np
import pytest

from seqlabel.scoring import Counts, UtteranceScore, align, spread
from seqlabel.scoring.statistics import (
    binomial_two_sided,
    bootstrap_interval,
    mapsswe,
    paired_bootstrap,
    paired_units,
    segments,
    sign_test,
    units,
)


def utterance(errors, tokens, speaker="", name="u"):
    """An utterance with so many substitutions in so many labels."""
    ops = [("S", "a", "b")] * errors + [("C", "a", "a")] * (tokens - errors)
    return UtteranceScore(name, tuple(ops), Counts(tokens - errors, errors), speaker)


# Intervals


def test_the_interval_is_that_of_all_resamples_drawn():
    scores = [(1, 10), (4, 10), (2, 20)]
    rates = sorted(
        sum(scores[i][0] for i in draw) / sum(scores[i][1] for i in draw)
        for draw in product(range(3), repeat=3)
    )
    found = bootstrap_interval([utterance(*one) for one in scores], resamples=20000)
    low, high = np.quantile(np.repeat(rates, 1000), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.011)
    assert (found.over, found.units, found.level) == ("utterances", 3, 0.95)


def test_the_interval_of_many_utterances_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(1)
    errors = rng.binomial(10, 0.2, 400)
    found = bootstrap_interval([utterance(int(e), 10) for e in errors], resamples=2000)
    half = 1.96 * stdev(errors / 10) / math.sqrt(400)
    assert found.low == pytest.approx(errors.mean() / 10 - half, abs=0.002)
    assert found.high == pytest.approx(errors.mean() / 10 + half, abs=0.002)


def test_speakers_are_drawn_whole():
    """Two speakers, one always wrong, one always right: the rate may be anything."""
    scores = [utterance(10, 10, "bad")] * 50 + [utterance(0, 10, "good")] * 50
    by_speaker = bootstrap_interval(scores)
    assert (by_speaker.over, by_speaker.units) == ("speakers", 2)
    assert (by_speaker.low, by_speaker.high) == (0, 1)
    by_utterance = bootstrap_interval([utterance(u.counts.errors, 10) for u in scores])
    assert by_utterance.over == "utterances"
    assert 0.39 < by_utterance.low < by_utterance.high < 0.61


def test_intervals_of_few_or_equal_units_are_doubtful():
    assert bootstrap_interval([utterance(n, 10) for n in range(7)]).doubtful
    assert not bootstrap_interval([utterance(n, 10) for n in range(8)]).doubtful
    assert bootstrap_interval([utterance(0, 10) for _ in range(50)]).doubtful


def test_units_fall_back_to_utterances():
    one_speaker = [utterance(1, 5, "s"), utterance(2, 5, "s")]
    assert units(one_speaker).over == "utterances"
    partly_named = [utterance(1, 5, "s"), utterance(2, 5, "t"), utterance(2, 5)]
    assert units(partly_named).over == "utterances"
    named = units([utterance(1, 5, "s"), utterance(2, 6, "t"), utterance(3, 7, "s")], "writers")
    assert (named.over, named.errors.tolist(), named.tokens.tolist()) == (
        "writers",
        [4, 2],
        [12, 6],
    )


def test_one_utterance_has_no_interval():
    assert bootstrap_interval([utterance(1, 5)]) is None


def test_the_same_seed_gives_the_same_interval():
    scores = [utterance(n % 4, 9) for n in range(30)]
    assert bootstrap_interval(scores, seed=3) == bootstrap_interval(scores, seed=3)
    assert bootstrap_interval(scores, seed=3) != bootstrap_interval(scores, seed=4)


# Paired tests


def test_the_paired_bootstrap_is_that_of_all_resamples_drawn():
    first, second = [(3, 10), (4, 10), (2, 10), (1, 10)], [(1, 10), (4, 10), (1, 10), (3, 10)]
    difference = [b - a for (a, _), (b, _) in zip(first, second, strict=True)]
    totals = [sum(difference[i] for i in draw) for draw in product(range(4), repeat=4)]
    rarer = min(np.mean([t <= 0 for t in totals]), np.mean([t >= 0 for t in totals]))
    interval, test = paired_bootstrap(
        [utterance(*one) for one in first], [utterance(*one) for one in second], resamples=20000
    )
    assert test.p == pytest.approx(2 * rarer, abs=0.02)
    assert test.statistic == pytest.approx(-1 / 40)
    low, high = np.quantile(np.repeat(totals, 1000), [0.025, 0.975]) / 40
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.02)


def test_a_system_never_differs_from_itself():
    scores = [utterance(n % 3, 8, f"s{n % 5}") for n in range(40)]
    assert paired_bootstrap(scores, scores)[1].p == 1
    assert sign_test(scores, scores).p == 1
    assert mapsswe(scores, scores).p == 1


def test_all_tests_see_a_clear_difference_and_its_sign():
    first = [utterance(1 + n % 2, 20, f"s{n}") for n in range(40)]
    second = [utterance(3 + n % 3, 20, f"s{n}") for n in range(40)]
    interval, bootstrap = paired_bootstrap(first, second)
    assert interval.low > 0
    assert bootstrap.p == pytest.approx(2 / 1001)
    assert sign_test(first, second).statistic == 40
    assert mapsswe(first, second).statistic < -5
    assert mapsswe(second, first).statistic > 5
    assert mapsswe(first, second).p < 1e-6


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(0, 0, 1), (5, 5, 1), (10, 0, 2 / 1024), (9, 1, 22 / 1024), (1, 9, 22 / 1024), (3, 0, 1 / 4)],
)
def test_the_sign_test_by_hand(better, worse, p):
    assert binomial_two_sided(better, worse) == pytest.approx(p)


def test_the_sign_test_of_many_pairs_in_exact_fractions():
    exact = 2 * sum(Fraction(math.comb(600, k), 2**600) for k in range(271))
    assert binomial_two_sided(330, 270) == pytest.approx(float(exact), rel=1e-9)


def test_ties_are_dropped_from_the_sign_test():
    first = [utterance(1, 9)] * 7 + [utterance(2, 9)] * 9 + [utterance(1, 9)]
    second = [utterance(1, 9)] * 7 + [utterance(1, 9)] * 9 + [utterance(2, 9)]
    found = sign_test(first, second)
    assert (found.units, found.statistic) == (10, 1)
    assert found.p == pytest.approx(22 / 1024)


def test_both_systems_are_grouped_alike():
    """By the speakers of the first system that has them, whatever those of the other."""
    errors = ([1, 2, 3, 4, 0, 0], [4, 3, 2, 1, 2, 0])
    by = {name: list(name) for name in ("ababab", "aabbcc", "aaaaaa")} | {"": [""] * 6}

    def system(n, speakers):
        return [utterance(e, 9, s) for e, s in zip(errors[n], by[speakers], strict=True)]

    for first, second, groups in (
        ("ababab", "aabbcc", [(0, 2, 4), (1, 3, 5)]),
        ("ababab", "", [(0, 2, 4), (1, 3, 5)]),
        ("", "aabbcc", [(0, 1), (2, 3), (4, 5)]),
        ("aaaaaa", "aabbcc", [(0, 1), (2, 3), (4, 5)]),
        ("aaaaaa", "", [(n,) for n in range(6)]),
    ):
        one, two = system(0, first), system(1, second)
        found = paired_units(one, two, "writers")
        for unit, expected in zip(found, errors, strict=True):
            assert unit.errors.tolist() == [sum(expected[n] for n in group) for group in groups]
            assert unit.tokens.tolist() == [9 * len(group) for group in groups]
            assert unit.over == ("utterances" if len(groups) == 6 else "writers")
        alike = [utterance(e, 9, s) for e, s in zip(errors[1], by[first or second], strict=True)]
        if len(groups) == 2:
            assert paired_bootstrap(one, two) == paired_bootstrap(one, alike)
            assert sign_test(one, two) == sign_test(one, alike)


# Segments of MAPSSWE


def ops(reference, hypothesis):
    return align(reference.split(), hypothesis.split()).ops


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Two words right in both end a segment, one does not.
        ("x b c d e f", "a b c d x f", [(1, 0), (0, 1)]),
        ("x b c d e f", "a b x d e f", [(1, 1)]),
        ("a b c d e f", "a b c d e f", []),
        # An insertion breaks a run of right words and belongs to the segment it breaks into.
        ("x b i c d e f", "a b c d e f", [(2, 0)]),
        ("x b c i d e f", "a b c d e f", [(1, 0), (1, 0)]),
        ("i j a b c d e f", "a b c d e f k", [(2, 0), (0, 1)]),
        # Deletions count like substitutions; a whole utterance may be one segment.
        ("b d f", "a x c x e x", [(3, 3)]),
    ],
)
def test_segments_by_hand(first, second, expected):
    reference = "a b c d e f"
    assert segments(ops(reference, first), ops(reference, second)) == expected


def test_mapsswe_by_hand():
    pairs = [(2, 0), (1, 0), (0, 1), (3, 1), (2, 2), (1, 0), (2, 1), (0, 0)]
    first = [utterance(a, 6) for a, _ in pairs]
    second = [utterance(b, 6) for _, b in pairs]
    difference = [2, 1, -1, 2, 0, 1, 1]  # the last utterance has no segment
    z = mean(difference) / (stdev(difference) / math.sqrt(7))
    found = mapsswe(first, second)
    assert (found.units, found.over) == (7, "segments")
    assert found.statistic == pytest.approx(z)
    assert found.p == pytest.approx(2 * (1 - NormalDist().cdf(abs(z))))


def test_mapsswe_of_segments_that_all_differ_alike():
    first, second = [utterance(2, 6)] * 4, [utterance(1, 6)] * 4
    found = mapsswe(first, second)
    assert (found.statistic, found.p) == (math.inf, pytest.approx(2 / 16))
    assert mapsswe(first[:1], second[:1]).p == 1


def test_spread():
    found = spread([0.2, 0.22, 0.21])
    assert (found.runs, found.mean, found.std) == (3, pytest.approx(0.21), pytest.approx(0.01))
    assert (found.low, found.high) == (0.2, 0.22)
    assert spread([0.3]).std == 0
