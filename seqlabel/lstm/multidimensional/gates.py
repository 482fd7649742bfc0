"""The gates of a map cell for the columns of one diagonal, compiled for its flags.

A pixel is a column, so that loops vectorise over pixels, however few cells there are. Row
g N + j of `a` holds the net input of part g of cell j: the gates, then the cell input. The forward
kernel leaves the activations in their place. A kernel is called by address, with these arguments:

    forward     n columns, N cells, the stride s of all rows, a, c⁻, c, h, b, p
    backward    n, N, s, a, c⁻, c, the stride of dh, dc and dc⁻, dh, dc, da, dc⁻, p, dp, db

c⁻ (D N, n) are the states before, those of dimension 0 first. Backwards dh and dc (N, n) come from
above and from the diagonal computed next, both are written over; dc⁻ is left for the diagonal
before; dp and db are added to. All are float32.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import cfunc, types

from seqlabel.lstm.gates import _OPTIONS, _vector, sigmoid, tanh
from seqlabel.lstm.multidimensional.cell import LEAST, MapCell

_f = np.float32
_FORWARD = types.void(*[types.int64] * 9)
_BACKWARD = types.void(*[types.int64] * 14)


class Kernels(NamedTuple):
    """Addresses of the compiled gates of a cell."""

    forward: int
    backward: int


@cache
def kernels(cell: MapCell) -> Kernels:
    """Compiles the gates of a cell, or loads them from numba's cache."""
    forward = cfunc(_FORWARD, **_OPTIONS)(_forward(cell))
    backward = cfunc(_BACKWARD, **_OPTIONS)(_backward(cell))
    _KEPT.extend((forward, backward))
    return Kernels(forward.address or 0, backward.address or 0)


_KEPT: list[Any] = []  # compiled code lives as long as the process, as its addresses do


def _forward(cell: MapCell):
    D, PEEP, LEAKY = cell.dims, cell.peephole, cell.forget == "leaky"
    SCALE = _f(1 / D if cell.forget == "mean" else 1)
    O, Z, SMALL = D + 1, D + 2, _f(LEAST)

    def forward(n, N, s, a, c_before, c, h, b, p):
        bias, peep = _vector(b, 0, (D + 3) * N), _vector(p, 0, (D + 2) * N)
        for j in range(N):
            i, o, z = (
                _vector(a, j * s, n),
                _vector(a, (O * N + j) * s, n),
                _vector(a, (Z * N + j) * s, n),
            )
            now, out = _vector(c, j * s, n), _vector(h, j * s, n)
            # i and z; `now` holds the sum of the states before for a while
            if PEEP:
                for t in range(n):
                    now[t] = _f(0)
                for d in range(D):
                    before = _vector(c_before, (d * N + j) * s, n)
                    for t in range(n):
                        now[t] += before[t]
                p_i = peep[j]
                for t in range(n):
                    i[t] += p_i * now[t]
            b_i, b_z = bias[j], bias[Z * N + j]
            for t in range(n):
                i[t] = sigmoid(i[t] + b_i)
                z[t] = tanh(z[t] + b_z)
            # c; in the leaky form `out` holds the sum of the forget gates for a while
            if LEAKY:
                for t in range(n):
                    now[t] = _f(0)
                    out[t] = SMALL
            else:
                for t in range(n):
                    now[t] = i[t] * z[t]
            for d in range(D):
                f = _vector(a, ((1 + d) * N + j) * s, n)
                before = _vector(c_before, (d * N + j) * s, n)
                b_f = bias[(1 + d) * N + j]
                p_f = peep[(1 + d) * N + j] if PEEP else _f(0)
                for t in range(n):
                    gate = sigmoid(f[t] + b_f + p_f * before[t])
                    f[t] = gate
                    now[t] += SCALE * gate * before[t]
                    if LEAKY:
                        out[t] += gate
            if LEAKY:
                for t in range(n):
                    now[t] = i[t] * z[t] + (_f(1) - i[t]) * now[t] / out[t]
            # h
            b_o = bias[O * N + j]
            p_o = peep[O * N + j] if PEEP else _f(0)
            for t in range(n):
                gate = sigmoid(o[t] + b_o + p_o * now[t])
                o[t] = gate
                out[t] = gate * tanh(now[t])

    return forward


