"""All diagonals of one direction in one compiled call, forwards and backwards.

Chunk by chunk of neighbouring diagonals: the pixels of the chunk in the order of the plan, and
their input product as one large product; then diagonal by diagonal the recurrent product of all
maps in place, and the gates. Backwards the same in reverse, and for each chunk one large product
per weight gradient. Matrices have a row per feature and a column per pixel; those of a chunk lie
together. Both calls release the interpreter lock.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from seqlabel.lstm.blas import call, product, product_by_transposed, product_over_rows
from seqlabel.lstm.gates import _vector


class Matrices(NamedTuple):
    """Weights of a direction, or their gradients."""

    input: np.ndarray  # (A, I)
    recurrent: np.ndarray  # (A, D N)
    back: np.ndarray  # (D N, A), the transpose; empty for gradients
    bias: np.ndarray  # (A,)
    peephole: np.ndarray  # (D + 2, N), empty without


class Pixels(NamedTuple):
    """What a direction reads and fills; a chunk of m columns is a block of m floats per row."""

    x: np.ndarray  # (P, I)
    row: np.ndarray  # (P,) row of x and y of each column
    a: np.ndarray  # (A P,) net inputs, then activations
    c: np.ndarray  # (N P,)
    h: np.ndarray  # (N P,)
    y: np.ndarray  # (P, 2^D N), or its gradient
    y_column: int  # the first of the N columns of this direction


class Constants(NamedTuple):
    """Sizes and addresses."""

    cells: int  # N
    dims: int  # D
    gemm: int
    forward: int
    backward: int


class Scratch(NamedTuple):
    """Room for the largest chunk, m columns, and the largest diagonal, n columns."""

    x: np.ndarray  # (m, I)
    before: np.ndarray  # (2, D N m) h and c of the columns before
    da: np.ndarray  # (A m)
    dbefore: np.ndarray  # (2, D N n) their gradients
    dh: np.ndarray  # (2, N n) of this diagonal and of the one before
    dc: np.ndarray  # (2, N n)


@njit(cache=True, forceinline=True)
def _entry(array, number):
    """Address of an entry of a flat float32 array."""
    return array.ctypes.data + 4 * number


@njit(cache=True, nogil=True)
def _take_rows(x, row, first, count, room):
    """Rows of x in the order of the columns."""
    for t in range(count):
        source = row[first + t]
        for k in range(x.shape[1]):
            room[t, k] = x[source, k]


@njit(cache=True, nogil=True)
def _come_from(plan, k, dims, cells, source, first_before, size_before, target, first, size):
    """The columns before those of diagonal k: rows of `source`, whose chunk begins at first_before,
    to rows d N + j of `target`, whose chunk begins at `first`.
    """
    origin = source.ctypes.data
    for d in range(dims):
        for run in range(plan.runs[k * dims + d], plan.runs[k * dims + d + 1]):
            n, before = plan.run_size[run], plan.run_before[run]
            column = plan.run_column[run] - first
            for j in range(cells):
                to = _vector(target, (d * cells + j) * size + column, n)
                if before < 0:
                    for t in range(n):
                        to[t] = np.float32(0)
                else:
                    entry = cells * first_before + j * size_before + before - first_before
                    come = _vector(origin, entry, n)
                    for t in range(n):
                        to[t] = come[t]


@njit(cache=True, nogil=True)
def _give_back(plan, k, dims, cells, source, size, target, target_size):
    """Adds rows d N + j of `source`, of the columns of diagonal k, to the columns before them."""
    here, there = plan.first[k], plan.first[k - 1]
    for d in range(dims):
        for run in range(plan.runs[k * dims + d], plan.runs[k * dims + d + 1]):
            n, before = plan.run_size[run], plan.run_before[run]
            if before < 0:
                continue
            for j in range(cells):
                to = _vector(target, j * target_size + before - there, n)
                come = _vector(source, (d * cells + j) * size + plan.run_column[run] - here, n)
                for t in range(n):
                    to[t] += come[t]


@njit(cache=True, nogil=True)
def _look_back(run, plan, k, v, room, first, size):
    """h and c of the columns before diagonal k, into the scratch of the chunk that it is in."""
    chunk = plan.chunk_of[k - 1] if k else 0
    first_before = plan.first[plan.chunk[chunk]]
    size_before = plan.first[plan.chunk[chunk + 1]] - first_before
    for part in range(2):
        source = v.h if part == 0 else v.c
        target = room.before.ctypes.data + 4 * part * room.before.shape[1]
        _come_from(
            plan, k, run.dims, run.cells, source, first_before, size_before, target, first, size
        )


@njit(cache=True, nogil=True)
def forward(run, plan, w, v, room):
    """Fills a, c, h and the columns of y of this direction from x."""
    A, I = w.input.shape
    N, S = run.cells, w.recurrent.shape[1]
    for m in range(len(plan.chunk) - 1):
        first = plan.first[plan.chunk[m]]
        size = plan.first[plan.chunk[m + 1]] - first
        _take_rows(v.x, v.row, first, size, room.x)
        product_by_transposed(
            run.gemm, A, size, I, _entry(w.input, 0), I, _entry(room.x, 0), I,
            0, _entry(v.a, A * first), size,
        )  # fmt: skip
        for k in range(plan.chunk[m], plan.chunk[m + 1]):
            column, n = plan.first[k] - first, plan.first[k + 1] - plan.first[k]
            _look_back(run, plan, k, v, room, first, size)
            h_before, c_before = _entry(room.before, column), _entry(room.before, column)
            c_before += 4 * room.before.shape[1]
            a = _entry(v.a, A * first + column)
            if k:
                product(run.gemm, A, n, S, _entry(w.recurrent, 0), S, h_before, size, 1, a, size)
            c, h = _entry(v.c, N * first + column), _entry(v.h, N * first + column)
            call(  # type: ignore[call-arg]
                run.forward,
                (n, N, size, a, c_before, c, h, w.bias.ctypes.data, w.peephole.ctypes.data),
            )
        for j in range(N):
            h_j = _vector(v.h.ctypes.data, N * first + j * size, size)
            for t in range(size):
                v.y[v.row[first + t], v.y_column + j] = h_j[t]


@njit(cache=True, nogil=True)
def backward(run, plan, w, v, dw, dx, room):
    """Adds the gradients of the weights to dw and that of x to dx; v.y is the gradient of y."""
    A, I = w.input.shape
    N, S = run.cells, w.recurrent.shape[1]
    now = 0  # which of the two halves of dh and dc is of this diagonal
    width = room.dh.shape[1]
    room.dh[:] = 0
    room.dc[:] = 0
    for m in range(len(plan.chunk) - 2, -1, -1):
        first = plan.first[plan.chunk[m]]
        size = plan.first[plan.chunk[m + 1]] - first
        da = _entry(room.da, 0)
        before = _entry(room.before, 0)
        for k in range(plan.chunk[m + 1] - 1, plan.chunk[m] - 1, -1):
            column, n = plan.first[k] - first, plan.first[k + 1] - plan.first[k]
            dh, dc = _entry(room.dh, now * width), _entry(room.dc, now * width)
            for j in range(N):
                dh_j = _vector(dh, j * n, n)
                for t in range(n):
                    dh_j[t] += v.y[v.row[first + column + t], v.y_column + j]
            _look_back(run, plan, k, v, room, first, size)
            c_before = before + 4 * (room.before.shape[1] + column)
            dc_before = _entry(room.dbefore, room.dbefore.shape[1])
            a, c = _entry(v.a, A * first + column), _entry(v.c, N * first + column)
            call(  # type: ignore[call-arg]
                run.backward,
                (n, N, size, a, c_before, c, n, dh, dc, da + 4 * column, dc_before,
                 w.peephole.ctypes.data, dw.peephole.ctypes.data, dw.bias.ctypes.data),
            )  # fmt: skip
            if k:
                dh_before = _entry(room.dbefore, 0)
                product(
                    run.gemm, S, n, A, _entry(w.back, 0), A, da + 4 * column, size, 0, dh_before, n
                )
                now = 1 - now
                size_before = plan.first[k] - plan.first[k - 1]
                room.dh[now, : N * size_before] = 0
                room.dc[now, : N * size_before] = 0
                for part in range(2):
                    come = dc_before if part else dh_before
                    to = _entry(room.dc if part else room.dh, now * width)
                    _give_back(plan, k, run.dims, N, come, n, to, size_before)
        _take_rows(v.x, v.row, first, size, room.x)
        x = _entry(room.x, 0)
        product(run.gemm, A, I, size, da, size, x, I, 1, _entry(dw.input, 0), I)
        product_by_transposed(
            run.gemm, A, S, size, da, size, before, size, 1, _entry(dw.recurrent, 0), S
        )
        if len(dx):
            room.x[:size] = 0
            product_over_rows(run.gemm, size, I, A, da, size, _entry(w.input, 0), I, x, I)
            for t in range(size):
                target = v.row[first + t]
                for i in range(I):
                    dx[target, i] += room.x[t, i]
