"""Between the rows of pixels, x and y, and the columns of diagonals.

Rows are floats of one pixel, named by numbers (int64); columns lie side by side, one row per
feature, `size` floats apart. Blocks of `lanes.WIDTH` rows are transposed in registers.
"""

import numpy as np
from numba import njit

from seqlabel.lstm.gates import _vector
from seqlabel.lstm.lanes import (
    WIDTH,
    add_each,
    load_inside,
    load_rows,
    store_inside,
    store_rows,
    transposed,
    up_to,
)


@njit(cache=True, forceinline=True)
def entry(array, place):
    """Address of an entry of a flat float32 array."""
    return array.ctypes.data + 4 * place


@njit(cache=True, forceinline=True)
def number_at(array, place):
    """Address of an entry of a flat int64 array."""
    return array.ctypes.data + 8 * place


@njit(cache=True, nogil=True)
def take_columns(steps, rows, stride, width, numbers, count, columns, size, add):
    """Numbered rows of `width` floats to columns, or added to them.

    steps: the numbers 0 to `lanes.WIDTH` - 1.
    """
    for i in range(0, width, WIDTH):
        mask = up_to(width - i)
        for t in range(0, count, WIDTH):
            matrix = transposed(load_rows(rows + 4 * i, stride, numbers + 8 * t, count - t, mask))
            lanes, place = up_to(count - t), columns + 4 * (i * size + t)
            if add:
                matrix = add_each(matrix, load_rows(place, size, steps, width - i, lanes))
            store_rows(place, size, steps, width - i, lanes, matrix)


@njit(cache=True, nogil=True)
def put_columns(steps, columns, size, width, count, rows, stride, numbers):
    """Columns of `width` floats to the numbered rows.

    steps: as in `take_columns`.
    """
    for i in range(0, width, WIDTH):
        mask = up_to(width - i)
        for t in range(0, count, WIDTH):
            place, lanes = columns + 4 * (i * size + t), up_to(count - t)
            matrix = transposed(load_rows(place, size, steps, width - i, lanes))
            store_rows(rows + 4 * i, stride, numbers + 8 * t, count - t, mask, matrix)


@njit(cache=True, nogil=True)
def take_inputs(run, v, before, first, count, inputs):
    """What each column is computed from, one row per column: x, then h of the pixels before.

    inputs: address of the first row.
    """
    N, I = run.cells, v.x.shape[1]
    stride = 4 * (I + run.dims * N)
    for i in range(0, I, WIDTH):
        mask, place = up_to(I - i), inputs + 4 * i
        for t in range(first, first + count):
            source = entry(v.x, v.row[t] * I + i)
            store_inside(place, load_inside(source, mask), mask)
            place += stride
    nothing, width = up_to(0), v.y.shape[1]
    for d in range(run.dims):
        for j in range(0, N, WIDTH):
            mask, place = up_to(N - j), inputs + 4 * (I + d * N + j)
            for t in range(first, first + count):
                column = before[d, t]
                source = entry(v.y, v.row[max(column, 0)] * width + v.y_column + j)
                found = load_inside(source, mask if column >= 0 else nothing)
                store_inside(place, found, mask)
                place += stride


@njit(cache=True, nogil=True)
def put_rows(width, rows, target, row, first, count, add):
    """Rows, one for each column, to those of the pixels, or added to them."""
    for t in range(count):
        come, to = rows + 4 * t * width, target + 4 * row[first + t] * width
        for i in range(0, width, WIDTH):
            mask = up_to(width - i)
            found = load_inside(come + 4 * i, mask)
            if add:
                found = found + load_inside(to + 4 * i, mask)
            store_inside(to + 4 * i, found, mask)


@njit(cache=True, nogil=True)
def come_from(plan, k, dims, cells, source, source_size, target, size):
    """The columns before those of diagonal k: rows of `source`, the diagonal before, to the rows
    d N + j of `target`.
    """
    here, there = plan.first[k], plan.first[k - 1] if k else 0
    for d in range(dims):
        for run in range(plan.runs[k * dims + d], plan.runs[k * dims + d + 1]):
            n, before = plan.run_size[run], plan.run_before[run]
            column = plan.run_column[run] - here
            for j in range(cells):
                to = _vector(target, (d * cells + j) * size + column, n)
                if before < 0:
                    for t in range(n):
                        to[t] = np.float32(0)
                else:
                    come = _vector(source, j * source_size + before - there, n)
                    for t in range(n):
                        to[t] = come[t]


@njit(cache=True, nogil=True)
def give_back(plan, k, dims, cells, source, size, target, target_size):
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
