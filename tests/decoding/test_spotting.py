"""Keyword spotting against the enumeration of all paths; figure of merit on hand-made cases."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.results import Span
from seqlabel.decoding.spotting.merit import figure_of_merit
from seqlabel.decoding.spotting.spotter import Keyword, Spotter, read_keywords
from seqlabel.errors import InputError

ABC = Alphabet("abc")


def runs_of(path):
    """(label, first frame, frame behind the last) of every run that is no blank."""
    at, runs = 0, []
    for label, frames in itertools.groupby(path):
        length = len([*frames])
        if label:
            runs.append((label, at, at + length))
        at += length
    return runs


def by_enumeration(p, keyword, window, separator):
    """For each frame the probability that the keyword's first run begins there."""
    T, K = p.shape
    score = np.zeros(T)
    for path in itertools.product(range(K), repeat=T):
        runs, n = runs_of(path), len(keyword)
        for i in range(len(runs) - n + 1):
            if tuple(label for label, _, _ in runs[i : i + n]) != keyword:
                continue
            start, end = runs[i][1], runs[i + n - 1][2]
            around = [*runs[max(0, i - 1) : i], *runs[i + n : i + n + 1]]
            if separator and any(label != separator for label, _, _ in around):
                continue
            if end - start <= window:
                score[start] += math.prod(p[t, k] for t, k in enumerate(path))
    return score


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.integers(1, 2), min_size=1, max_size=3),
    st.integers(1, 6),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_start_probabilities_equal_the_enumeration_of_all_paths(T, keyword, window, apart, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(4), T)
    spelling = ABC.decode(keyword)
    words = (Keyword("word", (spelling,)),)
    spotter = Spotter(ABC, words, window=window, separator="c" if apart else None)
    score, end = spotter.start_probabilities(spelling, p)
    expected = by_enumeration(p, tuple(keyword), window, 3 if apart else None)
    np.testing.assert_allclose(score, expected, atol=1e-12)
    assert ((end - np.arange(T) <= window) & (end >= np.arange(T))).all()


def posteriors(text, alphabet, frames=3, sure=0.97):
    """Peaky posteriors of a text: one frame for each label, `frames` - 1 blanks behind it."""
    K = len(alphabet)
    p = np.full((frames * len(text) + frames, K), (1 - sure) / (K - 1))
    p[:, 0] = sure
    for i, k in enumerate(alphabet.encode(list(text))):
        p[frames * (i + 1)] = (1 - sure) / (K - 1)
        p[frames * (i + 1), k] = sure
    return p


LETTERS = Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZ ", unit="character")


def keyword(*names):
    return tuple(Keyword(name, (tuple(name),)) for name in names)


def test_finds_every_occurrence_with_its_place_and_probability():
    p = posteriors("ONE TWO PHONE ONE", LETTERS)
    hits = Spotter(LETTERS, keyword("ONE", "TEN"), separator=" ").spot(np.log(p))
    assert [(hit.label, hit.start, hit.end) for hit in hits] == [("ONE", 3, 10), ("ONE", 45, 52)]
    assert all(0.5 < hit.probability <= 1 for hit in hits)
    inside = Spotter(LETTERS, keyword("ONE")).spot(np.log(p))
    assert [(hit.start, hit.end) for hit in inside] == [(3, 10), (33, 40), (45, 52)]


def test_what_is_unsure_is_a_hit_of_low_probability():
    p = posteriors("A ONE A", LETTERS, sure=0.9999)
    p[9, LETTERS.encode("O")[0]] -= 0.6
    p[9, LETTERS.encode("A")[0]] += 0.6
    (hit,) = Spotter(LETTERS, keyword("ONE"), separator=" ").spot(np.log(p))
    assert hit.probability == pytest.approx(0.4, abs=0.01)
    assert not Spotter(LETTERS, keyword("ONE"), separator=" ", threshold=0.6).spot(np.log(p))


def test_a_hit_at_the_threshold_is_a_hit():
    (hit,) = Spotter(ABC, keyword("a"), threshold=0.5).spot(np.log([[0.25, 0.5, 0.125, 0.125]]))
    assert hit == Span("a", 0, 1, 0.5)


def test_window_and_spellings():
    p = posteriors("AB", ABC := Alphabet("ABC"), frames=5)
    assert Spotter(ABC, keyword("AB"), window=6).spot(np.log(p))
    assert not Spotter(ABC, keyword("AB"), window=5).spot(np.log(p))
    endless = Spotter(ABC, keyword("AB"), window=10**30).spot(np.log(p))
    assert endless == Spotter(ABC, keyword("AB")).spot(np.log(p))
    both = Keyword("x", (("C",), ("A", "B")))
    (hit,) = Spotter(ABC, (both,)).spot(np.log(p))
    assert (hit.label, hit.start, hit.end) == ("x", 5, 11)
    # One occurrence that two spellings may explain is one hit, as probable as both together.
    p = np.full((3, 4), 0.01)
    p[1] = [0.02, 0.48, 0.48, 0.02]
    p[[0, 2], 0] = 0.97
    (hit,) = Spotter(ABC, (Keyword("x", (("A",), ("B",))),)).spot(np.log(p))
    assert hit.probability == pytest.approx(0.96, abs=0.03)


