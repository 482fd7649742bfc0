"""Forward-backward over the lattice of the transducer, compiled (Graves 2012, section 2.4).

A path through the T × (S+1) nodes begins at (0, 0). At node (t, u), frame t with u labels behind
it, it takes the blank with probability φ(t, u) and goes on to frame t+1, or label u+1 with
probability y(t, u) and stays; it ends with a blank at (T-1, S). The variables are

    α(t, u) = α(t-1, u) φ(t-1, u) + α(t, u-1) y(t, u-1)
    β(t, u) = β(t+1, u) φ(t, u) + β(t, u+1) y(t, u)

kept as natural logarithms, which cost little beside the softmax over K labels at every node.
"""

import math

import numpy as np
from numba import njit

from seqlabel.models.kernel_math import REORDER, exp, log_add, log_sum_exp

NEGLIGIBLE = 1e-30
"""Probability below which a node's gradient is 0: float32 would hold denormal numbers there."""


@njit(cache=True, nogil=True)
def lattice(phi, y):
    """-ln p(labels|x), and what each step of the lattice contributes to it.

    phi, y: (T, S+1) natural logs of the probabilities of blank and label; y is -inf at u = S.
    Both are overwritten by the probability, given x and the labels, that the path takes the step.
    """
    T, U = phi.shape
    alpha, beta = np.full((T, U), -np.inf), np.full((T + 1, U + 1), -np.inf)
    alpha[0, 0] = beta[T, U - 1] = 0.0
    for t in range(T):
        for u in range(U):
            if t > 0:
                alpha[t, u] = alpha[t - 1, u] + phi[t - 1, u]
            if u > 0:
                alpha[t, u] = log_add(alpha[t, u], alpha[t, u - 1] + y[t, u - 1])
    log_p = alpha[T - 1, U - 1] + phi[T - 1, U - 1]
    for t in range(T - 1, -1, -1):
        for u in range(U - 1, -1, -1):
            by_blank, by_label = beta[t + 1, u] + phi[t, u], beta[t, u + 1] + y[t, u]
            beta[t, u] = log_add(by_blank, by_label)
            phi[t, u] = math.exp(alpha[t, u] + by_blank - log_p)
            y[t, u] = math.exp(alpha[t, u] + by_label - log_p)
    return -log_p


@njit(cache=True, nogil=True, fastmath=REORDER)
def scaled_softmax(logits, log_sum, scale, room, result):
    """Write scale · exp(logits - log_sum), all (K,), by way of float64 `room`.

    `result` may be `logits` itself; loops between two arrays of which the compiler does not know
    that they are apart would not be vectorised.
    """
    for k in range(logits.size):
        room[k] = scale * exp(np.float64(logits[k]) - log_sum)
    for k in range(logits.size):
        result[k] = room[k]


@njit(cache=True, nogil=True)
def utterance(logits, T, labels, gradient):
    """-ln p(labels|x) of one utterance of T > 0 frames and its gradient by the logits.

    logits: at least (T, S+1, K).  labels: (S,) from 1.  gradient: shaped like the logits, written
        within T and S+1, may be `logits` itself; or (0, S+1, K): not wanted.

    A path through (t, u) feels logit k by [k taken] - softmax(k), so the gradient of the loss is
    the probability of the node times the softmax, less the probability of each of its two steps.
    """
    U = labels.size + 1
    phi, y = np.empty((T, U)), np.full((T, U), -np.inf)
    log_sum, room = np.empty((T, U)), np.empty(logits.shape[2])
    for t in range(T):
        for u in range(U):
            log_sum[t, u] = log_sum_exp(logits[t, u])
            phi[t, u] = logits[t, u, 0] - log_sum[t, u]
            if u < U - 1:
                y[t, u] = logits[t, u, labels[u]] - log_sum[t, u]
    loss = lattice(phi, y)
    for t in range(min(T, gradient.shape[0])):
        for u in range(U):
            node = phi[t, u] + y[t, u]
            if node < NEGLIGIBLE:
                gradient[t, u] = 0.0
                continue
            scaled_softmax(logits[t, u], log_sum[t, u], node, room, gradient[t, u])
            gradient[t, u, 0] -= phi[t, u]
            if u < U - 1:
                gradient[t, u, labels[u]] -= y[t, u]
    return loss


@njit(cache=True, nogil=True)
def batch(logits, lengths, targets, target_lengths, losses, gradient, start, step):
    """Do rows start, start + step, ... of a batch; arguments as of `transducer_loss`.

    losses: (B,) float64, written.  gradient: (B, T, S+1, K) of zeros, written; or (B, 0, S+1, K).
    """
    for b in range(start, lengths.size, step):
        labels = targets[b, : target_lengths[b]]
        losses[b] = utterance(logits[b], lengths[b], labels, gradient[b])
