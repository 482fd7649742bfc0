"""The best path of a known labelling, of hours of frames in little time and memory.

The states are those of `kernel`, and arcs may skip some of them: from a blank to a later one at the
same frame. Two things keep long signals cheap, and neither changes the path:

Bounds. A first pass that keeps the states within BEAM nats of the best at each frame finds some
path, of the score L. A state whose score falls short of L even if every later frame had its most
probable label is on no better path, and is left out of the second pass (the bound of A*; Hart,
Nilsson & Raphael 1968). A fitting transcript leaves a narrow band of states.

Rows. Of the second pass every sqrt(T)-th row of scores is kept; on the way back the rows of one
stretch at a time are computed anew, with the state that each came from.
"""

import math

import numpy as np
from numba import njit

BEAM = 300.0
"""Nats below the best state of a frame, up to which the first pass keeps states."""
BOUNDED = 1 << 22
"""Frames times states from which on bounds are worth the first pass."""


@njit(cache=True, nogil=True)
def begin(log_probs, labels, skips, longest, cost, score, came):
    """Scores (J,) of frame 0, and the states back that they came from; the last state reached."""
    score[:] = -np.inf
    came[:2] = 0
    score[0] = log_probs[0, 0]
    if len(labels) > 0:
        score[1] = log_probs[0, labels[0]]
    return take_skips(skips, longest, cost, score, came, 0, min(1, len(score) - 1))


@njit(cache=True, nogil=True)
def step(log_probs, t, labels, jump, skips, longest, cost, score, came, low, high):
    """Scores of frame t from those of the frame before, in place; the last state reached.

    came: 0, 1, 2 states back at the frame before, or 3 + n for skip n at the same frame.
    low, high: the first and the last state that has a score; those beyond have -inf. jump: see
    `jumps`.
    """
    first = low - low % 2
    last = min(high + 2 + high % 2, len(score) - 1)
    inside = slice(first, last + 1)
    advance(log_probs[t], labels[first >> 1 : last >> 1], jump[first >> 1 :], score[inside],
            came[inside])  # fmt: skip
    return take_skips(skips, longest, cost, score, came, low, last)


@njit(cache=True, nogil=True)
def advance(emissions, labels, jump, score, came):
    """`step` without skips for some labels with the blanks around them, of which nothing is before.

    Without a branch: which way a path takes is as random as the frames are.
    """
    blank = emissions[0]
    for s in range(len(labels) - 1, -1, -1):
        j = 2 * s + 1
        stay, one = score[j + 1], score[j]
        came[j + 1] = one > stay
        score[j + 1] = max(stay, one) + blank
        stay, one = score[j], score[j - 1]
        two = score[j - 2] + jump[s] if s > 0 else -np.inf
        best = max(stay, one)
        came[j] = 2 if two > best else np.int32(one > stay)
        score[j] = max(best, two) + emissions[labels[s]]
    came[0] = 0
    score[0] += blank


@njit(cache=True, nogil=True)
def jumps(labels):
    """(S,) 0 where a label can follow the one before without a blank between them, else -inf."""
    jump = np.zeros(len(labels))
    for s in range(len(labels)):
        if s == 0 or labels[s] == labels[s - 1]:
            jump[s] = -np.inf
    return jump


@njit(cache=True, nogil=True)
def take_skips(skips, longest, cost, score, came, low, high):
    """Skips (M, 2) from blank to blank, those to earlier states first; the last state reached.

    longest: states that any of them passes over.
    """
    if longest == 0:
        return high
    for n in range(np.searchsorted(skips[:, 1], low), len(skips)):
        a, b = skips[n, 0], skips[n, 1]
        if b > high + longest:
            break
        if score[a] - cost > score[b]:
            score[b] = score[a] - cost
            came[b] = 3 + n
            high = max(high, b)
    return high


@njit(cache=True, nogil=True)
def within(score, floor, low, high):
    """(first, last) of the states low ... high, without those below `floor` at both ends."""
    while low < high and score[low] < floor:
        score[low] = -np.inf
        low += 1
    while high > low and score[high] < floor:
        score[high] = -np.inf
        high -= 1
    return low, high


