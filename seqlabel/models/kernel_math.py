"""Exponentials and logarithms for compiled kernels.

Between loops that the compiler has vectorised, a call of math.exp or math.log takes about 200 ns
(the library finds the wide registers in use): kernels call them rarely, or in loops of their own.
"""

import math

import numpy as np
from numba import njit

REORDER = {"reassoc", "contract"}
"""Sums may be reordered, hence vectorised; NaN and infinities keep their meaning."""


@njit(cache=True, nogil=True)
def log_add(a, b):
    """ln(exp a + exp b), exact with a or b at minus infinity."""
    if a < b:
        a, b = b, a
    return a if b == -np.inf else a + math.log1p(math.exp(b - a))


@njit(cache=True, nogil=True, fastmath=True)
def largest(values):
    """The largest of `values`; with NaN among them any number."""
    result = -np.inf
    for k in range(values.size):
        result = max(result, np.float64(values[k]))
    return result


POWERS_OF_TWO = 2.0 ** np.arange(-1077.0, 1.0)
LN_2_HIGH, LN_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12 = (1 / math.factorial(n) for n in range(2, 13))


@njit(cache=True, nogil=True, fastmath=REORDER)
def exp(x):
    """exp(x) for x ≤ 0 as 2^n exp(r), |r| ≤ ln(2)/2, to 1e-15: unlike math.exp it vectorises."""
    x = -746.0 if x < -746.0 else x
    n = math.floor(x / math.log(2) + 0.5) if x >= -746.0 else 0  # NaN has no index
    r = x - n * LN_2_HIGH - n * LN_2_LOW
    series = C8 + r * (C9 + r * (C10 + r * (C11 + r * C12)))
    series = C4 + r * (C5 + r * (C6 + r * (C7 + r * series)))
    return (1.0 + r * (1.0 + r * (C2 + r * (C3 + r * series)))) * POWERS_OF_TWO[int(n) + 1077]


@njit(cache=True, nogil=True, fastmath=REORDER, error_model="numpy")
def softmax(logits, y):
    """Write the softmax of `logits` (K,) to `y` (K,) float64."""
    top = largest(logits)
    total = 0.0
    for k in range(logits.size):
        y[k] = exp(np.float64(logits[k]) - top)
        total += y[k]
    scale = 1.0 / total
    for k in range(logits.size):
        y[k] *= scale


@njit(cache=True, nogil=True, fastmath=REORDER)
def log_sum_exp(logits):
    """ln of the sum of exp over `logits` (K,)."""
    top = largest(logits)
    total = 0.0
    for k in range(logits.size):
        total += exp(np.float64(logits[k]) - top)
    return top + math.log(total)
