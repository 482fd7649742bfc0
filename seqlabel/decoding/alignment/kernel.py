"""Forced alignment and forward-backward over the states of a known labelling, compiled.

The J = 2S + 1 states of S labels are those of CTC (Graves et al. 2006, section 4.1): label s is
state 2s + 1, with a blank before and behind each. All numbers are natural logarithms: the known
labels may be wrong, and then their paths are as improbable as numbers get.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from seqlabel.decoding.compiled import kernel

NEGLIGIBLE = 35.0
"""Nats below p(labels) at which a path no longer counts for a label's posterior."""


@njit(cache=True, nogil=True)
def log_add(a, b):
    """ln(e^a + e^b)."""
    if a < b:
        a, b = b, a
    if b < a - 40.0 or b == -np.inf:  # e^-40 is less than half the last digit of 1
        return a
    return a + math.log1p(math.exp(b - a))


class ViterbiMemory(NamedTuple):
    """Scratch memory of `viterbi`, for T frames and S labels or fewer."""

    scores: np.ndarray  # (6, S + 1), of the type of the log-probabilities
    came: np.ndarray  # (2, T, S + 1) uint8, how many states back the best path came from

    @classmethod
    def of(cls, T: int, S: int, real: np.dtype) -> "ViterbiMemory":
        return cls(np.empty((6, S + 1), real), np.empty((2, T, S + 1), np.uint8))


@kernel(cache=True)
def viterbi(log_probs, labels, path, memory):
    """ln of the most probable path of the labelling; `path` (T,) int32 receives its states.

    log_probs: (T, K), T > 0; labels: (S,) int32. Returns -inf where no path is possible. Sums have
    the precision of log_probs.
    The states of blanks and of labels lie in arrays of their own, and the new scores in others
    than the old, so that the loops over them are compiled into vector instructions. All memory is
    the caller's: a kernel that allocates takes several times as long to compile.
    """
    T, S = len(log_probs), len(labels)
    blank, next_blank = memory.scores[0], memory.scores[1]
    label, next_label = memory.scores[2], memory.scores[3]  # label s at s + 1
    jump = memory.scores[4]  # from label s - 1 to label s without a blank: unless they are equal
    emission = memory.scores[5]
    blank_came, label_came = memory.came[0], memory.came[1]
    for s in range(S + 1):
        blank[s], label[s] = -np.inf, -np.inf
    next_label[0] = -np.inf
    for s in range(S):
        jump[s] = -np.inf if s == 0 or labels[s] == labels[s - 1] else 0.0
    blank[0] = log_probs[0, 0]
    if S > 0:
        label[1] = log_probs[0, labels[0]]
    for t in range(1, T):
        for s in range(S):
            emission[s] = log_probs[t, labels[s]]
        for s in range(S):
            one, two = blank[s], label[s] + jump[s]
            best = max(label[s + 1], one)
            steps = np.uint8(one > label[s + 1])
            label_came[t, s] = np.uint8(2) if two > best else steps
            next_label[s + 1] = max(best, two) + emission[s]
        for s in range(S + 1):
            blank_came[t, s] = label[s] > blank[s]
            next_blank[s] = max(blank[s], label[s]) + log_probs[t, 0]
        blank, next_blank = next_blank, blank
        label, next_label = next_label, label
    j, best = 2 * S, blank[S]
    if label[S] > best:
        j, best = j - 1, label[S]
    for t in range(T - 1, -1, -1):
        path[t] = j
        j -= int(label_came[t, j >> 1] if j % 2 == 1 else blank_came[t, j >> 1])
    return best


