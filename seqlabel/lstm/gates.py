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

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic

from seqlabel.lstm.calls import address_of
from seqlabel.lstm.cell import AnyCell, Cell, Gru, is_timed

_OPTIONS: dict[str, Any] = {
    # rewrites that let loops vectorise, but none that takes values to be finite: NaN must come out
    # where NaN goes in
    "fastmath": {"contract", "reassoc", "nsz", "arcp", "afn"},
    "error_model": "numpy",  # a division that may raise would not vectorise
    "cache": True,
}
_f = np.float32
_LARGE = _f(7.90531110763549805)  # tanh is 1 beyond this, to float32


@njit(forceinline=True, **_OPTIONS)
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


@njit(forceinline=True, **_OPTIONS)
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
    if is_timed(cell):  # the gates come after time has had its share of the state
        assert isinstance(cell, Cell)
        return kernels(replace(cell, decay="none", time_unit=1.0), truncate)
    if isinstance(cell, Cell):
        forward, backward, parts = _lstm(cell, truncate)
    elif isinstance(cell, Gru):
        forward, backward, parts = _gru()
    else:
        forward, backward, parts = _tanh_rnn()
    addresses = address_of(forward, 9, _OPTIONS), address_of(backward, 14, _OPTIONS)
    return Kernels(*addresses, parts)