def test_keyword_files(tmp_path):
    path = tmp_path / "keywords.txt"
    path.write_text("# comment\nONE\n\nTWO  T U\nTWO T O\nTWO T U\n")
    assert read_keywords(path, LETTERS) == [
        Keyword("ONE", (("O", "N", "E"),)),
        Keyword("TWO", (("T", "U"), ("T", "O"))),
    ]
    path.write_text("ONE\u2028O N\n")
    assert read_keywords(path, LETTERS) == [Keyword("ONE", (("O", "N"),))]
    phones = Alphabet(["w", "ah", "n"])
    path.write_text("one w ah n\n")
    assert read_keywords(path, phones) == [Keyword("one", (("w", "ah", "n"),))]
    path.write_text("two\n")
    with pytest.raises(InputError, match=r"keywords.txt:1: two: label 'two' is not in the alphabe"):
        read_keywords(path, phones)
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="no keywords"):
        read_keywords(path, phones)


def test_bad_options_and_input():
    with pytest.raises(InputError, match="window is 0"):
        Spotter(ABC, keyword("a"), window=0)
    with pytest.raises(InputError, match="threshold is 0"):
        Spotter(ABC, keyword("a"), threshold=0)
    with pytest.raises(InputError, match="keyword abz: symbol 'z'"):
        Spotter(ABC, keyword("abz"))
    with pytest.raises(InputError, match="none of them the separator"):
        Spotter(ABC, keyword("ac"), separator="c")
    with pytest.raises(InputError, match="a spelling needs labels"):
        Spotter(ABC, (Keyword("x", ((),)),))
    with pytest.raises(InputError, match="apply log_softmax"):
        Spotter(ABC, keyword("a")).spot(np.ones((3, 4)))
    with pytest.raises(InputError, match=r"expected \(T, K\)"):
        Spotter(ABC, keyword("a")).spot(np.zeros((1, 3, 4)))
    assert Spotter(ABC, keyword("a")).spot(np.zeros((0, 4))) == []


def hit(word, middle, probability):
    return ("u", Span(word, middle - 1, middle + 1, probability))


def test_figure_of_merit_by_hand():
    """Half an hour: five false alarms at ten an hour. Three of four are found.

    Hits by probability: true, false, true, false, true: p_1 = 1/4, p_2 = 2/4, then 3/4.
    """
    truth = [("u", ("x", t, t + 10)) for t in (0, 100, 200, 300)]
    hits = [hit("x", 5, 0.9), hit("x", 50, 0.8), hit("x", 105, 0.7), hit("x", 60, 0.6)]
    hits.append(hit("x", 201, 0.5))
    overall, each = figure_of_merit(hits, truth, 1800)
    assert overall.merit == pytest.approx((0.25 + 0.5 + 3 * 0.75) / 5)
    assert (overall.found, overall.occurrences, overall.false_alarms) == (3, 4, 2)
    assert (overall.recall, overall.precision) == (0.75, 0.6)
    assert each == {"x": overall}
    # A quarter of that time: one false alarm and a quarter.
    overall, _ = figure_of_merit(hits, truth, 450)
    assert overall.merit == pytest.approx((0.25 + 0.25 * 0.5) / 1.25)


def test_figure_of_merit_counts_places_once_and_weighs_by_occurrences():
    truth = [("u", ("x", 0, 10)), ("v", ("x", 0, 10)), ("u", ("y", 0, 10)), ("u", ("y", 50, 60))]
    truth += [("u", ("y", 70, 80)), ("u", ("y", 90, 99))]
    hits = [hit("x", 5, 0.9), hit("x", 6, 0.8), hit("y", 5, 0.9), hit("z", 5, 0.9)]
    overall, each = figure_of_merit(hits, truth, 3600)
    assert (each["x"].found, each["x"].false_alarms) == (1, 1)
    assert each["x"].merit == pytest.approx(0.5)
    assert (each["y"].merit, each["y"].recall) == pytest.approx((0.25, 0.25))
    assert (each["z"].merit, each["z"].occurrences, each["z"].precision) == (0, 0, 0)
    assert overall.merit == pytest.approx((2 * 0.5 + 4 * 0.25) / 6)
    assert overall.false_alarms == 2
    assert figure_of_merit([], [], 1.0)[0].merit == 0
    with pytest.raises(ValueError, match="more than 0"):
        figure_of_merit([], [], 0)
