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

from seqlabel.models.kernel_math import log_add


@njit(cache=True, nogil=True)
def lattice(phi, y, T, S):
    """-ln p(labels|x), and what each step of the lattice contributes to it.

    phi, y: float64, at least (T, S+1), natural logs of the probabilities of blank and label;
        column S of y is not read. Both are overwritten by the probability, given x and the labels,
        that the path takes the step, and by 0 outside T and S+1.
    """
    alpha, beta = np.full((T, S + 1), -np.inf), np.full((T + 1, S + 2), -np.inf)
    alpha[0, 0] = beta[T, S] = 0.0
    for t in range(T):
        for u in range(S + 1):
            if t > 0:
                alpha[t, u] = alpha[t - 1, u] + phi[t - 1, u]
            if u > 0:
                alpha[t, u] = log_add(alpha[t, u], alpha[t, u - 1] + y[t, u - 1])
    log_p = alpha[T - 1, S] + phi[T - 1, S]
    phi[T:], phi[:, S + 1 :] = 0.0, 0.0
    y[T:], y[:, S:] = 0.0, 0.0
    for t in range(T - 1, -1, -1):
        for u in range(S, -1, -1):
            by_blank = beta[t + 1, u] + phi[t, u]
            by_label = beta[t, u + 1] + y[t, u]
            beta[t, u] = log_add(by_blank, by_label)
            phi[t, u] = math.exp(alpha[t, u] + by_blank - log_p)
            y[t, u] = math.exp(alpha[t, u] + by_label - log_p)
    return -log_p


@njit(cache=True, nogil=True)
def batch(phi, y, lengths, target_lengths, losses, start, step):
    """`lattice` for rows start, start + step, ... of (B, T, S+1) phi and y; losses: (B,)."""
    for b in range(start, lengths.size, step):
        losses[b] = lattice(phi[b], y[b], lengths[b], target_lengths[b])