@intrinsic
def _pointer(typingctx, address):
    """An address as a pointer to float32."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.int64), generate


@njit(forceinline=True, **_OPTIONS)
def _vector(matrix, entry, N):
    """N floats from an entry of the matrix at an address.

    Every vector comes from a number of its own: to the compiler they have nothing in common, so it
    checks once per row that they do not overlap, and vectorises. Slices of one array it would take
    to be dependent on each other.
    """
    return carray(_pointer(matrix + 4 * entry), N)  # type: ignore[call-arg]


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
        for r in range(n):
            row = r * PARTS * N
            net_i, net_f = _vector(a, row + I * N, N), _vector(a, row + F * N, N)
            net_o, net_z = _vector(a, row + O * N, N), _vector(a, row + Z * N, N)
            b_i, b_f = _vector(b, I * N, N), _vector(b, F * N, N)
            b_o, b_z = _vector(b, O * N, N), _vector(b, Z * N, N)
            p_i, p_f, p_o = _vector(p, I * N, N), _vector(p, F * N, N), _vector(p, O * N, N)
            old, new = _vector(c_before, r * N, N), _vector(c, r * N, N)
            h_now = _vector(h, r * stride, N)
            for j in range(N):
                before = old[j]
                z = net_z[j] + b_z[j]
                if G == "tanh":
                    z = tanh(z)
                elif G == "logistic":
                    z = _f(2) * tanh(_f(0.5) * z)
                net_z[j] = z
                if INPUT:
                    i = net_i[j] + b_i[j]
                    if PEEP:
                        i += p_i[j] * before
                    i = sigmoid(i)
                    net_i[j] = i
                    z *= i
                if FORGET:
                    f = net_f[j] + b_f[j]
                    if PEEP:
                        f += p_f[j] * before
                    f = sigmoid(f)
                    net_f[j] = f
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
                    o = net_o[j] + b_o[j]
                    if DIAGONAL:
                        o += p_o[j] * now
                    if STATE:
                        o += p_o[j] * before
                    o = sigmoid(o)
                    net_o[j] = o
                    out *= o
                h_now[j] = out

    def backward(n, N, a, c_before, c, dy, stride, dh, dc, dgates, da, p, dp, db):
        for r in range(n):
            row, gate_row = r * PARTS * N, r * (PARTS - 1) * N
            act_i, act_f = _vector(a, row + I * N, N), _vector(a, row + F * N, N)
            act_o, act_z = _vector(a, row + O * N, N), _vector(a, row + Z * N, N)
            dnet_i, dnet_f = _vector(da, row + I * N, N), _vector(da, row + F * N, N)
            dnet_o, dnet_z = _vector(da, row + O * N, N), _vector(da, row + Z * N, N)
            dgate_i = _vector(dgates, gate_row + I * N, N)
            dgate_f = _vector(dgates, gate_row + F * N, N)
            dgate_o = _vector(dgates, gate_row + O * N, N)
            p_i, p_f, p_o = _vector(p, I * N, N), _vector(p, F * N, N), _vector(p, O * N, N)
            dp_i, dp_f, dp_o = _vector(dp, I * N, N), _vector(dp, F * N, N), _vector(dp, O * N, N)
            old, new = _vector(c_before, r * N, N), _vector(c, r * N, N)
            above, after = _vector(dy, r * stride, N), _vector(dh, r * N, N)
            carried = _vector(dc, r * N, N)
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
                    o = act_o[j]
                    d_o = d_out * out
                    if FEEDBACK:
                        d_o += dgate_o[j]
                    d_o *= o * (_f(1) - o)
                    dnet_o[j] = d_o
                    d_out *= o
                    if THROUGH_PEEP:
                        if DIAGONAL:
                            d += d_o * p_o[j]
                        else:
                            d_before += d_o * p_o[j]
                d += d_out * slope
                if CLIP:
                    d = _f(0) if abs(now) >= CLIP else d
                # c = f c⁻ + i z
                z = act_z[j]
                d_z = d
                if INPUT:
                    i = act_i[j]
                    d_z = d * i
                    d_i = d * z
                    if COUPLED:
                        d_i -= d * before
                        d_before += d * (_f(1) - i)
                    if FEEDBACK:
                        d_i += dgate_i[j]
                    d_i *= i * (_f(1) - i)
                    dnet_i[j] = d_i
                    if THROUGH_PEEP:
                        d_before += d_i * p_i[j]
                if FORGET:
                    f = act_f[j]
                    d_f = d * before
                    d_before += d * f
                    if FEEDBACK:
                        d_f += dgate_f[j]
                    d_f *= f * (_f(1) - f)
                    dnet_f[j] = d_f
                    if THROUGH_PEEP:
                        d_before += d_f * p_f[j]
                elif not COUPLED:
                    d_before += d
                if G == "tanh":
                    d_z *= _f(1) - z * z
                elif G == "logistic":
                    d_z *= _f(1) - _f(0.25) * z * z
                dnet_z[j] = d_z
                carried[j] = d_before
            if PEEP and INPUT:
                for j in range(N):
                    dp_i[j] += dnet_i[j] * old[j]
            if PEEP and FORGET:
                for j in range(N):
                    dp_f[j] += dnet_f[j] * old[j]
            if PEEP and OUTPUT:
                seen = new if DIAGONAL else old
                for j in range(N):
                    dp_o[j] += dnet_o[j] * seen[j]
            sums, dnet = _vector(db, 0, PARTS * N), _vector(da, row, PARTS * N)
            for k in range(PARTS * N):
                sums[k] += dnet[k]

    return forward, backward, PARTS


def _gru():
    """The equations of `Gru(reset="after")`; the parts are R h⁻ of n alone, then r, u and n.

    c stands for the state h.
    """

    def forward(n, N, a, c_before, c, h, stride, b, p):
        b_r, b_u, b_n = _vector(b, N, N), _vector(b, 2 * N, N), _vector(b, 3 * N, N)
        for r in range(n):
            row = r * 4 * N
            net_q, net_r = _vector(a, row, N), _vector(a, row + N, N)
            net_u, net_n = _vector(a, row + 2 * N, N), _vector(a, row + 3 * N, N)
            old, new = _vector(c_before, r * N, N), _vector(c, r * N, N)
            h_now = _vector(h, r * stride, N)
            for j in range(N):
                reset = sigmoid(net_r[j] + b_r[j])
                u = sigmoid(net_u[j] + b_u[j])
                z = tanh(net_n[j] + b_n[j] + reset * net_q[j])
                now = u * old[j] + (_f(1) - u) * z
                net_r[j] = reset
                net_u[j] = u
                net_n[j] = z
                new[j] = now
                h_now[j] = now

    def backward(n, N, a, c_before, c, dy, stride, dh, dc, dgates, da, p, dp, db):
        for r in range(n):
            row = r * 4 * N
            act_q, act_r = _vector(a, row, N), _vector(a, row + N, N)
            act_u, act_n = _vector(a, row + 2 * N, N), _vector(a, row + 3 * N, N)
            dnet_q, dnet_r = _vector(da, row, N), _vector(da, row + N, N)
            dnet_u, dnet_n = _vector(da, row + 2 * N, N), _vector(da, row + 3 * N, N)
            old, carried = _vector(c_before, r * N, N), _vector(dc, r * N, N)
            above, after = _vector(dy, r * stride, N), _vector(dh, r * N, N)
            for j in range(N):
                reset, u, z = act_r[j], act_u[j], act_n[j]
                d = above[j] + after[j] + carried[j]
                d_z = d * (_f(1) - u) * (_f(1) - z * z)
                dnet_q[j] = d_z * reset
                dnet_r[j] = d_z * act_q[j] * reset * (_f(1) - reset)
                dnet_u[j] = d * (old[j] - z) * u * (_f(1) - u)
                dnet_n[j] = d_z
                carried[j] = d * u
            sums, dnet = _vector(db, 0, 4 * N), _vector(da, row, 4 * N)
            for k in range(4 * N):
                sums[k] += dnet[k]

    return forward, backward, 4


def _tanh_rnn():
    """h = tanh(a + b); there is no c."""

    def forward(n, N, a, c_before, c, h, stride, b, p):
        bias = _vector(b, 0, N)
        for r in range(n):
            net, h_now = _vector(a, r * N, N), _vector(h, r * stride, N)
            for j in range(N):
                now = tanh(net[j] + bias[j])
                net[j] = now
                h_now[j] = now

    def backward(n, N, a, c_before, c, dy, stride, dh, dc, dgates, da, p, dp, db):
        sums = _vector(db, 0, N)
        for r in range(n):
            act, dnet = _vector(a, r * N, N), _vector(da, r * N, N)
            above, after = _vector(dy, r * stride, N), _vector(dh, r * N, N)
            for j in range(N):
                d = (above[j] + after[j]) * (_f(1) - act[j] * act[j])
                dnet[j] = d
                sums[j] += d

    return forward, backward, 1
