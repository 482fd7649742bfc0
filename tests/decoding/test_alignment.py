"""Forced alignment against the enumeration of all paths, and what is made of alignments."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.alignment.aligner import (
    BoundaryErrors,
    align,
    boundary_errors,
    state_posteriors,
    without_gaps,
)
from seqlabel.decoding.alignment.files import write_phn, write_textgrid
from seqlabel.decoding.alignment.transcripts import word_spans
from seqlabel.decoding.results import Span
from seqlabel.errors import InputError

ABC = Alphabet("abc")


def collapse(path):
    return tuple(k for k, _ in itertools.groupby(path) if k)


def probability_of(path, p):
    return math.prod(p[t, k] for t, k in enumerate(path))


@st.composite
def cases(draw):
    """Probabilities (T, K) with K up to 4, some of them zero, and labels that fit."""
    T, K = draw(st.integers(1, 6)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = random.dirichlet(np.full(K, draw(st.sampled_from([0.2, 1.0, 5.0]))), T)
    p[random.random((T, K)) < draw(st.sampled_from([0.0, 0.1]))] = 0
    p[p.sum(axis=1) == 0, 0] = 1
    p /= p.sum(axis=1, keepdims=True)
    labels = collapse(random.integers(0, K, T))
    return p, labels


def log(p):
    with np.errstate(divide="ignore"):
        return np.log(p)


@settings(max_examples=80, deadline=None)
@given(cases())
def test_equals_the_enumeration_of_all_paths(case):
    p, labels = case
    T, K = p.shape
    alphabet = Alphabet("abc"[: K - 1])
    symbols = alphabet.decode(labels)
    paths = [*itertools.product(range(K), repeat=T)]
    of_labels = {path: probability_of(path, p) for path in paths if collapse(path) == labels}
    if max(of_labels.values()) == 0:
        with pytest.raises(InputError, match="probability zero"):
            align(log(p), symbols, alphabet)
        return
    result = align(log(p), symbols, alphabet)
    assert result.labels == symbols
    assert math.exp(result.path_log_prob) == pytest.approx(max(of_labels.values()), rel=1e-9)
    assert math.exp(result.log_prob) == pytest.approx(sum(of_labels.values()), rel=1e-9)

    # The spans are those of a path of that probability.
    path = np.zeros(T, int)
    for span, k, score in zip(result.spans, labels, result.scores, strict=True):
        path[span.start : span.end] = k
        assert score == pytest.approx(np.log(p[span.start : span.end, k]).mean())
    assert collapse(path) == labels
    assert probability_of(path, p) == pytest.approx(max(of_labels.values()), rel=1e-9)

    # A label's posterior: its labelling against all that differ in that place only.
    totals = {}
    for path in paths:
        key = collapse(path)
        totals[key] = totals.get(key, 0.0) + probability_of(path, p)
    for s, span in enumerate(result.spans):
        others = [(*labels[:s], k, *labels[s + 1 :]) for k in range(1, K)]
        others.append((*labels[:s], *labels[s + 1 :]))
        expected = totals[labels] / sum(totals.get(other, 0.0) for other in others)
        assert span.probability == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_state_posteriors_equal_the_enumeration(case):
    p, labels = case
    T, K = p.shape
    alphabet = Alphabet("abc"[: K - 1])
    expected = np.zeros((T, 2 * len(labels) + 1))
    for path in itertools.product(range(K), repeat=T):
        if collapse(path) == labels:
            state, before = 0, 0
            for t, k in enumerate(path):
                if k != before:  # a label begins, or a blank behind one
                    state = state + 1 if (state % 2 == 0) or k == 0 else state + 2
                expected[t, state] += probability_of(path, p)
                before = k
    if expected.sum() == 0:
        return
    ours = state_posteriors(log(p), alphabet.decode(labels), alphabet)
    np.testing.assert_allclose(ours, expected / expected[0].sum(), atol=1e-9)


def random_posteriors(T, K, seed=0, sharpness=8.0):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(T, K)) * sharpness)
    return logits.log_softmax(-1)


def test_the_sum_over_paths_is_that_of_torch():
    log_probs = random_posteriors(200, 30)
    alphabet = Alphabet([f"s{k}" for k in range(1, 30)])
    labels = np.random.default_rng(1).integers(1, 30, 60)
    result = align(log_probs, alphabet.decode(labels.tolist()), alphabet)
    loss = torch.nn.functional.ctc_loss(
        log_probs[:, None], torch.from_numpy(labels)[None], [200], [60], reduction="sum"
    )
    assert result.log_prob == pytest.approx(-float(loss), rel=1e-9)
    assert result.log_prob < -1000  # far below what plain floating-point numbers hold
    assert all(0.0 <= span.probability <= 1.0 for span in result.spans)


def test_a_wrong_label_in_the_transcript_has_a_low_posterior():
    p = np.full((12, 4), 0.01)
    p[[0, 1, 4, 5, 8, 9], [1, 1, 2, 2, 3, 3]] = 0.97
    p[[2, 3, 6, 7, 10, 11], 0] = 0.97
    right, wrong = align(np.log(p), "abc", ABC), align(np.log(p), "aba", ABC)
    assert [span.probability > 0.98 for span in right.spans] == [True] * 3
    assert [span.probability > 0.9 for span in wrong.spans] == [True, True, False]
    assert wrong.spans[2].probability < 0.02
    assert [(s.start, s.end) for s in right.spans] == [(0, 2), (4, 6), (8, 10)]


def test_no_labels_and_single_precision():
    result = align(random_posteriors(5, 4).float(), "", ABC)
    assert (result.spans, result.scores, result.text) == ((), (), "")
    exact = align(random_posteriors(20, 4), "abcab", ABC)
    rounded = align(random_posteriors(20, 4).float(), "abcab", ABC)
    assert rounded.log_prob == pytest.approx(exact.log_prob, rel=1e-5)


def test_bad_input():
    good = random_posteriors(4, 4)
    with pytest.raises(InputError, match=r"an1: 3 labels need at least 5 frames, there are 4"):
        align(good, "aaa", ABC, "an1")
    with pytest.raises(InputError, match=r"an1: symbol 'd' is not in the alphabet"):
        align(good, "ad", ABC, "an1")
    with pytest.raises(InputError, match=r"expected \(T, K\)"):
        align(good[None], "a", ABC)
    with pytest.raises(InputError, match="apply log_softmax"):
        align(good + 3, "a", ABC)
    with pytest.raises(InputError, match="5 labels, the alphabet 4"):
        align(random_posteriors(4, 5), "a", ABC)
    with pytest.raises(InputError, match="frame 1: log_probs is NaN"):
        align(np.where(np.arange(4)[:, None] == 1, np.nan, good), "a", ABC)
    with pytest.raises(InputError, match="there are 0"):
        align(np.empty((0, 4)), "", ABC)
    with pytest.raises(InputError, match="probability zero"):
        align(np.full((3, 4), -np.inf), "", ABC)
    with pytest.raises(InputError, match="an1: the labels have probability zero"):
        state_posteriors(np.full((3, 4), -np.inf), "a", ABC, "an1")


def test_times_in_seconds_and_words():
    p = np.full((8, 4), 1e-4)
    p[range(8), [0, 1, 1, 0, 3, 2, 2, 0]] = 1 - 3e-4
    alphabet = Alphabet("ab ", unit="character")
    result = align(np.log(p), "a b", alphabet).with_times(np.arange(8) * 0.02, 0.025)
    times = [(0.02, 0.06), (0.08, 0.10), (0.10, 0.14)]
    np.testing.assert_allclose([(s.start, s.end) for s in result.spans], times)
    assert len(result.scores) == 3
    words = word_spans(result.spans)
    assert [word.label for word in words] == ["a", "b"]
    assert words[1].probability == result.spans[2].probability
    assert word_spans([Span(" ", 0, 1, 1.0)]) == []


def test_gaps_are_cut_in_the_middle():
    spans = [Span("a", 0.1, 0.2, 1.0), Span("b", 0.4, 0.5, 1.0), Span("c", 0.5, 0.6, 1.0)]
    covered = without_gaps(spans, 1.0)
    assert [(s.start, s.end) for s in covered] == [
        (0.0, pytest.approx(0.3)),
        (pytest.approx(0.3), 0.5),
        (0.5, 1.0),
    ]
    assert without_gaps([], 1.0) == []


def test_boundary_errors_on_hand_made_cases():
    segments = [("h#", 0.0, 0.1), ("a", 0.1, 0.3), ("b", 0.3, 0.5), ("h#", 0.5, 0.6)]
    spans = [Span("h#", 0, 0.11, 1), Span("a", 0.11, 0.27, 1), Span("b", 0.27, 0.56, 1)]
    spans.append(Span("h#", 0.56, 0.6, 1))
    errors = boundary_errors(spans, segments)
    assert errors.distances == pytest.approx((0.01, -0.03, 0.06))
    assert errors.mean == pytest.approx(0.1 / 3)
    assert errors.bias == pytest.approx(0.04 / 3)
    assert errors.within() == pytest.approx(1 / 3)
    assert errors.within(0.03) == pytest.approx(2 / 3)
    assert (errors + errors).within() == errors.within()
    # With another label between them, "a" and "b" have no boundary in common.
    longer = [*segments[:2], ("q", 0.3, 0.31), ("b", 0.31, 0.5), segments[3]]
    assert boundary_errors(spans, longer).distances == pytest.approx((0.01, 0.06))
    assert boundary_errors([], segments) == BoundaryErrors(())
    assert str(errors) == ("3 boundaries, mean error 33.3 ms, 33.3% within 20 ms, bias +13.3 ms")
    assert str(BoundaryErrors(())) == (
        "0 boundaries, mean error 0.0 ms, 100.0% within 20 ms, bias +0.0 ms"
    )


def test_text_grid(tmp_path):
    tiers = {"phones": [Span("a", 0.1, 0.2, 1), Span('"', 0.2, 0.5, 1)], "none": []}
    write_textgrid(tmp_path / "a.TextGrid", tiers, 0.6)
    lines = (tmp_path / "a.TextGrid").read_text().splitlines()
    assert lines[:2] == ['File type = "ooTextFile"', 'Object class = "TextGrid"']
    assert "        intervals: size = 4" in lines
    assert '            text = """"' in lines
    starts = [float(line.split()[-1]) for line in lines if "            xmin" in line]
    ends = [float(line.split()[-1]) for line in lines if "            xmax" in line]
    assert starts == [0.0, 0.1, 0.2, 0.5, 0.0]
    assert ends == [0.1, 0.2, 0.5, 0.6, 0.6]
    with pytest.raises(InputError, match="'b' and 'a' overlap"):
        spans = [Span("b", 0, 0.3, 1), Span("a", 0.2, 0.4, 1)]
        write_textgrid(tmp_path / "b", {"x": spans}, 1)
    after, before = [spans[0], Span("a", 0.3, 0.4, 1)], [Span("a", -0.1, 0.1, 1), spans[1]]
    for wrong, duration in ((spans[:1], 0.2), (after, 0.35), (before, 1.0)):
        with pytest.raises(InputError, match=f"outside 0..{duration:.3f} s, the recording"):
            write_textgrid(tmp_path / "b", {"x": wrong}, duration)
    for end in (0.2, 0.2 + 1e-7):
        with pytest.raises(InputError, match=r"b: tier x: 'b' has no duration, .* use json or ctm"):
            still = [Span("a", 0.1, 0.2, 1), Span("b", 0.2, end, 1), Span("c", end, 0.5, 1)]
            write_textgrid(tmp_path / "b", {"x": still}, 1)
    assert not (tmp_path / "b").exists()


def test_phn_files_are_those_of_timit(tmp_path, timit):
    """A file of the corpus comes out as it went in."""
    source = min(timit.rglob("*.PHN"))
    rows = [line.split() for line in source.read_text().splitlines()]
    spans = [Span(label, int(a) / 16000, int(b) / 16000, 1.0) for a, b, label in rows]
    write_phn(tmp_path / "out.phn", spans, 16000)
    assert (tmp_path / "out.phn").read_text() == "".join(f"{' '.join(row)}\n" for row in rows)


def test_phn_refuses_labels_with_white_space(tmp_path):
    with pytest.raises(InputError, match="white space"):
        write_phn(tmp_path / "out.phn", [Span(" ", 0, 1, 1.0)], 16000)
