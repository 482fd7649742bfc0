"""Forced alignment: where the labels of a known transcript lie, and how sure each of them is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from seqlabel.alphabet import Alphabet, required_frames
from seqlabel.decoding.alignment.kernel import forward_backward, label_posteriors, viterbi
from seqlabel.decoding.checks import as_array, check_frames, frame_probabilities
from seqlabel.decoding.results import Result, Span
from seqlabel.errors import InputError


@dataclass(frozen=True)
class Alignment(Result):
    """Known labels laid over the frames of an utterance.

    log_prob: ln p(labels | x), summed over all paths. path_log_prob: of the best path alone.
    spans: the frames of each label on the best path; `probability` is the label's posterior given
        the other labels, against every label in its place and none (forward-backward). A label
        that is wrong in the transcript has a low one.
    scores: for each label the mean of ln p(label) over the frames of its span.
    """

    path_log_prob: float = 0.0
    scores: tuple[float, ...] = ()


def align(
    log_probs: Any, labels: Sequence[str], alphabet: Alphabet, name: str = "utterance"
) -> Alignment:
    """Align the symbols `labels` with one utterance by the Viterbi algorithm.

    log_probs: (T, K) natural log-probabilities, an array or tensor; `name` begins messages.
    Raises InputError for bad log-probabilities, for a symbol that is not in the alphabet, and for
    labels that do not fit into T frames or have no path with a probability above zero.
    """
    log_probs = _checked(log_probs, alphabet, name)
    indices = _fitting(alphabet.encode(labels, name), log_probs, name)
    T, S = len(log_probs), len(indices)
    path = np.empty(T, np.int32)
    path_log_prob = float(viterbi(log_probs.astype(np.float64), indices, path))
    if path_log_prob == -np.inf:
        raise InputError(f"{name}: the labels have probability zero; is the transcript another's?")
    alpha, beta = np.empty((2, T, 2 * S + 1))
    log_prob = float(forward_backward(log_probs, indices, alpha, beta))
    posteriors = label_posteriors(log_probs, indices, alpha, beta, log_prob)
    starts = np.searchsorted(path, 2 * np.arange(S) + 1)
    ends = np.searchsorted(path, 2 * np.arange(S) + 2)
    scores = [
        float(log_probs[start:end, k].mean())
        for start, end, k in zip(starts, ends, indices, strict=True)
    ]
    columns = starts.tolist(), ends.tolist(), np.minimum(posteriors, 1.0).tolist()
    return Alignment(
        labels=tuple(labels),
        log_prob=log_prob,
        spans=tuple(Span(*row) for row in zip(labels, *columns, strict=True)),
        text=alphabet.text(labels),
        path_log_prob=path_log_prob,
        scores=tuple(scores),
    )


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


def word_spans(spans: Sequence[Span], separator: str = " ") -> list[Span]:
    """The words of characters with `separator` between them; a word is as sure as its worst label.

    A word ends where its last character ends: separators and blanks belong to no word.
    """
    return [
        Span(
            "".join(span.label for span in word),
            word[0].start,
            word[-1].end,
            min(span.probability for span in word),
        )
        for word in _words(spans, separator)
    ]


def _words(spans: Sequence[Span], separator: str) -> Iterator[list[Span]]:
    word: list[Span] = []
    for span in spans:
        if span.label != separator:
            word.append(span)
        elif word:
            yield word
            word = []
    if word:
        yield word


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
