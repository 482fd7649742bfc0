"""Transcripts that are not exact: wildcards, stars, words left out; long ones piece by piece."""

import itertools
import math

import numpy as np
import pytest

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.alignment import aligner
from seqlabel.decoding.alignment.aligner import Freedom, align
from seqlabel.decoding.alignment.kernel import ViterbiMemory, viterbi
from seqlabel.decoding.alignment.trellis import best_path, bounded_path, score_in_beam
from seqlabel.errors import InputError

ABC = Alphabet("abc ", unit="character")
NONE = np.empty((0, 2), np.int64)


def random_frames(rng, T, K=5):
    logits = rng.normal(0, 2, (T, K))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def every_path(columns, labels, skips, cost):
    """The best score of all state sequences, by enumeration; (score, path)."""
    T, J = len(columns), 2 * len(labels) + 1
    emission = [0 if j % 2 == 0 else labels[j >> 1] for j in range(J)]
    best = (-math.inf, ())
    free = [[] for _ in range(J)]
    for a, b in skips:
        free[a].append(b)

    def reach(j, paid):
        """States behind skips at the same frame, with what they cost."""
        yield j, paid
        for b in free[j]:
            yield from reach(b, paid + cost)

    def moves(j):
        for target in (j, j + 1, j + 2):
            if target >= J:
                continue
            if target == j + 2 and (
                target % 2 == 0 or labels[target >> 1] == labels[(target >> 1) - 1]
            ):
                continue
            yield target

    def walk(t, j, score, path):
        nonlocal best
        if t == T:
            if j >= J - 2 and score > best[0]:
                best = score, tuple(path)
            return
        for target in moves(j):
            gained = score + columns[t, emission[target]]
            for state, paid in reach(target, 0.0):
                walk(t + 1, state, gained - paid, [*path, state])

    for start in (0, 1)[:J]:
        for state, paid in reach(start, 0.0):
            walk(1, state, columns[0, emission[start]] - paid, [state])
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_all_paths(seed):
    rng = np.random.default_rng(seed)
    T, S = int(rng.integers(4, 8)), int(rng.integers(1, 4))
    columns = random_frames(rng, T)
    labels = rng.integers(1, 5, S).astype(np.int32)
    pairs = [(a, b) for a, b in itertools.combinations(range(S + 1), 2) if rng.random() < 0.4]
    skips = sorted(((2 * a, 2 * b) for a, b in pairs), key=lambda arc: arc[1])
    arcs = np.array(skips, np.int64).reshape(-1, 2)
    path = np.empty(T, np.int32)
    found = best_path(columns, labels, arcs, 1.5, path)
    expected, _ = every_path(columns, labels, skips, 1.5)
    assert found == pytest.approx(expected) or found == expected == -math.inf
    if expected > -math.inf:
        assert (np.diff(path) >= 0).all()