@njit(cache=True, nogil=True)
def longest_of(skips):
    """States that the longest skip passes over."""
    return (skips[:, 1] - skips[:, 0]).max() if len(skips) else 0


@njit(cache=True, nogil=True)
def score_in_beam(log_probs, labels, skips, cost, beam):
    """ln of the best path whose states stay within `beam` nats of each frame's best, or -inf."""
    J, jump, longest = 2 * len(labels) + 1, jumps(labels), longest_of(skips)
    score, came = np.empty(J), np.empty(J, np.int32)
    low, high = 0, begin(log_probs, labels, skips, longest, cost, score, came)
    for t in range(1, len(log_probs)):
        high = step(log_probs, t, labels, jump, skips, longest, cost, score, came, low, high)
        low, high = within(score, score[low : high + 1].max() - beam, low, high)
    return max(score[J - 1], score[J - 2]) if J > 1 else score[0]


@njit(cache=True, nogil=True)
def floors(log_probs, bound):
    """(T,) the least score at each frame of a path that ends with the score `bound` or a better."""
    floor = np.full(len(log_probs), -np.inf)
    if bound == -np.inf:
        return floor
    rest = bound - 1e-6 - 1e-9 * abs(bound)  # sums in another order differ in their last digits
    for t in range(len(log_probs) - 1, -1, -1):
        floor[t] = rest
        rest -= log_probs[t].max()
    return floor


@njit(cache=True, nogil=True)
def best_path(log_probs, labels, skips, cost, path):
    """ln of the most probable path; `path` (T,) int32 receives its states. -inf: none is possible.

    log_probs: (T, N); labels: (S,) int32, columns of it. skips: (M, 2) int64 states in the order of
    the second, cost: nats.
    """
    bound = -np.inf
    if len(log_probs) * (2 * len(labels) + 1) > BOUNDED:
        bound = score_in_beam(log_probs, labels, skips, cost, BEAM)
    return bounded_path(log_probs, labels, skips, cost, bound, path)


@njit(cache=True, nogil=True)
def bounded_path(log_probs, labels, skips, cost, bound, path):
    """`best_path` where its score is known to be `bound` at least."""
    T, J = len(log_probs), 2 * len(labels) + 1
    jump, longest = jumps(labels), longest_of(skips)
    floor = floors(log_probs, bound)
    stride = max(1, int(math.sqrt(T)))
    blocks = (T - 1) // stride + 1
    # What is not written of these rows takes no memory.
    kept, kept_back = np.empty((blocks, J)), np.empty((blocks, J), np.int32)
    ends, highest = np.empty((blocks, 2), np.int64), np.zeros(blocks, np.int64)
    score, came = np.empty(J), np.empty(J, np.int32)
    low, high = 0, begin(log_probs, labels, skips, longest, cost, score, came)
    for t in range(T):
        if t > 0:
            high = step(log_probs, t, labels, jump, skips, longest, cost, score, came, low, high)
        low, high = within(score, floor[t], low, high)
        block = t // stride
        if t % stride == 0:
            ends[block] = low, high
            kept[block, low : high + 1] = score[low : high + 1]
            kept_back[block, low : high + 1] = came[low : high + 1]
        highest[block] = max(highest[block], high)
    j, best = J - 1, score[J - 1]
    if J > 1 and score[J - 2] > best:
        j, best = J - 2, score[J - 2]
    if best == -np.inf:
        return best
    back = np.empty((stride, (highest - ends[:, 0]).max() + 1), np.int32)
    for block in range(blocks - 1, -1, -1):
        first, last = block * stride, min((block + 1) * stride, T)
        low, high = ends[block]
        begins = low  # state of the first column of `back`
        score[:] = -np.inf
        score[low : high + 1] = kept[block, low : high + 1]
        back[0, : high + 1 - low] = kept_back[block, low : high + 1]
        for t in range(first + 1, last):
            high = step(log_probs, t, labels, jump, skips, longest, cost, score, came, low, high)
            low, high = within(score, floor[t], low, high)
            back[t - first, low - begins : high + 1 - begins] = came[low : high + 1]
        for t in range(last - 1, first - 1, -1):
            path[t] = j
            while back[t - first, j - begins] > 2:
                j = skips[back[t - first, j - begins] - 3, 0]
            j -= back[t - first, j - begins]
    return best
