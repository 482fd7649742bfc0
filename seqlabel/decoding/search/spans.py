"""Where the labels of results lie."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from seqlabel.decoding.alignment.kernel import ViterbiMemory, viterbi
from seqlabel.decoding.alignment.trellis import best_path
from seqlabel.decoding.background import Compilation, compiled
from seqlabel.decoding.compiled import kernel
from seqlabel.decoding.search.hypothesis import Hypothesis

LARGE = 1 << 26
"""Frames times states of which `viterbi` is not to keep all: it would take as many bytes."""

LabelSpans = tuple[list[int], list[int], list[float]]
"""First frames, frames behind the last, and largest probabilities of S labels."""


def batch_spans(
    log_probs: np.ndarray,
    lengths: np.ndarray,
    first: int,
    hypotheses: Sequence[Sequence[Hypothesis]],
) -> list[LabelSpans | None]:
    """Where the labels of the first hypothesis of some utterances lie, None without a hypothesis.

    log_probs: (B, T, K) in C order; lengths: (B,) int64; the hypotheses are those of utterance
    `first` and those behind it.
    """
    labels = [own[0].labels if own else NO_LABELS for own in hypotheses]
    sizes = list(map(len, labels))
    starts, stops, peaks = (
        column.tolist() for column in label_spans(log_probs, lengths, first, labels, sizes)
    )
    cuts = pairwise([0, *np.cumsum(sizes).tolist()])
    return [
        (starts[a:b], stops[a:b], peaks[a:b]) if own else None
        for own, (a, b) in zip(hypotheses, cuts, strict=True)
    ]


NO_LABELS = np.empty(0, np.int32)


def label_spans(
    log_probs: np.ndarray,
    lengths: np.ndarray,
    first: int,
    labels: Sequence[np.ndarray],
    sizes: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end (exclusive) and largest probability of each label on the best path of all.

    labels: int32, of each utterance, which have a path; sizes: their lengths. Returns int32, int32,
    float64 of all, one utterance behind the other.
    """
    B, T = len(labels), log_probs.shape[1]
    paths = np.empty((B, T), np.int32)
    known = np.zeros(B, bool)
    kernels = span_kernels(log_probs)
    if T * (2 * max(sizes) + 1) > LARGE:
        kernels.wait()
        for b, own in enumerate(labels):
            x = log_probs[first + b, : lengths[first + b]]
            known[b] = len(x) * (2 * len(own) + 1) > LARGE
            if known[b]:
                best_path(x, own, np.empty((0, 2), np.int64), 0.0, paths[b, : len(x)])
    walk = walk_paths if kernels.ready else walk_paths_plainly
    return _walk(walk, log_probs, lengths, first, labels, sizes, known, paths)


def _walk(
    walk: Callable[..., None],
    log_probs: np.ndarray,
    lengths: np.ndarray,
    first: int,
    labels: Sequence[np.ndarray],
    sizes: Sequence[int],
    known: np.ndarray,
    paths: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    N, most = sum(sizes), int(np.max(sizes, where=~known, initial=0))
    memory = ViterbiMemory.of(log_probs.shape[1], most, log_probs.dtype)
    starts, stops, peaks = np.zeros(N, np.int32), np.zeros(N, np.int32), np.full(N, -np.inf)
    walk(
        log_probs, lengths, first, np.concatenate(labels), np.cumsum(sizes), known, memory, paths,
        starts, stops, peaks,
    )  # fmt: skip
    return starts, stops, np.exp(peaks)


def span_kernels(log_probs: np.ndarray) -> Compilation:
    """The compiled `walk_paths` for log-probabilities of this type."""
    real, writeable = log_probs.dtype, log_probs.flags.writeable

    def work() -> None:
        x = np.zeros((1, 1, 1), real)
        x.flags.writeable = writeable
        known, paths = np.zeros(1, bool), np.empty((1, 1), np.int32)
        _walk(walk_paths, x, np.ones(1, np.int64), 0, [NO_LABELS], [0], known, paths)

    return compiled((walk_paths, real, writeable), work, walk_paths)


@kernel(cache=True)
def walk_paths(log_probs, lengths, first, labels, ends, known, memory, paths, starts, stops, peaks):
    """Write start, end and largest log-probability of each label on the best path of all.

    labels: int32, one utterance behind the other, of which `ends` (B,) are the ends; the frames are
    those of utterance `first` and those behind it. paths: (B, T) int32, given where it is `known`
    (B,), otherwise written. stops, peaks: given as zero and -inf.
    """
    begin = 0
    for b in range(len(ends)):
        x, path, own = log_probs[first + b], paths[b], labels[begin : ends[b]]
        T = lengths[first + b]
        if not known[b]:
            viterbi(x[:T], own, path, memory)
        for t in range(T - 1, -1, -1):
            if path[t] % 2 == 1:
                k = path[t] >> 1
                s = begin + k
                starts[s] = t
                stops[s] = max(stops[s], t + 1)
                peaks[s] = max(peaks[s], x[t, own[k]])
        begin = ends[b]


def walk_paths_plainly(
    log_probs: np.ndarray,
    lengths: np.ndarray,
    first: int,
    labels: np.ndarray,
    ends: np.ndarray,
    known: np.ndarray,
    memory: ViterbiMemory,
    paths: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    peaks: np.ndarray,
) -> None:
    """What `walk_paths` does, to the last digit, without being compiled."""
    for begin, end, x, T, path, done in zip(
        [0, *ends], ends, log_probs[first:], lengths[first:], paths, known, strict=False
    ):
        own, x = labels[begin:end], x[:T]
        states = path[:T].tolist() if done else _plain_viterbi(x, own)
        for t in range(T - 1, -1, -1):
            if states[t] % 2 == 1:
                k = states[t] >> 1
                s = begin + k
                starts[s] = t
                stops[s] = max(stops[s], t + 1)
                peaks[s] = max(peaks[s], x[t, own[k]])


def _plain_viterbi(log_probs: np.ndarray, labels: np.ndarray) -> list[int]:
    """The states of `alignment.kernel.viterbi`, by the same sums in the same precision."""
    T, S, real = len(log_probs), len(labels), log_probs.dtype
    blank, label = np.full(S + 1, -np.inf, real), np.full(S + 1, -np.inf, real)
    jump = np.zeros(S, real)
    jump[:1] = -np.inf
    jump[1:][labels[1:] == labels[:-1]] = -np.inf
    emission = log_probs[:, labels]
    blank_came, label_came = np.zeros((T, S + 1), np.uint8), np.zeros((T, S), np.uint8)
    blank[0] = log_probs[0, 0]
    label[1:2] = emission[0, :1]
    for t in range(1, T):
        stayed, one, two = label[1:], blank[:-1], label[:-1] + jump
        best = np.maximum(stayed, one)
        label_came[t] = np.where(two > best, 2, one > stayed)
        blank_came[t] = label > blank
        blank = np.maximum(blank, label) + log_probs[t, 0]
        label[1:] = np.maximum(best, two) + emission[t]
    j = 2 * S - 1 if label[S] > blank[S] else 2 * S
    states = []
    for t in range(T - 1, -1, -1):
        states.append(j)
        j -= int(label_came[t, j >> 1] if j % 2 == 1 else blank_came[t, j >> 1])
    return states[::-1]
