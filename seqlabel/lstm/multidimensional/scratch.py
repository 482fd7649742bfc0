"""Scratch memory of the compiled calls, for one direction after the other.

Room for the largest chunk of a plan, m columns, and the largest diagonal, n columns. All are
float32 and begin with a cache line. Rows that kernels write have `lanes.WIDTH` floats to spare
behind the last.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from seqlabel.lstm.lanes import WIDTH
from seqlabel.lstm.multidimensional.columns import entry
from seqlabel.lstm.multidimensional.gates import TILE

_LINE = 16  # floats in a cache line


class Forward(NamedTuple):
    packed: np.ndarray  # (A (1 + I + D N)) bias, W and R by cells
    source: np.ndarray  # (I + 2 D N, n and more): x, then h and c of the columns before
    h: np.ndarray  # (2, N, n and more) outputs of this diagonal and of the one before
    net: np.ndarray  # a tile of net inputs


class Backward(NamedTuple):
    inputs: np.ndarray  # (m, I + D N) x and h of the pixels before
    x: np.ndarray  # (m I) gradients
    wide: np.ndarray  # (A, lanes.WIDTH) W, if it is narrower
    before: np.ndarray  # (D N n) states of the columns before
    da: np.ndarray  # (A m)
    dbefore: np.ndarray  # (2, D N n) gradients of h and c of the columns before
    dh: np.ndarray  # (2, N n) of this diagonal and of the one before
    dc: np.ndarray  # (2, N n)
    dw: np.ndarray  # (A, I + D N)
    sums: np.ndarray  # (A + (D + 2) N, lanes.WIDTH) gradients of biases and peepholes


@njit(cache=True, nogil=True)
def _floats(count):
    memory = np.empty(count + _LINE, np.float32)
    start = (-entry(memory, 0) >> 2) % _LINE
    return memory[start : start + count]


@njit(cache=True, nogil=True)
def _rows(count, size):
    return _floats(count * size).reshape((count, size))


@njit(cache=True, nogil=True)
def forward_room(run, plan, inputs):
    """Scratch memory of `diagonals.forward`."""
    N, S = run.cells, run.dims * run.cells
    A = S + 3 * N
    # an odd number of cache lines to a row, for rows to lie in different sets of the cache
    widest = -(-plan.widest_diagonal // TILE) * TILE + WIDTH
    return Forward(
        _floats(A * (1 + inputs + S)),
        _rows(inputs + 2 * S, widest),
        _floats(2 * N * widest).reshape((2, N, widest)),
        _floats(A // N * TILE),
    )


@njit(cache=True, nogil=True)
def backward_room(run, plan, inputs):
    """Scratch memory of `diagonals.backward`."""
    N, S = run.cells, run.dims * run.cells
    A = S + 3 * N
    m, n = plan.widest_chunk, plan.widest_diagonal
    return Backward(
        _rows(m, inputs + S),
        _floats(m * inputs),
        _rows(A if inputs <= WIDTH else 0, WIDTH),
        _floats(S * n + WIDTH),
        _floats(A * m + WIDTH),
        _rows(2, S * n + WIDTH),
        _rows(2, N * n + WIDTH),
        _rows(2, N * n + WIDTH),
        _rows(A, inputs + S),
        _rows(A + (run.dims + 2) * N, WIDTH),
    )
