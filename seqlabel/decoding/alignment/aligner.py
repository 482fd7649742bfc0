"""Forced alignment: times and confidences of the labels of a known transcript."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from seqlabel.alphabet import Alphabet, required_frames
from seqlabel.decoding.alignment.kernel import (
    ViterbiMemory,
    forward_backward,
    label_posteriors,
    viterbi,
)
from seqlabel.decoding.alignment.trellis import best_path
from seqlabel.decoding.checks import as_array, check_frames, frame_probabilities
from seqlabel.decoding.results import Result, Span
from seqlabel.errors import InputError


@dataclass(frozen=True)
class Alignment(Result):
    """Known labels aligned with the frames of an utterance.

    log_prob: ln p(labels | x), summed over all paths; of a long utterance the sum over its pieces,
        without the frames in which something is heard that is not written.
    path_log_prob: of the best path.
    spans: the frames of each label on the best path; `probability` is the label's posterior given
        the other labels, compared with all other labels in its place and with none
        (forward-backward). It is low for labels that are wrong in the transcript.
    scores: for each label the mean of ln p(label) over the frames of its span.
    skipped: numbers of the given labels that were left out as not spoken, where that is allowed.
    """

    path_log_prob: float = 0.0
    scores: tuple[float, ...] = ()
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Freedom:
    """What an alignment may make of a transcript that is not exact.

    wildcard: a symbol that the alphabet lacks stands for the best label of each of its frames.
    stars: before which labels (S: behind the last) something may be spoken that is not written;
    it is as probable as the best label or blank of each frame, e^-star_cost times where that is a
    label, and takes a frame at least. words: (first, last + 1) labels that may be left out as not
    spoken, skip_cost nats each; a blank takes their place.
    """

    wildcard: bool = False
    stars: tuple[int, ...] = ()
    star_cost: float = 1.0
    words: tuple[tuple[int, int], ...] = ()
    skip_cost: float = 10.0


EXACT = Freedom()

CELLS = 1 << 23
"""Frames times states up to which posteriors are exact; of more, they are those of pieces."""
PIECE = 2000
"""Frames of a piece, about."""


def align(
    log_probs: Any,
    labels: Sequence[str],
    alphabet: Alphabet,
    name: str = "utterance",
    freedom: Freedom = EXACT,
) -> Alignment:
    """Align the symbols `labels` with one utterance by the Viterbi algorithm.

    log_probs: (T, K) natural log-probabilities, an array or tensor; `name` begins messages.
    An utterance may be hours long: memory grows with the labels times the square root of T.
    Raises InputError for bad log-probabilities, for a symbol that is not in the alphabet, and for
    labels that do not fit into T frames or have no path with a probability above zero.
    """
    log_probs = _checked(log_probs, alphabet, name)
    K, S = log_probs.shape[1], len(labels)
    known = [label for label in labels if label in alphabet] if freedom.wildcard else labels
    encoded = iter(alphabet.encode(known, name))
    indices = [next(encoded) if k in alphabet or not freedom.wildcard else K for k in labels]
    if freedom.wildcard or freedom.stars:
        log_probs = _with_wildcards(log_probs, freedom.star_cost)
    places = sorted(freedom.stars, reverse=True)
    number = list(range(S))  # of each state's label in `labels`, -1 for a star
    for place in places:
        indices.insert(place, K + 1)
        number.insert(place, -1)
    where = {n: e for e, n in enumerate(number) if n >= 0}
    skips = [(2 * where[a], 2 * where[b - 1] + 2) for a, b in freedom.words]
    arcs = np.array(sorted(skips, key=lambda arc: arc[1]), np.int64).reshape(-1, 2)
    if not skips:
        _fitting(indices, log_probs, name)
    targets = np.array(indices, np.int32)
    T = len(log_probs)
    path = np.empty(T, np.int32)
    if skips or T * (2 * len(targets) + 1) > CELLS * 8:
        path_log_prob = float(best_path(log_probs, targets, arcs, freedom.skip_cost, path))
    else:
        memory = ViterbiMemory.of(T, len(targets), np.dtype(np.float64))
        path_log_prob = float(viterbi(log_probs.astype(np.float64), targets, path, memory))
    if path_log_prob == -np.inf:
        raise InputError(f"{name}: the labels have probability zero; is the transcript another's?")
    states = np.arange(len(targets))
    starts, ends = np.searchsorted(path, 2 * states + 1), np.searchsorted(path, 2 * states + 2)
    spoken = np.flatnonzero(ends > starts)
    starts, ends, targets = starts[spoken], ends[spoken], targets[spoken]
    kept = [(i, number[e]) for i, e in enumerate(spoken.tolist()) if number[e] >= 0]
    if not kept and S:
        raise InputError(f"{name}: no word is heard; is the transcript another's?")
    log_prob, posteriors = _posteriors(log_probs, targets, starts, ends, K)
    spans = tuple(
        Span(labels[n], int(starts[i]), int(ends[i]), min(float(posteriors[i]), 1.0))
        for i, n in kept
    )
    scores = [float(log_probs[starts[i] : ends[i], targets[i]].mean()) for i, _ in kept]
    own = tuple(span.label for span in spans)
    return Alignment(
        labels=own,
        log_prob=log_prob,
        spans=spans,
        text=alphabet.text(own),
        path_log_prob=path_log_prob,
        scores=tuple(scores),
        skipped=tuple(sorted(set(range(S)) - {n for _, n in kept})),
    )


def _with_wildcards(log_probs: np.ndarray, star_cost: float) -> np.ndarray:
    """Two more columns: the best label of each frame, and the best of label at a cost and blank."""
    best = log_probs[:, 1:].max(axis=1)
    return np.column_stack([log_probs, best, np.maximum(log_probs[:, 0], best - star_cost)])


def _posteriors(
    log_probs: np.ndarray, labels: np.ndarray, starts: np.ndarray, ends: np.ndarray, K: int
) -> tuple[float, np.ndarray]:
    """ln p and the posterior of each label, of long utterances piece by piece.

    Frames in which a star hears a label are left to it. Where it hears none it takes no part: its
    paths would be counted beside those of the blanks.
    """
    total, posteriors = 0.0, np.ones(len(labels))
    for first, last, own in _between_stars(log_probs, labels, starts, ends, K):
        part, begin, end = log_probs[first:last], starts[own] - first, ends[own] - first
        for f, t, a, b in _pieces(part, begin, end, K):
            frames, given = part[f:t], labels[own[a:b]]
            alpha, beta = np.empty((2, len(frames), 2 * len(given) + 1))
            log_prob = float(forward_backward(frames, given, alpha, beta))
            posteriors[own[a:b]] = label_posteriors(frames, given, alpha, beta, log_prob, K)
            total += log_prob
    return total, posteriors


def _between_stars(
    log_probs: np.ndarray, labels: np.ndarray, starts: np.ndarray, ends: np.ndarray, K: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """(first and last frame, numbers of the labels) between the stars that hear something."""
    first = a = 0
    for star in np.flatnonzero(labels == K + 1).tolist():
        stretch = log_probs[starts[star] : ends[star]]
        heard = starts[star] + np.flatnonzero(stretch[:, K + 1] > stretch[:, 0])
        if heard.size:
            if heard[0] > first:
                yield first, int(heard[0]), a + np.flatnonzero(labels[a:star] <= K)
            first, a = int(heard[-1]) + 1, star + 1
    if first < len(log_probs):
        yield first, len(log_probs), a + np.flatnonzero(labels[a:] <= K)


def _pieces(
    log_probs: np.ndarray, starts: np.ndarray, ends: np.ndarray, K: int
) -> Iterator[tuple[int, int, int, int]]:
    """(first and last frame, first and last label) of pieces that are cut between labels.

    Of the places about PIECE frames on, a cut takes the one with the surest blank.
    """
    T, S = len(log_probs), len(starts)
    first = a = 0
    if T * (2 * S + 1) > CELLS:
        while T - first > 2 * PIECE:
            window = np.arange(first + PIECE // 2, first + 3 * PIECE // 2)
            after = np.searchsorted(ends, window, "right")  # labels that end before each frame
            free = after < S
            free[free] = starts[after[free]] > window[free]
            free |= after == S
            if not free.any():
                break
            cut = int(window[free][np.argmax(log_probs[window[free], 0])])
            b = int(np.searchsorted(ends, cut, "right"))
            yield first, cut, a, b
            first, a = cut, b
    yield first, T, a, S


def state_posteriors(
    log_probs: Any, labels: Sequence[str], alphabet: Alphabet, name: str = "utterance"
) -> np.ndarray:
    """p(state at frame t | x, labels), (T, 2S + 1): label s is column 2s + 1, blanks around it.

    Arguments and errors as of `align`. Every row sums to one.
    """
    log_probs = _checked(log_probs, alphabet, name)
    indices = _fitting(alphabet.encode(labels, name), log_probs, name)
    alpha, beta = np.empty((2, len(log_probs), 2 * len(indices) + 1))
    log_prob = forward_backward(log_probs, indices, alpha, beta)
    if log_prob == -np.inf:
        raise InputError(f"{name}: the labels have probability zero; is the transcript another's?")
    return np.exp(alpha + beta - log_prob)


def _checked(log_probs: Any, alphabet: Alphabet, name: str) -> np.ndarray:
    log_probs = as_array(log_probs)
    if log_probs.ndim != 2:
        raise InputError(f"{name}: log_probs has shape {log_probs.shape}, expected (T, K)")
    check_frames(log_probs, len(alphabet))
    frame_probabilities(log_probs, name)
    return np.ascontiguousarray(log_probs, np.float64)


def _fitting(indices: list[int], log_probs: np.ndarray, name: str) -> np.ndarray:
    """The labels as an array; InputError when the frames are too few for them."""
    needed = required_frames(indices)
    if len(log_probs) < max(needed, 1):
        raise InputError(
            f"{name}: {len(indices)} labels need at least {max(needed, 1)} frames, "
            f"there are {len(log_probs)}; is the transcript another's?"
        )
    return np.array(indices, np.int32)


def without_gaps(spans: Sequence[Span], end: float) -> list[Span]:
    """Spans that touch each other and cover 0..`end`: each gap is cut in its middle.

    A CTC network often marks a label by one or two frames in its midst, and calls the rest blank.
    """
    borders = [(a.end + b.start) / 2 for a, b in pairwise(spans)]
    starts, ends = [0.0, *borders], [*borders, end]
    return [
        span._replace(start=start, end=stop)
        for span, start, stop in zip(spans, starts, ends, strict=False)
    ]


@dataclass(frozen=True)
class BoundaryErrors:
    """Distances of boundaries from those set by hand, in seconds (ours minus theirs)."""

    distances: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the absolute distances; 0 where there are none."""
        return float(np.mean(np.abs(self.distances))) if self.distances else 0.0

    @property
    def bias(self) -> float:
        """Mean of the signed distances: above 0 where boundaries come late."""
        return float(np.mean(self.distances)) if self.distances else 0.0

    def within(self, tolerance: float = 0.02) -> float:
        """Share of boundaries at most `tolerance` seconds off."""
        close = np.abs(self.distances) <= tolerance + 1e-9
        return float(np.mean(close)) if self.distances else 1.0

    def __add__(self, other: "BoundaryErrors") -> "BoundaryErrors":
        return BoundaryErrors(self.distances + other.distances)

    def __str__(self) -> str:
        return (
            f"{len(self.distances)} boundaries, mean error {1000 * self.mean:.1f} ms, "
            f"{self.within():.1%} within 20 ms, bias {1000 * self.bias:+.1f} ms"
        )


def boundary_errors(
    spans: Sequence[Span], segments: Sequence[tuple[str, float, float]]
) -> BoundaryErrors:
    """Compare the beginnings of labels, all but the first, with hand labels; times in seconds.

    segments: (label, start, end) by hand. Where the two label sequences differ, the pairs of an
    alignment with the least edits count whose labels, and whose neighbours to the left, agree.
    """
    ours = [span.label for span in spans]
    theirs = [label for label, _, _ in segments]
    distances = []
    for block in Levenshtein.opcodes(ours, theirs):
        if block.tag == "equal":
            shift = block.dest_start - block.src_start
            distances += [
                spans[i].start - segments[i + shift][1]
                for i in range(block.src_start + 1, block.src_end)
            ]
    return BoundaryErrors(tuple(distances))
