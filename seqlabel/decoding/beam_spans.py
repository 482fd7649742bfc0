"""Where the labels of a result lie."""

import numpy as np
from numba import njit

from seqlabel.decoding.alignment_kernel import viterbi


@njit(cache=True, nogil=True)
def label_spans(log_probs, labels):
    """Start, end (exclusive) and largest probability of each label on the best path of all.

    log_probs: (T, K); labels: (S,) int32, which have a path. Returns (S,) int32, int32, float64.
    """
    S = len(labels)
    starts, ends = np.zeros(S, np.int32), np.zeros(S, np.int32)
    peaks = np.full(S, -np.inf)
    path = np.empty(len(log_probs), np.int32)
    viterbi(log_probs, labels, path)
    for t in range(len(path) - 1, -1, -1):
        if path[t] % 2 == 1:
            s = path[t] >> 1
            starts[s] = t
            ends[s] = max(ends[s], t + 1)
            peaks[s] = max(peaks[s], log_probs[t, labels[s]])
    return starts, ends, np.exp(peaks)
