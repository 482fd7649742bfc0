"""A map cell for the columns of one diagonal, compiled for its flags.

A pixel is a column, so that vectors are of pixels, however few cells there are. Row g N + j of `a`
holds part g of cell j: the gates, then the cell input. A kernel is called by address, with these
arguments:

    forward     n columns, N cells, K rows of the source, the stride s of source, c⁻ and h, source,
                c⁻, w, p, room for a tile, a, c, h
    backward    n, N, a, c⁻, c, dh, dc, dc⁻, the stride s of da, da, p, sums

All other rows are n floats apart. The source has the rows of x, then those of h⁻; w has, cell by
cell, the bias and then the weights of each row of the source for all parts. Forwards, the net
inputs of a cell are summed up in registers for two vectors of columns, so that there is no matrix
of net inputs: a receives the activations. c⁻ (D N, n) are the states before, those of dimension 0
first. Backwards dh and dc (N, n) come from above and from the diagonal computed next; dc⁻ is left
for the diagonal before; the gradients of b and p are added to the sums (A + (D + 2) N vectors),
lane by lane. All are float32.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from seqlabel.lstm.calls import address_of
from seqlabel.lstm.gates import _LARGE, _OPTIONS, _vector
from seqlabel.lstm.lanes import (
    WIDTH,
    add_products,
    everywhere,
    load,
    spread,
    store,
    store_all,
    up_to,
    within,
)
from seqlabel.lstm.multidimensional.cell import LEAST, MapCell

_f = np.float32
TILE = 2 * WIDTH
"""Columns whose net inputs are summed up at once; sources have a multiple of them."""


class Kernels(NamedTuple):
    """Addresses of the compiled gates of a cell."""

    forward: int
    backward: int


@cache
def kernels(cell: MapCell) -> Kernels:
    """Compiles the gates of a cell, or loads them from numba's cache."""
    return Kernels(*(address_of(of(cell), 12, _OPTIONS) for of in (_forward, _backward)))


@njit(forceinline=True, **_OPTIONS)
def _ratio(x):
    """tanh(x) as numerator and denominator, see `seqlabel.lstm.gates.tanh`."""
    x = within(x, _LARGE)
    q = x * x
    p = q * _f(-2.76076847742355e-16) + _f(2.00018790482477e-13)
    p = p * q + _f(-8.60467152213735e-11)
    p = p * q + _f(5.12229709037114e-08)
    p = p * q + _f(1.48572235717979e-05)
    p = p * q + _f(6.37261928875436e-04)
    p = p * q + _f(4.89352455891786e-03)
    d = q * _f(1.19825839466702e-06) + _f(1.18534705686654e-04)
    d = d * q + _f(2.26843463243900e-03)
    d = d * q + _f(4.89352518554385e-03)
    return p * x, d


@njit(forceinline=True, **_OPTIONS)
def _tanh(x):
    above, below = _ratio(x)
    return above / below


@njit(forceinline=True, **_OPTIONS)
def _sigmoid_and_tanh(x, y):
    """σ(x) and tanh(y) with one division, which takes as long as a dozen other operations."""
    x_above, x_below = _ratio(x * _f(0.5))
    y_above, y_below = _ratio(y)
    both = everywhere(_f(1)) / (x_below * y_below)
    return x_above * y_below * both * _f(0.5) + _f(0.5), y_above * x_below * both


@njit(forceinline=True, **_OPTIONS)
def _sigmoids(x, y):
    """σ(x) and σ(y), likewise."""
    found, other = _sigmoid_and_tanh(x, y * _f(0.5))
    return found, other * _f(0.5) + _f(0.5)


@njit(forceinline=True, **_OPTIONS)
def _add(place, value):
    every = up_to(WIDTH)
    store(place, load(place, every) + value, every)


