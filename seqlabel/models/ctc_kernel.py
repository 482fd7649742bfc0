"""Forward-backward over the labels and blanks of CTC, compiled (Graves et al. 2006, section 4.1).

The 2S+1 states of a target l with S labels are kept as S+1 pairs (blank i, label i): blank i stands
before label i, and the last pair has no label. With φ_t the probability of the blank and y_t(i)
that of label i at frame t, the forward variables are

    blank_t(i) = φ_t    (blank_{t-1}(i) + label_{t-1}(i-1))
    label_t(i) = y_t(i) (label_{t-1}(i) + blank_{t-1}(i) + [l_i ≠ l_{i-1}] label_{t-1}(i-1))

and the backward variables, which exclude frame t itself, are the same read from the end. They are
plain numbers, rescaled at each frame; a state that falls below 1e-300 of its frame's mass is lost.
`rescaled_occupancy` proves that harmless or gives up, and `log_occupancy` repeats the work with
logarithms, several times slower.
"""

import math

import numpy as np
from numba import njit

from seqlabel.models.kernel_math import REORDER, log_add, log_sum_exp, softmax

LOST = 1e-300
"""A state below this share of its frame's mass counts as 0; that keeps denormal numbers out too."""

TINY = 1e-280
"""The least in which the two sides of a frame must meet; beside it a state lost is nothing."""

SAFE = math.log(1e270)
"""The largest loss at which lost states cannot have mattered."""


@njit(cache=True, nogil=True, fastmath=REORDER, error_model="numpy")
def rescaled_occupancy(phi, y, skip, blank, label):
    """Probabilities of the states given x and l, from plain numbers rescaled at each frame.

    phi: (T,) probability of the blank.  y: (T, S+1) probabilities of the labels, 0 in the last
        column.
    skip: (S+2,) 1 where label i may follow label i-1 with no blank between, else 0.
    blank, label: (T, S+2) results; column i+1 is pair i, column 0 stands before the first.
    Returns -ln p(l|x), or infinity where too much was lost, or where the two sides meet in less
    than TINY: a state that has 1e-160 on either side is not lost, but the product of both is.

    The probabilities of a frame sum to 1 at most, so a state passes on no more than it has: what
    was lost at one frame, below LOST of a mass of at most 1, is still below LOST at the end.
    All such losses together are nothing beside a p(l|x) above exp(-SAFE).

    Only the forward pass counts what it loses. A state that the backward pass alone loses meets a
    forward variable of at most 1: less than 1e-19 of its frame where the sides meet in TINY.
    """
    T, S = y.shape[0], y.shape[1] - 1
    blank[0], label[0] = 0.0, 0.0
    blank[0, 1], label[0, 1] = phi[0], y[0, 0]
    mass = phi[0] + y[0, 0]
    p, log_p, lost = 1.0, 0.0, 0
    for t in range(1, T):
        p *= mass
        if p < 1e-100:
            p, log_p = 1.0, log_p + math.log(p)
        scale, mass = np.float64(1.0) / mass, 0.0  # infinite in plain Python too
        for i in range(S + 1):
            stay, before = blank[t - 1, i + 1], label[t - 1, i]
            to_blank = stay + before
            to_label = label[t - 1, i + 1] + stay + skip[i] * before
            b = scale * phi[t] * to_blank
            l = scale * y[t, i] * to_label
            b = b if b > LOST else 0.0
            l = l if l > LOST else 0.0
            lost += ((to_blank > 0.0) & (b == 0.0)) | ((to_label > 0.0) & (l == 0.0) & (i < S))
            blank[t, i + 1], label[t, i + 1] = b, l
            mass += b + l
        label[t, 0] = 0.0
    p *= blank[T - 1, S + 1] + label[T - 1, S]  # paths end in the last blank or the last label
    log_p += math.log(p)

    blank_after, label_after = np.zeros(S + 2), np.zeros(S + 2)
    blank_after[S] = 1.0
    if S > 0:
        label_after[S - 1] = 1.0
    scale = 1.0
    for t in range(T - 1, -1, -1):
        mass = 0.0
        for i in range(S + 1):
            blank[t, i + 1] *= blank_after[i]
            label[t, i + 1] *= label_after[i]
            mass += blank[t, i + 1] + label[t, i + 1]
            b = scale * phi[t] * blank_after[i]
            l = scale * y[t, i] * label_after[i]
            b = b if b > LOST else 0.0
            l = l if l > LOST else 0.0
            blank_after[i], label_after[i] = b, l
        if not mass > TINY:
            return np.inf
        share = 1.0 / mass
        mass = 0.0
        for i in range(S + 1):
            blank[t, i + 1] *= share
            label[t, i + 1] *= share
            leave = label_after[i] + blank_after[i + 1] + skip[i + 1] * label_after[i + 1]
            blank_after[i] += label_after[i]
            label_after[i] = leave
            mass += blank_after[i] + leave
        if not mass > TINY:
            return np.inf
        scale = 1.0 / mass
    return np.inf if lost > 0 and not log_p > -SAFE else -log_p


