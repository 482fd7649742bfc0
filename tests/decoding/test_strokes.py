"""Strokes of labels: against plain loops, shared and late strokes, labels that no pen writes."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlabel.decoding.results import Result, Span
from seqlabel.decoding.strokes import fired_at, owners, strokes_of_labels


def stroke(first, last, left=None):
    """A stroke with a point at each whole time, x = t or from `left` on."""
    t = np.arange(first, last + 1.0)
    x = t if left is None else left + t - first
    return np.column_stack([x, 0 * t, t])


def owners_by_loops(strokes, fired):
    """Every label is asked of every stroke, and every pair of points for its distance."""

    def away(one, k):
        return max(one[0, 2] - fired[k], fired[k] - one[-1, 2], 0)

    inside = [[] for _ in strokes]
    for k in sorted(range(len(fired)), key=lambda k: (fired[k], k)):
        least = min(away(one, k) for one in strokes)
        near = [s for s, one in enumerate(strokes) if away(one, k) == least]
        for s in near if least == 0 else near[:1]:
            inside[s].append(k)
    found = []
    for s, one in enumerate(strokes):
        pairs = [
            (np.hypot(p[0] - q[0], p[1] - q[1]), other, q[2])
            for other in range(len(strokes))
            if inside[other]
            for p in one
            for q in strokes[other]
        ]
        if not inside[s] and fired:
            least = min(pair[0] for pair in pairs)
            found.append({min(inside[o], key=lambda k: abs(fired[k] - t))
                          for d, o, t in pairs if d == least})  # fmt: skip
        else:
            found.append(inside[s])
    return found


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=6, max_size=6),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_owners_are_those_that_plain_loops_find(lengths, places, fired):
    strokes, at = [], 0
    for length, (gap, left) in zip(lengths, places, strict=False):
        strokes.append(stroke(at, at + length, left))
        at += length + gap
    times = [time / 2 for time in fired]
    for own, expected in zip(owners(strokes, times), owners_by_loops(strokes, times), strict=True):
        # where points are equally far, either is right
        assert own == expected if isinstance(expected, list) else set(own) <= expected


def test_a_stroke_of_many_points_is_compared_in_parts(monkeypatch):
    rng = np.random.default_rng(2)
    strokes = [np.column_stack([rng.normal(size=(40, 2)) * 9, np.arange(40.0) + 50 * n])
               for n in range(9)]  # fmt: skip
    fired = [60.0, 180.5, 333.0]
    whole = owners(strokes, fired)
    monkeypatch.setattr("seqlabel.decoding.strokes._BLOCK", 100)
    assert owners(strokes, fired) == whole
    expected = owners_by_loops(strokes, fired)
    assert [set(own) for own in whole] == [set(own) for own in expected]


def test_a_stroke_may_be_of_several_labels_and_a_label_of_several_strokes():
    strokes = [stroke(0, 9), stroke(12, 13), stroke(20, 39)]  # a bar beside the first
    found = strokes_of_labels(strokes, ["t", "a", "b"], [4.0, 25.0, 35.0])
    assert found == [(0, 1), (2,), (2,)]


def test_a_blank_owns_nothing():
    strokes = [stroke(0, 9), stroke(12, 19)]
    found = strokes_of_labels(strokes, ["a", " ", "b"], [4.0, 12.0, 15.0], {" "})
    assert found == [(0,), (), (1,)]
    assert strokes_of_labels(strokes, [" "], [4.0], {" "}) == [()]
    assert strokes_of_labels(strokes, [], []) == []


def test_a_stroke_without_a_label_goes_to_the_ink_beside_it():
    """The dot of an i, written after the whole word, is the i's and not the last letter's."""
    strokes = [stroke(0, 9), stroke(12, 29), stroke(40, 41, left=3)]
    assert strokes_of_labels(strokes, ["i", "n"], [5.0, 20.0]) == [(0, 2), (1,)]
    joined = [stroke(0, 29), stroke(40, 41, left=3)]
    assert strokes_of_labels(joined, ["i", "n"], [5.0, 20.0]) == [(0, 1), (0,)]


def test_a_label_that_fires_between_strokes_has_the_one_nearest_in_time():
    strokes = [stroke(0, 9), stroke(20, 29), stroke(40, 49)]
    assert strokes_of_labels(strokes, ["a", "b"], [4.0, 34.0]) == [(0,), (1, 2)]


@pytest.mark.parametrize(
    ("span", "time"), [((0.0, 0.5), 0.0), ((0.0, 1.0), 0.0), ((0.5, 2.0), 1.0), ((3.0, 3.5), 3.0)]
)
def test_a_label_fires_at_the_middle_frame_of_its_span(span, time):
    assert fired_at(Span("a", *span, 1.0), np.array([0.0, 0.5, 1.0, 1.5, 3.0])) == time


def test_spans_stay_tuples_of_four():
    plain = Span("a", 0, 1, 0.5)
    assert plain.strokes is None
    assert plain.to_json() == ["a", 0, 1, 0.5]
    span = plain.of_strokes([2, 3])
    label, start, end, probability = span
    assert (label, start, end, probability, span.strokes) == ("a", 0, 1, 0.5, (2, 3))
    assert span == plain == ("a", 0, 1, 0.5)
    assert span._replace(start=0.5).strokes == (2, 3)
    assert pickle.loads(pickle.dumps(span)).strokes == (2, 3)
    assert span.to_json() == ["a", 0, 1, 0.5, [2, 3]]
    assert plain.of_strokes(()).to_json() == ["a", 0, 1, 0.5, []]


def test_words_have_the_strokes_of_their_labels():
    spans = (Span("a", 0, 1, 1.0), Span("b", 1, 2, 1.0), Span(" ", 2, 3, 1.0), Span("c", 3, 4, 1.0))
    words = (Span("ab", 0, 2, 1.0), Span("c", 3, 4, 1.0))
    result = Result(("a", "b", " ", "c"), 0.0, spans, words=words)
    own = [(0,), (0, 1), (), (2,)]
    found = result.with_strokes(lambda given: own[: len(given)])
    assert [word.strokes for word in found.words] == [(0, 1), (2,)]
    assert found.to_json()["words"][0] == ["ab", 0, 2, 1.0, [0, 1]]
    assert found.to_json()["spans"][2] == [" ", 2, 3, 1.0, []]