def _forward(cell: MapCell):
    D, PEEP, LEAKY = cell.dims, cell.peephole, cell.forget == "leaky"
    SCALE = _f(1 / D if cell.forget == "mean" else 1)
    O, Z, SMALL = D + 1, D + 2, _f(LEAST)
    PARTS = (0,) * (D + 3)

    def forward(n, N, K, s, source, c_before, w, p, net, a, c, h):
        peep = _vector(p, 0, (D + 2) * N)
        each = 4 * len(PARTS)
        every = up_to(WIDTH)  # what is read has room to spare, and only stores need the mask
        for first in range(0, n, TILE):
            for j in range(N):
                row = w + each * (K + 1) * j
                low = high = spread(row, PARTS)
                place = source + 4 * first
                for _ in range(K):
                    row += each
                    low = add_products(low, row, place)
                    high = add_products(high, row, place + 4 * WIDTH)
                    place += 4 * s
                store_all(net, low, TILE)
                store_all(net + 4 * WIDTH, high, TILE)
                for t in range(first, min(n, first + TILE), WIDTH):
                    mask = up_to(n - t)
                    sums, here = net + 4 * (t - first), 4 * (j * n + t)
                    net_i, net_o = load(sums, every), load(sums + 4 * O * TILE, every)
                    before = c_before + 4 * (j * s + t)
                    if PEEP:
                        p_i = peep[j]
                        for d in range(D):
                            net_i = net_i + load(before + 4 * d * N * s, every) * p_i
                    i, z = _sigmoid_and_tanh(net_i, load(sums + 4 * Z * TILE, every))
                    store(a + here, i, mask)
                    store(a + 4 * Z * N * n + here, z, mask)
                    kept, gates = everywhere(_f(0)), everywhere(SMALL)
                    for d in range(0, D, 2):  # two at once; of an odd number the last twice
                        e = min(d + 1, D - 1)
                        old = load(before + 4 * d * N * s, every)
                        other = load(before + 4 * e * N * s, every)
                        net_f = load(sums + 4 * (1 + d) * TILE, every)
                        net_g = load(sums + 4 * (1 + e) * TILE, every)
                        if PEEP:
                            net_f = net_f + old * peep[(1 + d) * N + j]
                            net_g = net_g + other * peep[(1 + e) * N + j]
                        f, g = _sigmoids(net_f, net_g)
                        store(a + 4 * (1 + d) * N * n + here, f, mask)
                        store(a + 4 * (1 + e) * N * n + here, g, mask)
                        kept, gates = kept + f * old, gates + f
                        if e > d:
                            kept, gates = kept + g * other, gates + g
                    if LEAKY:
                        kept = (everywhere(_f(1)) - i) * kept / gates
                    now = i * z + kept * SCALE
                    store(c + here, now, mask)
                    if PEEP:
                        net_o = net_o + now * peep[O * N + j]
                    o, out = _sigmoid_and_tanh(net_o, now)
                    store(a + 4 * O * N * n + here, o, mask)
                    store(h + 4 * (j * s + t), o * out, mask)

    return forward


def _backward(cell: MapCell):
    D, PEEP, LEAKY = cell.dims, cell.peephole, cell.forget == "leaky"
    SCALE = _f(1 / D if cell.forget == "mean" else 1)
    O, Z, SMALL = D + 1, D + 2, _f(LEAST)

    def backward(n, N, a, c_before, c, dh, dc, dc_before, s, da, p, sums):
        peep = _vector(p, 0, (D + 2) * N)
        dpeep = sums + 4 * WIDTH * (D + 3) * N
        one, zero = everywhere(_f(1)), everywhere(_f(0))
        part, dpart = 4 * N * n, 4 * N * s
        for j in range(N):
            b_i = b_o = b_z = p_i = p_o = zero
            for t in range(0, n, WIDTH):
                mask, here, there = up_to(n - t), 4 * (j * n + t), 4 * (j * s + t)
                # h = o tanh(c)
                now = load(c + here, mask)
                gate, dout = load(a + O * part + here, mask), load(dh + here, mask)
                out = _tanh(now)
                d_o = dout * out * gate * (one - gate)
                store(da + O * dpart + there, d_o, mask)
                d = load(dc + here, mask) + dout * gate * (one - out * out)
                b_o = b_o + d_o
                if PEEP:
                    d = d + d_o * peep[O * N + j]
                    p_o = p_o + d_o * now
                # c, in the leaky form with the mean of the states before
                gates, mean = everywhere(SMALL), zero
                if LEAKY:
                    for k in range(D):
                        f = load(a + (1 + k) * part + here, mask)
                        mean = mean + f * load(c_before + k * part + here, mask)
                        gates = gates + f
                    mean = mean / gates
                i, z = load(a + here, mask), load(a + Z * part + here, mask)
                d_i = d * (z - mean) * i * (one - i)
                d_z = d * i * (one - z * z)
                store(da + there, d_i, mask)
                store(da + Z * dpart + there, d_z, mask)
                b_i, b_z = b_i + d_i, b_z + d_z
                share = d * (one - i) / gates if LEAKY else d * SCALE
                for k in range(D):
                    old = load(c_before + k * part + here, mask)
                    f = load(a + (1 + k) * part + here, mask)
                    d_f = share * (old - mean) * f * (one - f)
                    store(da + (1 + k) * dpart + there, d_f, mask)
                    _add(sums + 4 * WIDTH * ((1 + k) * N + j), d_f)
                    left = share * f
                    if PEEP:
                        left = left + d_f * peep[(1 + k) * N + j] + d_i * peep[j]
                        p_i = p_i + d_i * old
                        _add(dpeep + 4 * WIDTH * ((1 + k) * N + j), d_f * old)
                    store(dc_before + k * part + here, left, mask)
            _add(sums + 4 * WIDTH * j, b_i)
            _add(sums + 4 * WIDTH * (O * N + j), b_o)
            _add(sums + 4 * WIDTH * (Z * N + j), b_z)
            if PEEP:
                _add(dpeep + 4 * WIDTH * j, p_i)
                _add(dpeep + 4 * WIDTH * (O * N + j), p_o)

    return backward
