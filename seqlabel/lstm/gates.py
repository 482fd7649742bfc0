"""The gates of a cell for the rows of one time step, compiled for the flags of the cell.

A row of `a` holds the net inputs W x + R s of all parts of a cell side by side, N each: its gates,
then the cell input. The forward kernel adds biases and peepholes and leaves the activations in
their place; with the states they are all that the backward kernel needs. What a flag switches off
is not compiled. A kernel is called by address (see `sequence.py`), with these arguments:

    forward     n rows, N cells, a, c⁻, c, h and the stride of its rows, b, p
    backward    n, N, a, c⁻, c, dy and the stride of its rows, dh, dc, dgates, da, p, dp, db

c⁻ (n, N) is the state before and c the new one; h the output. Backwards dy comes from the layer
above, dh, dc and dgates (n, gates * N) from the frame computed next, and dc is left for the frame
before; dp and db are added to. All are float32.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import carray, cfunc, njit, types

from seqlabel.lstm.cell import AnyCell, Cell, Gru

_OPTIONS: dict[str, Any] = {
    # rewrites that let loops vectorise, but none that takes values to be finite: NaN must come out
    # where NaN goes in
    "fastmath": {"contract", "reassoc", "nsz", "arcp", "afn"},
    "error_model": "numpy",  # a division that may raise would not vectorise
    "cache": True,
}
_int, _floats, _f = types.int64, types.CPointer(types.float32), np.float32
_FORWARD = types.void(_int, _int, *[_floats] * 4, _int, *[_floats] * 2)
_BACKWARD = types.void(_int, _int, *[_floats] * 4, _int, *[_floats] * 7)
_LARGE = _f(7.90531110763549805)  # tanh is 1 beyond this, to float32


@njit(inline="always", **_OPTIONS)
def tanh(x):
    """tanh(x) to 4e-7, a rational function that vectorises (the coefficients of Eigen's ptanh)."""
    x = _LARGE if x > _LARGE else x  # false for NaN, which stays
    x = -_LARGE if x < -_LARGE else x
    q = x * x
    p = _f(-2.76076847742355e-16)
    p = p * q + _f(2.00018790482477e-13)
    p = p * q + _f(-8.60467152213735e-11)
    p = p * q + _f(5.12229709037114e-08)
    p = p * q + _f(1.48572235717979e-05)
    p = p * q + _f(6.37261928875436e-04)
    p = p * q + _f(4.89352455891786e-03)
    d = _f(1.19825839466702e-06)
    d = d * q + _f(1.18534705686654e-04)
    d = d * q + _f(2.26843463243900e-03)
    d = d * q + _f(4.89352518554385e-03)
    return p * x / d


@njit(inline="always", **_OPTIONS)
def sigmoid(x):
    return _f(0.5) * tanh(_f(0.5) * x) + _f(0.5)


class Kernels(NamedTuple):
    """Addresses of the compiled gates of a cell, and how many parts its rows have."""

    forward: int
    backward: int
    parts: int


@cache
def kernels(cell: AnyCell, truncate: bool) -> Kernels:
    """Compiles the gates of a cell, or loads them from numba's cache."""
    if isinstance(cell, Cell):
        forward, backward, parts = _lstm(cell, truncate)
    elif isinstance(cell, Gru):
        forward, backward, parts = _gru()
    else:
        forward, backward, parts = _tanh_rnn()
    compiled = cfunc(_FORWARD, **_OPTIONS)(forward), cfunc(_BACKWARD, **_OPTIONS)(backward)
    _KEPT.extend(compiled)
    return Kernels(compiled[0].address or 0, compiled[1].address or 0, parts)


_KEPT: list = []  # compiled code lives as long as the process, as its addresses do


@njit(inline="always", **_OPTIONS)
def _row(matrix, r, stride, width):
    """Row r of the matrix at a pointer, whose rows begin `stride` apart."""
    return carray(matrix, r * stride + width)[r * stride : r * stride + width]


def _lstm(cell: Cell, truncate: bool):
    """The equations of `cell.py`; the parts are the gates, then the cell input z."""
    gates = cell.gates
    INPUT, FORGET, OUTPUT = cell.input_gate, "f" in gates, cell.output_gate
    COUPLED, CLIP = cell.coupled, _f(cell.cell_clip)
    DIAGONAL, STATE = cell.peephole == "diagonal", cell.peephole == "state-diagonal"
    PEEP = DIAGONAL or STATE
    THROUGH_PEEP = PEEP and not truncate
    FEEDBACK = cell.gate_recurrence != "none"
    G, PHI = cell.g, cell.output
    I, F, O, Z = gates.find("i"), gates.find("f"), gates.find("o"), len(gates)
    PARTS = len(gates) + 1

    def forward(n, N, a, c_before, c, h, stride, b, p):
        A = PARTS * N
        b, p = carray(b, A), carray(p, A)
        for r in range(n):
            net, h_now = _row(a, r, A, A), _row(h, r, stride, N)
            old, new = _row(c_before, r, N, N), _row(c, r, N, N)
            for j in range(N):
                before = old[j]
                z = net[Z * N + j] + b[Z * N + j]
                if G == "tanh":
                    z = tanh(z)
                elif G == "logistic":
                    z = _f(2) * tanh(_f(0.5) * z)
                net[Z * N + j] = z
                if INPUT:
                    i = net[I * N + j] + b[I * N + j]
                    if PEEP:
                        i += p[I * N + j] * before
                    i = sigmoid(i)
                    net[I * N + j] = i
                    z *= i
                if FORGET:
                    f = net[F * N + j] + b[F * N + j]
                    if PEEP:
                        f += p[F * N + j] * before
                    f = sigmoid(f)
                    net[F * N + j] = f
                    now = f * before + z
                elif COUPLED:
                    now = (_f(1) - i) * before + z
                else:
                    now = before + z
                if CLIP:
                    now = CLIP if now > CLIP else now
                    now = -CLIP if now < -CLIP else now
                new[j] = now
                out = now
                if PHI == "tanh":
                    out = tanh(now)
                elif PHI == "logistic":
                    out = tanh(_f(0.5) * now)
                if OUTPUT:
                    o = net[O * N + j] + b[O * N + j]
                    if DIAGONAL:
                        o += p[O * N + j] * now
                    if STATE:
                        o += p[O * N + j] * before
                    o = sigmoid(o)
                    net[O * N + j] = o
                    out *= o
                h_now[j] = out

    def backward(n, N, a, c_before, c, dy, stride, dh, dc, dgates, da, p, dp, db):
        A = PARTS * N
        p, dp, db = carray(p, A), carray(dp, A), carray(db, A)
        for r in range(n):
            act, dnet = _row(a, r, A, A), _row(da, r, A, A)
            old, new = _row(c_before, r, N, N), _row(c, r, N, N)
            above, after = _row(dy, r, stride, N), _row(dh, r, N, N)
            carried, dgate = _row(dc, r, N, N), _row(dgates, r, A - N, A - N)
            for j in range(N):
                before, now = old[j], new[j]
                d, d_before = carried[j], _f(0)
                # h = o φ(c)
                d_out = above[j] + after[j]
                out, slope = now, _f(1)
                if PHI == "tanh":
                    out = tanh(now)
                    slope = _f(1) - out * out
                elif PHI == "logistic":
                    out = tanh(_f(0.5) * now)
                    slope = _f(0.5) * (_f(1) - out * out)
                if OUTPUT:
                    o = act[O * N + j]
                    d_o = d_out * out
                    if FEEDBACK:
                        d_o += dgate[O * N + j]
                    d_o *= o * (_f(1) - o)
                    dnet[O * N + j] = d_o
                    d_out *= o
                    if DIAGONAL:
                        dp[O * N + j] += d_o * now
                        if THROUGH_PEEP:
                            d += d_o * p[O * N + j]
                    if STATE:
                        dp[O * N + j] += d_o * before
                        if THROUGH_PEEP:
                            d_before += d_o * p[O * N + j]
                d += d_out * slope
                if CLIP:
                    d = _f(0) if abs(now) >= CLIP else d
                # c = f c⁻ + i z
                z = act[Z * N + j]
                d_z = d
                if INPUT:
                    i = act[I * N + j]
                    d_z = d * i
                    d_i = d * z
                    if COUPLED:
                        d_i -= d * before
                        d_before += d * (_f(1) - i)
                    if FEEDBACK:
                        d_i += dgate[I * N + j]
                    d_i *= i * (_f(1) - i)
                    dnet[I * N + j] = d_i
                    if PEEP:
                        dp[I * N + j] += d_i * before
                        if THROUGH_PEEP:
                            d_before += d_i * p[I * N + j]
                if FORGET:
                    f = act[F * N + j]
                    d_f = d * before
                    d_before += d * f
                    if FEEDBACK:
                        d_f += dgate[F * N + j]
                    d_f *= f * (_f(1) - f)
                    dnet[F * N + j] = d_f
                    if PEEP:
                        dp[F * N + j] += d_f * before
                        if THROUGH_PEEP:
                            d_before += d_f * p[F * N + j]
                elif not COUPLED:
                    d_before += d
                if G == "tanh":
                    d_z *= _f(1) - z * z
                elif G == "logistic":
                    d_z *= _f(1) - _f(0.25) * z * z
                dnet[Z * N + j] = d_z
                carried[j] = d_before
            for k in range(A):
                db[k] += dnet[k]

    return forward, backward, PARTS


def _gru():
    """The equations of `Gru(reset="after")`; the parts are R h⁻ of n alone, then r, u and n.

    c stands for the state h.
    """

    def forward(n, N, a, c_before, c, h, stride, b, p):
        b = carray(b, 4 * N)
        for r in range(n):
            net, h_now = _row(a, r, 4 * N, 4 * N), _row(h, r, stride, N)
            old, new = _row(c_before, r, N, N), _row(c, r, N, N)
            for j in range(N):
                reset = sigmoid(net[N + j] + b[N + j])
                u = sigmoid(net[2 * N + j] + b[2 * N + j])
                z = tanh(net[3 * N + j] + b[3 * N + j] + reset * net[j])
                now = u * old[j] + (_f(1) - u) * z
                net[N + j] = reset
                net[2 * N + j] = u
                net[3 * N + j] = z
                new[j] = now
                h_now[j] = now

    def backward(n, N, a, c_before, c, dy, stride, dh, dc, dgates, da, p, dp, db):
        db = carray(db, 4 * N)
        for r in range(n):
            act, dnet = _row(a, r, 4 * N, 4 * N), _row(da, r, 4 * N, 4 * N)
            old, carried = _row(c_before, r, N, N), _row(dc, r, N, N)
            above, after = _row(dy, r, stride, N), _row(dh, r, N, N)
            for j in range(N):
                reset, u, z = act[N + j], act[2 * N + j], act[3 * N + j]
                d = above[j] + after[j] + carried[j]
                d_z = d * (_f(1) - u) * (_f(1) - z * z)
                dnet[j] = d_z * reset
                dnet[N + j] = d_z * act[j] * reset * (_f(1) - reset)
                dnet[2 * N + j] = d * (old[j] - z) * u * (_f(1) - u)
                dnet[3 * N + j] = d_z
                carried[j] = d * u
            for k in range(N, 4 * N):
                db[k] += dnet[k]

    return forward, backward, 4


def _tanh_rnn():
    """h = tanh(a + b); there is no c."""

    def forward(n, N, a, c_before, c, h, stride, b, p):
        b = carray(b, N)
        for r in range(n):
            net, h_now = _row(a, r, N, N), _row(h, r, stride, N)
            for j in range(N):
                now = tanh(net[j] + b[j])
                net[j] = now
                h_now[j] = now

    def backward(n, N, a, c_before, c, dy, stride, dh, dc, dgates, da, p, dp, db):
        db = carray(db, N)
        for r in range(n):
            act, dnet = _row(a, r, N, N), _row(da, r, N, N)
            above, after = _row(dy, r, stride, N), _row(dh, r, N, N)
            for j in range(N):
                d = (above[j] + after[j]) * (_f(1) - act[j] * act[j])
                dnet[j] = d
                db[j] += d

    return forward, backward, 1