@njit(cache=True, nogil=True)
def forward_backward(log_probs, labels, alpha, beta):
    """ln p(labels | x), and the forward and backward variables of every frame and state.

    alpha, beta: (T, J) float64, written. alpha includes frame t, beta does not, so that
    alpha + beta - ln p is the log posterior of the states.
    """
    T, S = len(log_probs), len(labels)
    J = 2 * S + 1
    alpha[:], beta[:] = -np.inf, -np.inf
    alpha[0, 0] = log_probs[0, 0]
    beta[T - 1, J - 1] = 0.0
    if S > 0:
        alpha[0, 1] = log_probs[0, labels[0]]
        beta[T - 1, J - 2] = 0.0
    for t in range(1, T):
        for j in range(J):
            s = j >> 1
            total = alpha[t - 1, j]
            if j > 0:
                total = log_add(total, alpha[t - 1, j - 1])
            if j % 2 == 1 and s > 0 and labels[s] != labels[s - 1]:
                total = log_add(total, alpha[t - 1, j - 2])
            alpha[t, j] = total + log_probs[t, labels[s] if j % 2 == 1 else 0]
    for t in range(T - 2, -1, -1):
        for j in range(J):
            s = j >> 1
            total = beta[t + 1, j] + log_probs[t + 1, labels[s] if j % 2 == 1 else 0]
            if j + 1 < J:
                step = log_probs[t + 1, 0 if j % 2 == 1 else labels[s]]
                total = log_add(total, beta[t + 1, j + 1] + step)
            if j % 2 == 1 and s + 1 < S and labels[s] != labels[s + 1]:
                total = log_add(total, beta[t + 1, j + 2] + log_probs[t + 1, labels[s + 1]])
            beta[t, j] = total
    return log_add(alpha[T - 1, J - 1], alpha[T - 1, J - 2] if S > 0 else -np.inf)


@njit(cache=True, nogil=True)
def label_posteriors(log_probs, labels, alpha, beta, log_prob, K):
    """p(label s | x, all other labels): against every other label in its place, and none.

    alpha, beta, log_prob: of `forward_backward`. K: the labels with the blank, log_probs' first
    columns; a label behind them is a wildcard, whose posterior is that of any label in its place.
    Returns (S,) float64.

    The states before label s know nothing of it, nor do those behind it, so that the labelling
    with k instead of label s has the probability
        sum over a <= b of  enter(a, k) y_a(k) ... y_b(k) leave(b, k),
    enter(a, k) being the alphas that k can follow at frame a, leave(b, k) the betas that can follow
    it with their frame b + 1. Each factor is a sum of probabilities, at most 1, and frames whose
    enter or leave is NEGLIGIBLE beside p(labels) are passed over.
    """
    T = len(log_probs)
    S = len(labels)
    floor = log_prob - NEGLIGIBLE
    # Column 0: only through a blank, as equal neighbours need one; column 1: directly as well.
    enter, leave = np.empty((T, 2)), np.empty((T, 2))
    result = np.empty(S)
    for s in range(S):
        j = 2 * s + 1
        before = labels[s - 1] if s > 0 else -1
        after = labels[s + 1] if s + 1 < S else -1
        without = -np.inf
        first, last = T, -1
        for t in range(T):
            enter[t] = -np.inf
            leave[t] = -np.inf
            if t > 0:
                enter[t, 0] = alpha[t - 1, j - 1]
                enter[t, 1] = log_add(enter[t, 0], alpha[t - 1, j - 2] if s > 0 else -np.inf)
            elif s == 0:
                enter[t] = 0.0
            if t + 1 < T:
                leave[t, 0] = log_probs[t + 1, 0] + beta[t + 1, j + 1]
                leave[t, 1] = leave[t, 0]
                if s + 1 < S:
                    step = log_probs[t + 1, after] + beta[t + 1, j + 2]
                    leave[t, 1] = log_add(leave[t, 0], step)
            elif s + 1 == S:
                leave[t] = 0.0
            if s + 1 < S:  # without label s, the next one begins here
                begin = enter[t, 0 if before == after else 1]
                without = log_add(without, begin + log_probs[t, after] + beta[t, j + 2])
            if enter[t, 1] > floor:
                first = min(first, t)
            if leave[t, 1] > floor:
                last = t
        if s + 1 == S:
            without = log_add(alpha[T - 1, j - 1], alpha[T - 1, j - 2] if s > 0 else -np.inf)
        total = without
        for k in range(1, K):
            entry, exit = int(k != before), int(k != after)
            inside = -np.inf
            for t in range(first, last + 1):
                inside = log_add(inside, enter[t, entry]) + log_probs[t, k]
                total = log_add(total, inside + leave[t, exit])
        if labels[s] < K:
            result[s] = math.exp(log_prob - total)
        else:
            result[s] = 1.0 - math.exp(without - total)
    return result
