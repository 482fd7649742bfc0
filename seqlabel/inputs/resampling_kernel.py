"""The inner loop of resampling at native speed."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def interpolate(samples, first, taps, old, out):
    """Output n = q P + p is the product of taps[p] and the inputs from first[p] + q `old` on."""
    phases, width = taps.shape
    start = 0
    for begin in range(0, len(out), phases):
        for phase in range(min(phases, len(out) - begin)):
            at = start + first[phase]
            inputs, weights = samples[at : at + width], taps[phase]
            total = np.float32(0)
            for k in range(width):
                total += weights[k] * inputs[k]
            out[begin + phase] = total
        start += old
