"""Frames of the labels of results."""

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from seqlabel.decoding.alignment.kernel import ViterbiMemory, viterbi
from seqlabel.decoding.alignment.trellis import best_path
from seqlabel.decoding.background import Compilation, compiled
from seqlabel.decoding.compiled import kernel

LARGE = 1 << 26
"""Maximum frames times states that `viterbi` keeps, one byte each."""


def label_spans(
    log_probs: np.ndarray, lengths: np.ndarray, first: int, labels: np.ndarray, ends: Sequence[int]
) -> tuple[list[int], list[int], list[float]]:
    """Start, end (exclusive) and largest probability of each label on the best path of all.

    log_probs: (B, T, K) in C order; lengths: (B,) int64. labels: int32, those of utterance `first`
    and of those behind it, one behind the other, which end at `ends`; they have a path.
    """
    N, T = len(ends), log_probs.shape[1]
    sizes = np.diff(ends, prepend=0)
    most = int(sizes.max())
    paths, known = np.empty((N, T), np.int32), np.zeros(N, bool)
    kernels = span_kernels(log_probs.dtype, log_probs.flags.writeable)
    if T * (2 * most + 1) > LARGE:
        kernels.wait()
        for n, (size, end) in enumerate(zip(sizes, ends, strict=True)):
            x = log_probs[first + n, : lengths[first + n]]
            known[n] = len(x) * (2 * size + 1) > LARGE
            if known[n]:
                own, none = labels[end - size : end], np.empty((0, 2), np.int64)
                best_path(x, own, none, 0.0, paths[n, : len(x)])
        most = int(sizes.max(where=~known, initial=0))
    walk = walk_paths if kernels.ready else walk_paths_plainly
    return _walk(walk, log_probs, lengths, first, labels, np.array(ends), known, most, paths)


def _walk(
    walk: Callable[..., None],
    log_probs: np.ndarray,
    lengths: np.ndarray,
    first: int,
    labels: np.ndarray,
    ends: np.ndarray,
    known: np.ndarray,
    most: int,
    paths: np.ndarray,
) -> tuple[list[int], list[int], list[float]]:
    memory = ViterbiMemory.of(log_probs.shape[1], most, log_probs.dtype)
    borders, peaks = np.empty((2, len(labels)), np.int32), np.empty(len(labels))
    walk(log_probs, lengths, first, labels, ends, known, memory, paths, borders, peaks)
    starts, stops = borders.tolist()
    return starts, stops, peaks.tolist()


@cache
def span_kernels(real: np.dtype, writeable: bool) -> Compilation:
    """The compiled `walk_paths` for log-probabilities of a type."""

    def work() -> None:
        x = np.zeros((1, 1, 1), real)
        x.flags.writeable = writeable
        known, paths = np.zeros(1, bool), np.empty((1, 1), np.int32)
        one, none = np.ones(1, np.int64), np.empty(0, np.int32)
        _walk(walk_paths, x, one, 0, none, np.zeros(1, np.int64), known, 0, paths)

    return compiled((walk_paths, real, writeable), work, walk_paths)


@kernel(cache=True)
def walk_paths(log_probs, lengths, first, labels, ends, known, memory, paths, borders, peaks):
    """Write start, end and largest probability of each label on the best path of all.

    log_probs, lengths, first, labels, ends: as of `label_spans`. paths: (N, T) int32, given where
    it is `known` (N,), otherwise written. borders: (2, S) int32, peaks: (S,), written.
    """
    starts, stops, begin = borders[0], borders[1], 0
    for n in range(len(ends)):
        x, path, own = log_probs[first + n], paths[n], labels[begin : ends[n]]
        T = lengths[first + n]
        if not known[n]:
            viterbi(x[:T], own, path, memory)
        for s in range(begin, ends[n]):
            starts[s], stops[s], peaks[s] = 0, 0, -np.inf
        for t in range(T - 1, -1, -1):
            if path[t] % 2 == 1:
                k = path[t] >> 1
                s = begin + k
                starts[s] = t
                stops[s] = max(stops[s], t + 1)
                peaks[s] = max(peaks[s], x[t, own[k]])
        for s in range(begin, ends[n]):
            peaks[s] = math.exp(peaks[s])
        begin = ends[n]


def walk_paths_plainly(
    log_probs: np.ndarray,
    lengths: np.ndarray,
    first: int,
    labels: np.ndarray,
    ends: np.ndarray,
    known: np.ndarray,
    memory: ViterbiMemory,
    paths: np.ndarray,
    borders: np.ndarray,
    peaks: np.ndarray,
) -> None:
    """What `walk_paths` does, to the last digit, without being compiled."""
    starts, stops = borders
    borders[:], peaks[:] = 0, -np.inf
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
        peaks[begin:end] = list(map(math.exp, peaks[begin:end]))


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