def _backward(cell: MapCell):
    D, PEEP, LEAKY = cell.dims, cell.peephole, cell.forget == "leaky"
    SCALE = _f(1 / D if cell.forget == "mean" else 1)
    O, Z, SMALL = D + 1, D + 2, _f(LEAST)

    def backward(n, N, s, a, c_before, c, above, dh, dc, da, dc_before, p, dp, db):
        peep, dpeep = _vector(p, 0, (D + 2) * N), _vector(dp, 0, (D + 2) * N)
        dbias = _vector(db, 0, (D + 3) * N)
        for j in range(N):
            i, o, z = (
                _vector(a, j * s, n),
                _vector(a, (O * N + j) * s, n),
                _vector(a, (Z * N + j) * s, n),
            )
            di, do, dz = (
                _vector(da, j * s, n),
                _vector(da, (O * N + j) * s, n),
                _vector(da, (Z * N + j) * s, n),
            )
            now = _vector(c, j * s, n)
            dout, dnow = _vector(dh, j * above, n), _vector(dc, j * above, n)
            # h = o tanh(c)
            p_o = peep[O * N + j] if PEEP else _f(0)
            sum_b, sum_p = _f(0), _f(0)
            for t in range(n):
                out, gate = tanh(now[t]), o[t]
                d_o = dout[t] * out * gate * (_f(1) - gate)
                do[t] = d_o
                dnow[t] += dout[t] * gate * (_f(1) - out * out) + d_o * p_o
                sum_b += d_o
                sum_p += d_o * now[t]
            dbias[O * N + j] += sum_b
            if PEEP:
                dpeep[O * N + j] += sum_p
            # c; in the leaky form `dout` and `dz` hold the mean of the states and the sum of the
            # gates for a while
            if LEAKY:
                for t in range(n):
                    dout[t] = _f(0)
                    dz[t] = SMALL
                for d in range(D):
                    f = _vector(a, ((1 + d) * N + j) * s, n)
                    before = _vector(c_before, (d * N + j) * s, n)
                    for t in range(n):
                        dout[t] += f[t] * before[t]
                        dz[t] += f[t]
                for t in range(n):
                    dout[t] /= dz[t]
            sum_b, sum_p = _f(0), _f(0)
            p_i = peep[j] if PEEP else _f(0)
            for t in range(n):
                gate = i[t]
                gain = z[t] - dout[t] if LEAKY else z[t]
                d_i = dnow[t] * gain * gate * (_f(1) - gate)
                di[t] = d_i
                sum_b += d_i
            dbias[j] += sum_b
            for d in range(D):
                f = _vector(a, ((1 + d) * N + j) * s, n)
                df = _vector(da, ((1 + d) * N + j) * s, n)
                before = _vector(c_before, (d * N + j) * s, n)
                dbefore = _vector(dc_before, (d * N + j) * above, n)
                p_f = peep[(1 + d) * N + j] if PEEP else _f(0)
                sum_b, sum_p, sum_i = _f(0), _f(0), _f(0)
                for t in range(n):
                    gate = f[t]
                    if LEAKY:
                        share = dnow[t] * (_f(1) - i[t]) / dz[t]
                        d_f = share * (before[t] - dout[t])
                    else:
                        share = dnow[t] * SCALE
                        d_f = share * before[t]
                    d_f *= gate * (_f(1) - gate)
                    df[t] = d_f
                    dbefore[t] = share * gate + d_f * p_f + di[t] * p_i
                    sum_b += d_f
                    sum_p += d_f * before[t]
                    sum_i += di[t] * before[t]
                dbias[(1 + d) * N + j] += sum_b
                if PEEP:
                    dpeep[(1 + d) * N + j] += sum_p
                    dpeep[j] += sum_i
            # z
            sum_b = _f(0)
            for t in range(n):
                d_z = dnow[t] * i[t] * (_f(1) - z[t] * z[t])
                dz[t] = d_z
                sum_b += d_z
            dbias[Z * N + j] += sum_b

    return backward
