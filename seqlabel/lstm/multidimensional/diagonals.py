"""All diagonals of some directions in one compiled call, forwards and backwards.

Forwards, diagonal by diagonal: the inputs of its pixels and the outputs and states of the pixels
before them are put side by side, one row per feature and one column per pixel, and the kernel of
the cell (`gates.py`) does the rest. Backwards the gates, then the product with the recurrent
weights; and for each chunk of neighbouring diagonals one large product for the weight gradients and
one for that of x. Both calls release the interpreter lock.
"""

from typing import NamedTuple

import numpy as np
from numba import carray, njit

from seqlabel.lstm.blas import product, product_over_rows
from seqlabel.lstm.calls import call
from seqlabel.lstm.gates import _pointer, _vector
from seqlabel.lstm.lanes import (
    WIDTH,
    add_each,
    add_products,
    load_rows,
    store_rows,
    transposed,
    up_to,
    zeros,
)
from seqlabel.lstm.multidimensional.columns import (
    come_from,
    entry,
    give_back,
    number_at,
    put_columns,
    put_rows,
    take_columns,
    take_inputs,
)
from seqlabel.lstm.multidimensional.scratch import backward_room, forward_room

HALF = (0,) * (WIDTH // 2)


class Matrices(NamedTuple):
    """Weights of a direction, or their gradients."""

    input: np.ndarray  # (A, I)
    recurrent: np.ndarray  # (A, D N)
    bias: np.ndarray  # (A,)
    peephole: np.ndarray  # (D + 2, N), empty without


class Pixels(NamedTuple):
    """What a direction reads and fills.

    A diagonal of n columns is a block of n floats per row of `kept`: the activations, A rows, then
    the states, N rows.
    """

    x: np.ndarray  # (P, I)
    row: np.ndarray  # (P,) row of x and y of each column
    kept: np.ndarray  # ((A + N) P)
    y: np.ndarray  # (P, 2^D N)
    y_column: int  # the first of the N columns of this direction


class Constants(NamedTuple):
    """Sizes and addresses."""

    cells: int  # N
    dims: int  # D
    steps: int  # the numbers 0 to lanes.WIDTH - 1
    gemm: int
    forward: int
    backward: int


@njit(cache=True, nogil=True)
def _matrices(run, inputs, addresses):
    """Weights at addresses in the order of `Matrices`; 0 for those that the cell lacks."""
    A, S = (run.dims + 3) * run.cells, run.dims * run.cells
    return Matrices(
        _matrix(addresses[0], A, inputs),
        _matrix(addresses[1], A, S),
        _vector(addresses[2], 0, A),
        _matrix(addresses[3], run.dims + 2 if addresses[3] else 0, run.cells),
    )


@njit(cache=True, forceinline=True)
def _matrix(address, rows, columns):
    return carray(_pointer(address), (rows, columns))  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def _pack(w, cells, packed):
    """The weights as `gates.py` reads them: cell by cell the bias, W and R of all its parts."""
    parts = len(w.bias) // cells
    rows = 1 + w.input.shape[1] + w.recurrent.shape[1]
    for j in range(cells):
        for g in range(parts):
            row, place = g * cells + j, j * rows * parts + g
            packed[place] = w.bias[row]
            for i in range(w.input.shape[1]):
                place += parts
                packed[place] = w.input[row, i]
            for i in range(w.recurrent.shape[1]):
                place += parts
                packed[place] = w.recurrent[row, i]


@njit(cache=True, nogil=True)
def _input_gradient(run, w, row, first, count, dx, add, room):
    """W' da of a chunk to the rows of dx, or added to them."""
    A, I = w.input.shape
    da, x = entry(room.da, 0), entry(room.x, 0)
    if I > WIDTH:
        product_over_rows(run.gemm, count, I, A, da, count, entry(w.input, 0), I, 0, x, I)
        put_rows(I, x, entry(dx, 0), row, first, count, add)
        return
    # a row fits into a vector: no matrix of gradients, and less time than BLAS takes
    mask, rows, wide, half = up_to(I), entry(dx, 0), entry(room.wide, 0), len(HALF) >= I
    for t in range(0, count, WIDTH):
        if half:  # row by row of W' da, of which most would be empty the other way round
            columns = _sum_up(zeros(HALF), A, wide, WIDTH, da + 4 * t, count)
            sums = transposed(columns + zeros(HALF))
        else:  # pixel by pixel
            sums = _sum_up(zeros(HALF + HALF), A, da + 4 * t, count, wide, WIDTH)
        numbers = number_at(row, first + t)
        if add:
            sums = add_each(sums, load_rows(rows, I, numbers, count - t, mask))
        store_rows(rows, I, numbers, count - t, mask, sums)


@njit(cache=True, forceinline=True)
def _sum_up(sums, A, weights, weights_stride, vector, vector_stride):
    """A weight from each row of the first matrix for each sum, times the vectors of the second."""
    for _ in range(A):
        sums = add_products(sums, weights, vector)
        weights += 4 * weights_stride
        vector += 4 * vector_stride
    return sums


@njit(cache=True, nogil=True)
def _states(plan, k, A, N, kept):
    """Address of the states of diagonal k in the kept rows."""
    n = plan.first[k + 1] - plan.first[k]
    return entry(kept, (A + N) * plan.first[k] + A * n)


@njit(cache=True, nogil=True)
def forward(run, plan, rows, weights, x, kept, y, start, stop):
    """Fills the kept rows and the columns of y of the directions `start` to `stop` - 1 from x.

    rows (2^D, P): the row of x and y of each column. weights (2^D, 4): addresses.
    """
    room = forward_room(run, plan, x.shape[1])
    for number in range(start, stop):
        w = _matrices(run, x.shape[1], weights[number])
        _forward(run, plan, w, Pixels(x, rows[number], kept[number], y, number * run.cells), room)


@njit(cache=True, nogil=True)
def _forward(run, plan, w, v, room):
    A, I = w.input.shape
    N, S = run.cells, w.recurrent.shape[1]
    size = room.source.shape[1]
    _pack(w, N, room.packed)
    n = 0
    for k in range(len(plan.first) - 1):
        first, n_before = plan.first[k], n
        n = plan.first[k + 1] - first
        c, c_source = _states(plan, k, A, N, v.kept), _states(plan, max(k - 1, 0), A, N, v.kept)
        h, h_source = entry(room.h[k % 2], 0), entry(room.h[1 - k % 2], 0)
        h_before = entry(room.source, I * size)
        c_before = h_before + 4 * S * size
        row = number_at(v.row, first)
        take_columns(run.steps, entry(v.x, 0), I, I, row, n, entry(room.source, 0), size, False)
        come_from(plan, k, run.dims, N, h_source, size, h_before, size)
        come_from(plan, k, run.dims, N, c_source, n_before, c_before, size)
        call(  # type: ignore[call-arg]
            run.forward,
            (n, N, I + S, size, entry(room.source, 0), c_before, entry(room.packed, 0),
             w.peephole.ctypes.data, entry(room.net, 0), entry(v.kept, (A + N) * first), c, h),
        )  # fmt: skip
        y = entry(v.y, v.y_column)
        put_columns(run.steps, h, size, N, n, y, v.y.shape[1], row)


@njit(cache=True, nogil=True)
def backward(run, plan, rows, before, weights, gradients, x, kept, y, dy, dxs, start, stop):
    """Fills the gradients of the weights of the directions `start` to `stop` - 1, and those of x.

    dxs, two (P, I): one sum for each half of the directions, so that two threads give what one
    does; empty if not wanted. before: see `plan.plan_columns`. gradients: addresses, as `weights`.
    """
    room = backward_room(run, plan, x.shape[1])
    for number in range(stop - 1, start - 1, -1):  # of the last one most is still in the cache
        half = number * 2 // len(weights)
        add = half == (number + 1) * 2 // len(weights)  # the last of a half puts
        w = _matrices(run, x.shape[1], weights[number])
        dw = _matrices(run, x.shape[1], gradients[number])
        v = Pixels(x, rows[number], kept[number], y, number * run.cells)
        _backward(run, plan, before, w, v, dy, dw, dxs[half], add, room)


@njit(cache=True, nogil=True)
def _backward(run, plan, before, w, v, dy, dw, dx, add, room):
    """Fills dw with the gradients of the weights, and puts that of x to dx or adds it."""
    A, I = w.input.shape
    N, S = run.cells, w.recurrent.shape[1]
    width = room.dh.shape[1]
    now = 0  # which of the two halves of dh and dc is of this diagonal
    room.dh[:] = 0
    room.dc[:] = 0
    room.dw[:] = 0
    room.sums[:] = 0
    if len(room.wide):
        room.wide[:, :I] = w.input
    da, c_before = entry(room.da, 0), entry(room.before, 0)
    dh_before, dc_before = entry(room.dbefore, 0), entry(room.dbefore[1], 0)
    for m in range(len(plan.chunk) - 2, -1, -1):
        first = plan.first[plan.chunk[m]]
        size = plan.first[plan.chunk[m + 1]] - first
        for k in range(plan.chunk[m + 1] - 1, plan.chunk[m] - 1, -1):
            column, n = plan.first[k] - first, plan.first[k + 1] - plan.first[k]
            n_before = plan.first[k] - plan.first[k - 1] if k else 0
            dh, dc = entry(room.dh, now * width), entry(room.dc, now * width)
            row, dy_ = number_at(v.row, first + column), entry(dy, v.y_column)
            take_columns(run.steps, dy_, dy.shape[1], N, row, n, dh, n, True)
            c_source = _states(plan, max(k - 1, 0), A, N, v.kept)
            come_from(plan, k, run.dims, N, c_source, n_before, c_before, n)
            call(  # type: ignore[call-arg]
                run.backward,
                (n, N, entry(v.kept, (A + N) * plan.first[k]), c_before,
                 _states(plan, k, A, N, v.kept), dh, dc, dc_before, size, da + 4 * column,
                 w.peephole.ctypes.data, entry(room.sums, 0)),
            )  # fmt: skip
            if k:
                product_over_rows(
                    run.gemm, S, n, A, entry(w.recurrent, 0), S, da + 4 * column, size,
                    0, dh_before, n,
                )  # fmt: skip
                now = 1 - now
                room.dh[now, : N * n_before] = 0
                room.dc[now, : N * n_before] = 0
                for part in range(2):
                    come = dc_before if part else dh_before
                    to = entry(room.dc if part else room.dh, now * width)
                    give_back(plan, k, run.dims, N, come, n, to, n_before)
        inputs = entry(room.inputs, 0)
        take_inputs(run, v, before, first, size, inputs)
        product(run.gemm, A, I + S, size, da, size, inputs, I + S, 1, entry(room.dw, 0), I + S)
        if len(dx):
            _input_gradient(run, w, v.row, first, size, dx, add, room)
    dw.input[:] = room.dw[:, :I]
    dw.recurrent[:] = room.dw[:, I:]
    for k in range(A):
        dw.bias[k] = room.sums[k].sum()
    for k in range(dw.peephole.size):
        dw.peephole[k // N, k % N] = room.sums[A + k].sum()
