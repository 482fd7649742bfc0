"""Where the labels of results lie."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numba import njit

from seqlabel.decoding.alignment.kernel import viterbi
from seqlabel.decoding.alignment.trellis import best_path
from seqlabel.decoding.search.labels import Hypothesis

LARGE = 1 << 26
"""Frames times states of which `viterbi` is not to keep all: it would take as many bytes."""

LabelSpans = tuple[list[int], list[int], list[float]]
"""First frames, frames behind the last, and largest probabilities of S labels."""


def batch_spans(
    log_probs: np.ndarray, lengths: np.ndarray, hypotheses: Sequence[Sequence[Hypothesis]]
) -> list[LabelSpans | None]:
    """Where the labels of the first hypothesis of each utterance (B, T, K) lie, None without."""
    labels = [own[0].labels if own else np.empty(0, np.int32) for own in hypotheses]
    ends = np.cumsum([len(own) for own in labels])
    found = label_spans(log_probs, lengths, np.concatenate(labels), ends)
    starts, stops, peaks = (column.tolist() for column in found)
    cuts = pairwise([0, *ends.tolist()])
    return [
        (starts[a:b], stops[a:b], peaks[a:b]) if own else None
        for own, (a, b) in zip(hypotheses, cuts, strict=True)
    ]


@njit(cache=True, nogil=True)
def label_spans(log_probs, lengths, labels, ends):
    """Start, end (exclusive) and largest probability of each label on the best path of all.

    log_probs: (B, T, K); labels: int32, those of all utterances, which have a path, one utterance
    behind the other, of which `ends` (B,) are the ends. Returns int32, int32, float64 of all.
    """
    starts, stops = np.zeros(len(labels), np.int32), np.zeros(len(labels), np.int32)
    peaks = np.full(len(labels), -np.inf)
    path = np.empty(log_probs.shape[1], np.int32)
    first = 0
    for b in range(len(log_probs)):
        T = lengths[b]
        own = labels[first : ends[b]]
        if T * (2 * len(own) + 1) > LARGE:
            best_path(log_probs[b, :T], own, np.empty((0, 2), np.int64), 0.0, path)
        else:
            viterbi(log_probs[b, :T], own, path)
        for t in range(T - 1, -1, -1):
            if path[t] % 2 == 1:
                s = first + (path[t] >> 1)
                starts[s] = t
                stops[s] = max(stops[s], t + 1)
                peaks[s] = max(peaks[s], log_probs[b, t, labels[s]])
        first = ends[b]
    return starts, stops, np.exp(peaks)
