"""Where the labels of a result lie: its most probable path (Viterbi alignment)."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def best_path_spans(probs, labels):
    """Start, end (exclusive) and largest probability of each label on the best path of `labels`.

    probs: (T, K) float64, probabilities; labels: (S,) int32. Returns (S,) int32, (S,) int32,
    (S,) float64; spans of length zero where no path of that labelling is possible.
    The states are those of CTC: the labels at odd places, blanks around them.
    """
    T, S = len(probs), len(labels)
    J = 2 * S + 1
    score = np.zeros(J + 2)  # two places before the first state, which no path comes from
    came = np.zeros((T, J), np.uint8)  # how many states back the best path came from
    starts, ends = np.zeros(S, np.int32), np.zeros(S, np.int32)
    peaks = np.zeros(S)
    score[2] = 1.0
    for t in range(T):
        # Only states that the first frame leads to and that still lead to the last one.
        first, last = max(0, J - 2 * (T - t)), min(J - 1, 2 * t + 1)
        best = 0.0
        blank = probs[t, 0]
        for j in range(last, first - 1, -1):
            before, step = score[j + 2], 0
            if (t > 0 and score[j + 1] > before) or (t == 0 and j == 1):
                before, step = score[j + 1], 1
            if j % 2 == 0:
                value = before * blank
            else:
                s = j >> 1
                if t > 0 and s > 0 and labels[s] != labels[s - 1] and score[j] > before:
                    before, step = score[j], 2
                value = before * probs[t, labels[s]]
            score[j + 2] = value
            came[t, j] = step
            best = max(best, value)
        if best == 0.0:
            return starts, ends, peaks
        if best < 2.0**-300:
            _, exponent = math.frexp(best)
            for j in range(first, last + 1):
                score[j + 2] = math.ldexp(score[j + 2], -exponent)
    j = J - 1
    if S > 0 and score[J] > score[J + 1]:
        j = J - 2
    for t in range(T - 1, -1, -1):
        if j % 2 == 1:
            s = j >> 1
            if ends[s] == 0:
                ends[s] = t + 1
            starts[s] = t
            peaks[s] = max(peaks[s], probs[t, labels[s]])
        j -= came[t, j]
    return starts, ends, peaks
