"""Confidences on hand-made cases, and what calibration says of known answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.alignment.aligner import align
from seqlabel.decoding.confidence import (
    Calibration,
    Recalibration,
    calibration,
    label_confidences,
    n_best_confidences,
    result_confidences,
    with_label_confidences,
)
from seqlabel.decoding.results import Result, Span


def test_the_n_best_list_votes_by_probability():
    sequences = ["cat", "cut", "at"]
    log_probs = [math.log(0.5), math.log(0.3), math.log(0.2)]
    assert n_best_confidences(sequences, log_probs) == pytest.approx((0.8, 0.7, 1.0))
    shifted = [value - 1000 for value in log_probs]
    assert n_best_confidences(sequences, shifted) == pytest.approx((0.8, 0.7, 1.0))
    assert n_best_confidences(["cat"], [-5.0]) == (1.0, 1.0, 1.0)
    assert n_best_confidences([], []) == ()
    assert n_best_confidences([""], [-math.inf]) == ()


def test_words_of_a_result_count_together():
    def result(text, p, others=()):
        return Result(tuple(text), math.log(p), text=text, alternatives=tuple(others))

    best = result("the cat", 0.4, [result("the  cat", 0.2), result("a cat", 0.4)])
    assert result_confidences(best, words=True) == pytest.approx((0.6, 1.0))
    assert result_confidences(best)[:3] == pytest.approx((0.6, 0.6, 0.6))


def test_label_confidences_are_the_posteriors_of_the_alignment():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 12)
    alphabet = Alphabet("abc")
    spans = align(np.log(p), "abca", alphabet).spans
    values = label_confidences(np.log(p), "abca", alphabet)
    assert values == tuple(span.probability for span in spans)


def test_results_take_label_confidences_and_words_the_least_of_theirs():
    p = np.random.default_rng(1).dirichlet(np.ones(4), 12)
    alphabet = Alphabet("ab ", unit="character")
    found = align(np.log(p), "a b", alphabet)
    words = (Span("a", *found.spans[0][1:3], 0.0), Span("b", *found.spans[2][1:3], 0.0))
    bare = tuple(span._replace(probability=0.0) for span in found.spans)
    result = Result(found.labels, found.log_prob, bare, text="a b", words=words)
    sure = with_label_confidences(result, np.log(p), alphabet)
    assert sure.spans == found.spans
    assert [w.probability for w in sure.words] == [found.spans[i].probability for i in (0, 2)]
    nothing = Result((), 0.0)
    assert with_label_confidences(nothing, np.log(p), alphabet) is nothing


def test_calibration_of_a_hand_made_case():
    """0.9 0.9 0.8 in bin 8-9 (0.8 on its border: bin 7-8), two of them right; 0.3 wrong."""
    measured = calibration([0.9, 0.9, 0.8, 0.3], [True, False, True, False])
    assert [(b.low, b.count) for b in measured.bins] == [(0.2, 1), (0.7, 1), (0.8, 2)]
    assert measured.expected_error == pytest.approx((2 * 0.4 + 0.2 + 0.3) / 4)
    assert measured.largest_error == pytest.approx(0.4)
    assert measured.brier == pytest.approx((0.01 + 0.81 + 0.04 + 0.09) / 4)
    assert (measured.accuracy, measured.confidence) == pytest.approx((0.5, 0.725))
    assert "over 4 answers" in str(measured)


def test_calibration_at_the_ends():
    assert calibration([1.0, 0.0], [True, False]).expected_error == 0.0
    assert calibration([1.0] * 4, [True, True, True, False]).expected_error == 0.25
    assert calibration([], []) == Calibration(0.0, 0.0, 0.0, 0.0, 0.0, ())
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        calibration([1.5], [True])
    with pytest.raises(ValueError, match="confidences for"):
        calibration([0.5], [True, False])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 20))
def test_calibration_errors_are_consistent(answers, bins):
    confidences, correct = zip(*answers, strict=True)
    measured = calibration(confidences, correct, bins)
    assert sum(b.count for b in measured.bins) == len(answers)
    assert all(b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in measured.bins)
    gap = abs(measured.accuracy - measured.confidence)
    assert gap - 1e-9 <= measured.expected_error <= measured.largest_error + 1e-9
    assert calibration(confidences, correct, 1).expected_error == pytest.approx(gap, abs=1e-9)


def test_recalibration_mends_overconfidence_on_fresh_data():
    """Answers that are right with p, given out as a confidence of p^0.3."""
    random = np.random.default_rng(0)
    p = random.random((2, 5000))
    correct = random.random((2, 5000)) < p
    stated = p**0.3
    before = calibration(stated[1], correct[1]).expected_error
    fitted = Recalibration.fit(stated[0], correct[0])
    after = calibration(fitted(stated[1]), correct[1]).expected_error
    assert before > 0.2
    assert after < 0.05


def test_recalibration_finds_a_known_line():
    random = np.random.default_rng(1)
    x = random.normal(size=40000) * 2
    correct = random.random(40000) < 1 / (1 + np.exp(-(0.5 * x - 1)))
    fitted = Recalibration.fit(1 / (1 + np.exp(-x)), correct)
    assert (fitted.slope, fitted.offset) == pytest.approx((0.5, -1.0), abs=0.05)


@pytest.mark.parametrize("answer", [True, False])
def test_recalibration_of_answers_that_are_all_alike(answer):
    fitted = Recalibration.fit([0.2, 0.9, 1.0, 0.0], [answer] * 4)
    assert np.isfinite([fitted.slope, fitted.offset]).all()
    values = fitted([0.9, 0.5])
    assert (values > 0.5).all() if answer else (values < 0.5).all()
