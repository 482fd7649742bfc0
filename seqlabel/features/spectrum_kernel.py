"""Windows, mel filters and cepstra of one frame after the other, at native speed.

Each frame is computed by itself and in the same order of additions, so that its features are the
same to the last bit however many frames are asked for at once. ("reassoc" lets the compiler choose
that order, once, for the vector units of the machine.)
"""

from numba import njit


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def cut_windows(samples, start, step, shape, emphasis, out, energy):
    """Frames of `samples` (N,), the first at `start`: without mean, pre-emphasised, windowed.

    shape: (L,) window. out: (b, >= L), what lies behind L is left alone. energy: (b,) sums of
    squares before the pre-emphasis, whose first difference takes the first sample for the one
    before it.
    """
    length = len(shape)
    for t in range(len(energy)):
        own = samples[start + t * step : start + t * step + length]
        total = 0.0
        for n in range(length):
            total += own[n]
        mean = total / length
        square = 0.0
        for n in range(length):
            centred = own[n] - mean
            square += centred * centred
        energy[t] = square
        rest = (1.0 - emphasis) * mean
        out[t, 0] = shape[0] * ((1.0 - emphasis) * own[0] - rest)
        row, later, window = out[t, 1:], own[1:], shape[1:]
        for n in range(length - 1):
            row[n] = window[n] * (later[n] - emphasis * own[n] - rest)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def sum_filters(spectrum, first, count, weights, floor, out):
    """Energies of the filters, `floor` at least: spectrum (b, 2 bins) -> out (b, filters).

    spectrum: real and imaginary parts in turn. Filter m weighs the power of the bins first[m] ...
    first[m] + count[m] - 1 with the next count[m] of `weights`.
    """
    for t in range(len(spectrum)):
        row = spectrum[t]
        w = 0
        for m in range(len(first)):
            total = 0.0
            own, weight = row[2 * first[m] :], weights[w : w + count[m]]
            for k in range(count[m]):
                total += weight[k] * (own[2 * k] * own[2 * k] + own[2 * k + 1] * own[2 * k + 1])
            w += count[m]
            out[t, m] = max(total, floor)


@njit(cache=True, nogil=True)
def sum_cosines(logs, cosines, out):
    """Cepstra: logs (b, filters), cosines (filters, ceps) -> added to out (b, ceps)."""
    for t in range(len(logs)):
        for m in range(len(cosines)):
            for k in range(cosines.shape[1]):
                out[t, k] += logs[t, m] * cosines[m, k]