@pytest.mark.parametrize("T", [1, 2, 3, 10, 99, 100, 101, 400])
def test_without_freedom_it_is_the_plain_viterbi_path(T):
    rng = np.random.default_rng(T)
    columns = random_frames(rng, T)
    labels = rng.integers(1, 5, max(1, T // 4)).astype(np.int32)
    ours, theirs = np.empty((2, T), np.int32)
    memory = ViterbiMemory.of(T, len(labels), columns.dtype)
    assert best_path(columns, labels, NONE, 0.0, ours) == pytest.approx(
        viterbi(columns, labels, theirs, memory)
    )
    np.testing.assert_array_equal(ours, theirs)


def words_of(rng, count):
    """Labels of words with 4 between them, and the skips over each word."""
    labels, arcs = [], []
    for _ in range(count):
        first = len(labels)
        labels += [*rng.integers(1, 4, rng.integers(1, 6)).tolist(), 4]
        arcs.append((2 * first, 2 * len(labels)))
    return np.array(labels, np.int32), np.array(arcs, np.int64)


@pytest.mark.parametrize("beam", [2.0, 20.0, 300.0])
@pytest.mark.parametrize("said", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("free", [False, True])
def test_bounds_change_neither_the_path_nor_its_score(beam, said, free):
    """Labels that are said with this probability, others in their place; narrow and wide beams."""
    rng = np.random.default_rng(round(beam + 100 * said + free))
    labels, arcs = words_of(rng, 60)
    rows = [row for k in labels for row in (k if rng.random() < said else rng.integers(1, 5), 0, 0)]
    columns = random_frames(rng, len(rows))
    columns[np.arange(len(rows)), rows] += 9
    columns -= np.log(np.exp(columns).sum(axis=1, keepdims=True))
    skips = arcs if free else NONE
    whole, bounded = np.empty((2, len(rows)), np.int32)
    expected = bounded_path(columns, labels, skips, 5.0, -np.inf, whole)
    bound = score_in_beam(columns, labels, skips, 5.0, beam)
    assert bound <= expected + 1e-9
    assert bounded_path(columns, labels, skips, 5.0, bound, bounded) == expected
    np.testing.assert_array_equal(bounded, whole)
    if beam == 300.0:
        assert bound == pytest.approx(expected)


def spikes(text, alphabet=ABC, gap=2, width=1, sure=0.9):
    """Frames that say a text: each label `width` frames, `gap` blanks behind it."""
    K = len(alphabet)
    rows = []
    for label in alphabet.encode(text):
        rows += [label] * width + [0] * gap
    frames = np.full((len(rows), K), (1 - sure) / (K - 1))
    frames[np.arange(len(rows)), rows] = sure
    return np.log(frames)


def test_unknown_symbols_take_the_best_label_and_get_times():
    frames = spikes("abcab")
    with pytest.raises(InputError, match="£"):
        align(frames, tuple("ab£ab"), ABC)
    found = align(frames, tuple("ab£ab"), ABC, freedom=Freedom(wildcard=True))
    assert found.labels == tuple("ab£ab")
    assert [(s.start, s.end) for s in found.spans] == [(n, n + 1) for n in range(0, 15, 3)]
    assert all(0.8 < span.probability <= 1 for span in found.spans)


def test_known_symbols_beside_unknown_ones_stay_themselves():
    found = align(spikes("abc"), tuple("ac£"), ABC, freedom=Freedom(wildcard=True))
    assert [s.start for s in found.spans] == [0, 3, 6]
    assert found.spans[1].probability < 0.1 < 0.5 < found.spans[2].probability


def test_what_stars_and_words_left_out_cost_where_nothing_is_said():
    """1 nat for each frame of a star that hears a label, 10 for each word."""
    exact = tuple("a")
    found = align(spikes("abb", gap=0, width=2), exact, ABC, freedom=Freedom(stars=(1,)))
    assert found.path_log_prob == pytest.approx(6 * np.log(0.9) - 4)
    frames = spikes("a", gap=3, sure=1 - 3e-9)
    found = align(frames, tuple("abc"), ABC, freedom=Freedom(words=((1, 2), (2, 3))))
    assert found.skipped == (1, 2)
    assert found.path_log_prob == pytest.approx(-20, abs=1e-6)


def test_what_is_spoken_and_not_written_goes_to_a_star():
    frames = spikes("ab" + "ccbac" * 4 + "ca")
    tight = align(frames, tuple("abca"), ABC)
    found = align(frames, tuple("abca"), ABC, freedom=Freedom(stars=(2,)))
    assert [s.start for s in found.spans] == [0, 3, 66, 69]
    assert found.path_log_prob > tight.path_log_prob + 20  # without one, blanks must explain it
    assert found.labels == tuple("abca")


def blurred(text):
    """Frames of a text in which other labels are probable as well."""
    noise = np.exp(random_frames(np.random.default_rng(3), 3 * len(text)))
    return np.log(0.8 * np.exp(spikes(text, sure=0.95)) + 0.2 * noise)


def test_stars_that_hear_nothing_leave_posteriors_as_they_are():
    frames = blurred("ab ca")
    exact = align(frames, tuple("ab ca"), ABC)
    free = align(frames, tuple("ab ca"), ABC, freedom=Freedom(stars=(3, 5), star_cost=3.0))
    assert free.spans == exact.spans
    assert free.log_prob == pytest.approx(exact.log_prob)
    assert min(span.probability for span in exact.spans) < 0.95


def test_posteriors_on_either_side_of_a_star_are_those_of_the_parts():
    frames = blurred("ab" + "ccbac" * 4 + "ca")
    found = align(frames, tuple("abca"), ABC, freedom=Freedom(stars=(2,), star_cost=0.5))
    assert [s.start for s in found.spans] == [0, 3, 66, 69]
    before = align(frames[:6], tuple("ab"), ABC)  # the star hears frames 6 to 63
    after = align(frames[64:], tuple("ca"), ABC)
    parts = [span.probability for part in (before, after) for span in part.spans]
    assert [span.probability for span in found.spans] == pytest.approx(parts)
    assert found.log_prob == pytest.approx(before.log_prob + after.log_prob)


def test_what_is_written_and_not_spoken_is_left_out():
    frames = spikes("ab ca")
    freedom = Freedom(words=((0, 3), (3, 6), (6, 8)), skip_cost=4.0)
    found = align(frames, tuple("ab bb ca"), ABC, freedom=freedom)
    assert found.skipped == (3, 4, 5)
    assert found.labels == tuple("ab ca")
    assert [s.start for s in found.spans] == [0, 3, 6, 9, 12]
    kept = align(frames, tuple("ab ca"), ABC, freedom=Freedom(words=((0, 3), (3, 5))))
    assert kept.skipped == ()


def test_posteriors_of_pieces_are_those_of_the_whole(monkeypatch):
    rng = np.random.default_rng(4)
    text = "".join(rng.choice(list("abc "), 400))
    frames = spikes(text, gap=3, sure=0.8)
    whole = align(frames, tuple(text), ABC)
    monkeypatch.setattr(aligner, "CELLS", 1000)
    monkeypatch.setattr(aligner, "PIECE", 60)
    parts = align(frames, tuple(text), ABC)
    assert [s[:3] for s in parts.spans] == [s[:3] for s in whole.spans]
    pairs = zip(parts.spans, whole.spans, strict=True)
    gaps = np.abs([a.probability - b.probability for a, b in pairs])
    assert np.quantile(gaps, 0.5) < 0.02  # what lies beyond a cut matters to the labels beside it
    assert max(s.probability for s in whole.spans) < 0.999


def test_pieces_are_cut_where_the_blank_between_two_labels_is_surest(monkeypatch):
    T, S = 60, 15
    starts = np.arange(0, 3 * S, 3)  # the last 15 frames are without labels
    frames = np.full((T, 2), -1.0)
    frames[[13, 26, 35, 41], 0] = -0.1  # behind the labels 4, 8, 11 and 13
    frames[[12, 24], 0] = 0.0  # within a label
    monkeypatch.setattr(aligner, "PIECE", 10)
    monkeypatch.setattr(aligner, "CELLS", T * (2 * S + 1) - 1)
    assert list(aligner._pieces(frames, starts, starts + 1, 2)) == [
        (0, 13, 0, 5), (13, 26, 5, 9), (26, 35, 9, 12), (35, 41, 12, 14), (41, 60, 14, 15),
    ]  # fmt: skip
    monkeypatch.setattr(aligner, "CELLS", T * (2 * S + 1))
    assert list(aligner._pieces(frames, starts, starts + 1, 2)) == [(0, T, 0, S)]


@pytest.mark.parametrize("text", ["aab", "aaa", "abba", "a", "abab"])
def test_as_many_frames_as_labels_and_repeats(text):
    """T = S + repeats: a single path, every label a frame."""
    frames = random_frames(np.random.default_rng(1), len(text) + sum(
        a == b for a, b in itertools.pairwise(text)
    ))  # fmt: skip
    found = align(frames, tuple(text), ABC)
    assert "".join(found.labels) == text
    assert all(span.end == span.start + 1 for span in found.spans)


def test_the_last_label_ends_before_the_silence_behind_it():
    frames = np.concatenate([spikes("abc"), spikes("", gap=0), spikes("a")[1:].repeat(500, 0)])
    assert frames[-1].argmax() == 0
    found = align(frames, tuple("abc"), ABC)
    assert found.spans[-1].end == 7
