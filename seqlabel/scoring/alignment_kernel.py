"""The dynamic programmes behind `seqlabel.scoring.alignment`, compiled."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def align_pairs(reference, reference_at, hypothesis, hypothesis_at, optional, costs, codes):
    """Align every pair; write its codes at reference_at[n] + hypothesis_at[n], return lengths.

    Codes: 0 correct, 1 substituted, 2 deleted, 3 inserted, 4 an optional label left out.

    reference, hypothesis: int32 labels of all pairs, one after the other; pair n lies between
        reference_at[n] and reference_at[n + 1] (int64).
    optional: bool per label number. costs: int64 (substitution, deletion, insertion, optional).
    codes: uint8, room for every label of both sides.
    """
    substitution, deletion, insertion, omission = costs[0], costs[1], costs[2], costs[3]
    pairs = reference_at.shape[0] - 1
    lengths = np.zeros(pairs, np.int64)
    widest, cells = 1, 1
    for n in range(pairs):
        rows = reference_at[n + 1] - reference_at[n] + 1
        columns = hypothesis_at[n + 1] - hypothesis_at[n] + 1
        widest = max(widest, columns)
        cells = max(cells, rows * columns)
    back = np.empty(cells, np.uint8)
    cost = np.empty(widest, np.int64)  # of the row above, overwritten from the left
    for n in range(pairs):
        r0, h0 = reference_at[n], hypothesis_at[n]
        R, H = reference_at[n + 1] - r0, hypothesis_at[n + 1] - h0
        columns = H + 1
        cost[0] = 0
        for j in range(1, columns):
            cost[j] = cost[j - 1] + insertion
            back[j] = 3
        for i in range(1, R + 1):
            label = reference[r0 + i - 1]
            free = optional[label]
            drop = omission if free else deletion
            diagonal = cost[0]
            cost[0] += drop
            back[i * columns] = 4 if free else 2
            for j in range(1, columns):
                same = label == hypothesis[h0 + j - 1]
                pair = diagonal + (0 if same else substitution)
                gone = cost[j] + drop
                added = cost[j - 1] + insertion
                diagonal = cost[j]
                if pair <= gone and pair <= added:
                    cost[j] = pair
                    back[i * columns + j] = 0 if same else 1
                elif gone < added:
                    cost[j] = gone
                    back[i * columns + j] = 4 if free else 2
                else:
                    cost[j] = added
                    back[i * columns + j] = 3
        i, j, length, at = R, H, 0, r0 + h0
        while i > 0 or j > 0:
            code = back[i * columns + j]
            codes[at + length] = code
            length += 1
            if code != 3:
                i -= 1
            if code <= 1 or code == 3:
                j -= 1
        codes[at : at + length] = codes[at : at + length][::-1].copy()
        lengths[n] = length
    return lengths


@njit(cache=True, nogil=True)
def count_errors(reference, reference_at, hypothesis, hypothesis_at, optional, costs, chosen):
    """Errors of the alignment that `align_pairs` finds, for the pairs `chosen` (int64); total."""
    substitution, deletion, insertion, omission = costs[0], costs[1], costs[2], costs[3]
    widest = 1
    for n in chosen:
        widest = max(widest, hypothesis_at[n + 1] - hypothesis_at[n] + 1)
    cost = np.empty(widest, np.int64)
    errors = np.empty(widest, np.int64)
    total = 0
    for n in chosen:
        r0, h0 = reference_at[n], hypothesis_at[n]
        R, H = reference_at[n + 1] - r0, hypothesis_at[n + 1] - h0
        for j in range(H + 1):
            cost[j] = j * insertion
            errors[j] = j
        for i in range(R):
            label = reference[r0 + i]
            free = optional[label]
            drop = omission if free else deletion
            dropped = 0 if free else 1
            diagonal, wrong = cost[0], errors[0]
            left = cost[0] = diagonal + drop
            so_far = errors[0] = wrong + dropped
            for j in range(1, H + 1):
                same = label == hypothesis[h0 + j - 1]
                pair = diagonal + (0 if same else substitution)
                gone = cost[j] + drop
                added = left + insertion
                here = wrong + (0 if same else 1)
                diagonal, wrong = cost[j], errors[j]
                if pair <= gone and pair <= added:
                    left, so_far = pair, here
                elif gone < added:
                    left, so_far = gone, wrong + dropped
                else:
                    left, so_far = added, so_far + 1
                cost[j] = left
                errors[j] = so_far
        total += errors[H]
    return total
