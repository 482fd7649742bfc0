"""The best path of a known labelling in memory that grows with the square root of its length.

The states are those of `kernel`, and arcs may skip some of them: from a blank to a later one at the
same frame. Of the forward pass every sqrt(T)-th row of scores is kept; on the way back the rows of
one stretch at a time are computed anew, with the state that each came from: twice the time, and the
very path that all rows would give.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def begin(log_probs, labels, skips, cost, score, came):
    """Scores (J,) of frame 0, and the states back that they came from."""
    score[:] = -np.inf
    came[:] = 0
    score[0] = log_probs[0, 0]
    if len(labels) > 0:
        score[1] = log_probs[0, labels[0]]
    take_skips(skips, cost, score, came)


@njit(cache=True, nogil=True)
def step(log_probs, t, labels, skips, cost, score, came):
    """Scores of frame t from those of the frame before, in place.

    came: 0, 1, 2 states back at the frame before, or 3 + n for skip n at the same frame.
    """
    for j in range(len(score) - 1, -1, -1):
        best, back = score[j], 0
        if j > 0 and score[j - 1] > best:
            best, back = score[j - 1], 1
        if j % 2 == 1:
            s = j >> 1
            if s > 0 and labels[s] != labels[s - 1] and score[j - 2] > best:
                best, back = score[j - 2], 2
            score[j] = best + log_probs[t, labels[s]]
        else:
            score[j] = best + log_probs[t, 0]
        came[j] = back
    take_skips(skips, cost, score, came)


@njit(cache=True, nogil=True)
def take_skips(skips, cost, score, came):
    """Skips (M, 2) from blank to blank, those to earlier states first."""
    for n in range(len(skips)):
        a, b = skips[n, 0], skips[n, 1]
        if score[a] - cost > score[b]:
            score[b] = score[a] - cost
            came[b] = 3 + n


@njit(cache=True, nogil=True)
def best_path(log_probs, labels, skips, cost, path):
    """ln of the most probable path; `path` (T,) int32 receives its states. -inf: none is possible.

    log_probs: (T, N); labels: (S,) int32, columns of it. skips: (M, 2) int64 states, cost: nats.
    """
    T, J = len(log_probs), 2 * len(labels) + 1
    stride = max(1, int(math.sqrt(T)))
    blocks = (T - 1) // stride + 1
    kept, kept_back = np.empty((blocks, J)), np.empty((blocks, J), np.int32)
    score, back = np.empty(J), np.empty((stride, J), np.int32)
    begin(log_probs, labels, skips, cost, score, back[0])
    kept[0], kept_back[0] = score, back[0]
    for t in range(1, T):
        step(log_probs, t, labels, skips, cost, score, back[0])
        if t % stride == 0:
            kept[t // stride], kept_back[t // stride] = score, back[0]
    j, best = J - 1, score[J - 1]
    if J > 1 and score[J - 2] > best:
        j, best = J - 2, score[J - 2]
    if best == -np.inf:
        return best
    for block in range(blocks - 1, -1, -1):
        first, last = block * stride, min((block + 1) * stride, T)
        score[:], back[0] = kept[block], kept_back[block]
        for t in range(first + 1, last):
            step(log_probs, t, labels, skips, cost, score, back[t - first])
        for t in range(last - 1, first - 1, -1):
            path[t] = j
            while back[t - first, j] > 2:
                j = skips[back[t - first, j] - 3, 0]
            j -= back[t - first, j]
    return best