@njit(cache=True, nogil=True)
def log_occupancy(phi, y, skip, blank, label):
    """The same from log-probabilities phi and y; returns -ln p(l|x), infinite only where p is 0."""
    T, S = y.shape[0], y.shape[1] - 1
    blank[:], label[:] = -np.inf, -np.inf
    blank[0, 1], label[0, 1] = phi[0], y[0, 0]
    for t in range(1, T):
        for i in range(S + 1):
            stay, before = blank[t - 1, i + 1], label[t - 1, i]
            enter = log_add(stay, before) if skip[i] > 0.0 else stay
            blank[t, i + 1] = phi[t] + log_add(stay, before)
            label[t, i + 1] = y[t, i] + log_add(label[t - 1, i + 1], enter)
    log_p = log_add(blank[T - 1, S + 1], label[T - 1, S])

    blank_after, label_after = np.full(S + 2, -np.inf), np.full(S + 2, -np.inf)
    blank_after[S] = 0.0
    if S > 0:
        label_after[S - 1] = 0.0
    for t in range(T - 1, -1, -1):
        for i in range(S + 1):
            blank[t, i + 1] = math.exp(blank[t, i + 1] + blank_after[i] - log_p)
            label[t, i + 1] = math.exp(label[t, i + 1] + label_after[i] - log_p)
            blank_after[i] += phi[t]
            label_after[i] += y[t, i]
        for i in range(S + 1):
            leave = log_add(label_after[i], blank_after[i + 1])
            if skip[i + 1] > 0.0:
                leave = log_add(leave, label_after[i + 1])
            blank_after[i] = log_add(blank_after[i], label_after[i])
            label_after[i] = leave
    return -log_p


@njit(cache=True, nogil=True)
def utterance(logits, labels, gradient, room):
    """-ln p(labels|x) of one utterance, and its gradient y - γ by the logits (2006, equation 16).

    logits: (T, K), T > 0.  labels: (S,) from 1.  gradient: (T, K), written; or (0, K): not wanted.
    room: (3, at least T (S+2)) float64, to work in.
    """
    T, K, S = logits.shape[0], logits.shape[1], labels.size
    y = room[0, : T * (S + 1)].reshape(T, S + 1)
    blank = room[1, : T * (S + 2)].reshape(T, S + 2)
    label = room[2, : T * (S + 2)].reshape(T, S + 2)
    phi, probabilities = np.empty(T), np.empty(K)
    for t in range(T):
        softmax(logits[t], probabilities)
        phi[t], y[t, S] = probabilities[0], 0.0
        for i in range(S):
            y[t, i] = probabilities[labels[i]]
        if gradient.size:
            for k in range(K):
                gradient[t, k] = probabilities[k]
    skip = np.ones(S + 2)
    for i in range(1, S):
        skip[i] = labels[i] != labels[i - 1]

    loss = rescaled_occupancy(phi, y, skip, blank, label)
    if not loss < np.inf:
        for t in range(T):
            log_sum = log_sum_exp(logits[t])
            phi[t], y[t, S] = logits[t, 0] - log_sum, -np.inf
            for i in range(S):
                y[t, i] = logits[t, labels[i]] - log_sum
        loss = log_occupancy(phi, y, skip, blank, label)

    for t in range(gradient.shape[0]):
        for i in range(S):
            gradient[t, labels[i]] -= label[t, i + 1]
        gradient[t, 0] -= blank[t, 1 : S + 2].sum()
    return loss


@njit(cache=True, nogil=True)
def batch(logits, lengths, targets, target_lengths, losses, gradient, start, step):
    """Do rows start, start + step, ... of a batch; arguments as of `ctc_loss`.

    losses: (B,) float64, written.  gradient: (B, T, K) of zeros, written; or (B, 0, K).
    """
    room = np.empty((3, logits.shape[1] * (targets.shape[1] + 2)))
    for b in range(start, lengths.size, step):
        T, S = lengths[b], target_lengths[b]
        if T == 0:  # no frames, no labels: certain
            losses[b] = 0.0
        else:
            losses[b] = utterance(logits[b, :T], targets[b, :S], gradient[b, :T], room)
