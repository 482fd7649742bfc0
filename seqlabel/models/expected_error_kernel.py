"""Number of errors with another label at one frame, for all frames and labels, compiled."""

import numpy as np
from numba import njit

from seqlabel.models.kernel_math import softmax

NEGLIGIBLE = 1e-7
"""Probability below which a label is not tried at a frame."""


@njit(cache=True, nogil=True)
def sample_path(y, uniform, path):
    """Draw a label at each frame: y (T, K) probabilities, uniform (T,) numbers in [0, 1)."""
    for t in range(path.size):
        k, left = 0, uniform[t] - y[t, 0]
        while left >= 0.0 and k < y.shape[1] - 1:
            k += 1
            left -= y[t, k]
        path[t] = k


@njit(cache=True, nogil=True)
def write_symbol(distances, symbol, reference, result):
    """Edit distances of w + symbol to reference[:s], s = 0..S, from those of w."""
    result[0] = distances[0] + 1
    for s in range(reference.size):
        substitution = distances[s] + (1 if reference[s] != symbol else 0)
        result[s + 1] = min(substitution, min(distances[s + 1], result[s]) + 1)


@njit(cache=True, nogil=True)
def replacement_errors(path, reference, y, errors):
    """Write to errors (T, K) the edit distance to `reference` of the path with label k at frame t.

    path: (T,) labels with blanks.  reference: (S,).  y: (T, K), says which k need to be tried.
    Returns the distance of the path as it is.

    Another label at frame t changes what is written at t and t+1 only. What is written before has
    known distances to every beginning of the reference, what is written after to every end.
    """
    T, K, S = path.size, y.shape[1], reference.size
    written = np.empty(T + 1, np.int64)  # number of labels before each frame
    labels = np.empty(T, np.int64)
    Z = 0
    for t in range(T):
        written[t] = Z
        if path[t] != 0 and (t == 0 or path[t] != path[t - 1]):
            labels[Z] = path[t]
            Z += 1
    written[T] = Z

    before, after = np.empty((Z + 1, S + 1), np.int64), np.empty((Z + 1, S + 1), np.int64)
    backwards, room = reference[::-1].copy(), np.empty(S + 1, np.int64)
    for s in range(S + 1):
        before[0, s] = room[s] = s
        after[Z, S - s] = s
    for j in range(Z):
        write_symbol(before[j], labels[j], reference, before[j + 1])
    for j in range(Z - 1, -1, -1):
        previous = after[j + 1, ::-1].copy()
        write_symbol(previous, labels[j], backwards, room)
        after[j] = room[::-1]

    one, two = np.empty(S + 1, np.int64), np.empty(S + 1, np.int64)
    for t in range(T):
        left = path[t - 1] if t > 0 else 0
        right = path[t + 1] if t + 1 < T else 0
        rest = after[written[min(t + 2, T)]]
        for k in range(K):
            if k == path[t]:
                errors[t, k] = before[Z, S]
                continue
            if y[t, k] < NEGLIGIBLE:
                continue
            distances = before[written[t]]
            if k != 0 and k != left:
                write_symbol(distances, k, reference, one)
                distances = one
            if right != 0 and right != k:
                write_symbol(distances, right, reference, two)
                distances = two
            least = distances[0] + rest[0]
            for s in range(1, S + 1):
                least = min(least, distances[s] + rest[s])
            errors[t, k] = least
    return before[Z, S]


@njit(cache=True, nogil=True)
def batch(logits, lengths, targets, target_lengths, uniform, losses, gradient, start, step):
    """Do rows start, start + step, ... of a batch; arguments as of `expected_errors`.

    uniform: (B, N, T) float64.  losses: (B,) and gradient: (B, T, K), float64 zeros, written.
    """
    K, N = logits.shape[2], uniform.shape[1]
    for b in range(start, lengths.size, step):
        T, reference = lengths[b], targets[b, : target_lengths[b]]
        y, errors, path = np.empty((T, K)), np.zeros((T, K)), np.empty(T, np.int64)
        for t in range(T):
            softmax(logits[b, t], y[t])
        for n in range(N):
            sample_path(y, uniform[b, n], path)
            losses[b] += replacement_errors(path, reference, y, errors) / N
            for t in range(T):
                mean, total = 0.0, 0.0
                for k in range(K):
                    if y[t, k] >= NEGLIGIBLE or k == path[t]:
                        mean += y[t, k] * errors[t, k]
                        total += y[t, k]
                mean /= total
                for k in range(K):
                    if y[t, k] >= NEGLIGIBLE or k == path[t]:
                        gradient[b, t, k] += y[t, k] * (errors[t, k] - mean) / N
