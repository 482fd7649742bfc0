"""All time steps of one direction in one compiled call, forwards and backwards.

On packed rows, chunk by chunk of neighbouring frames: the input product of the chunk as one large
product; then segment by segment (see `plan.py`) the recurrent product in place, and the gates.
Backwards the same in reverse, and for each chunk one large product per weight gradient. Nothing
here knows the cell: its gates come as the address of a kernel (`gates.py`), its weights as matrices
that are empty where the cell has none. Nor does it know in what numbers products are computed: that
comes as a record (`products.py`). Both calls release the interpreter lock.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from seqlabel.lstm.calls import call
from seqlabel.lstm.elapsed import fade_gradient, fade_state
from seqlabel.lstm.products import add_products, at, multiply, round_left


class Matrices(NamedTuple):
    """Weights, transposed on the way forwards, or their gradients; fields as in `Weights`.

    `input` is W (A_in, I), of the last A_in net inputs; `recurrent` R (A_rec, S) and
    `gate_recurrent` (A_gates, G) are of the first ones; P is (R, N). What is multiplied with is as
    `products.weight` gives it, gradients are arrays.
    """

    input: Any
    recurrent: Any
    gate_recurrent: Any
    bias: np.ndarray  # (A,), zeros if there is none
    peephole: np.ndarray
    projection: Any
    decay: Any  # (N, N) of a cell that knows time
    decay_bias: np.ndarray  # (N,)


class Frames(NamedTuple):
    """Rows of all frames, and behind them (in a, c, y and source) one row per initial state."""

    x: np.ndarray  # (rows, I)
    a: np.ndarray  # (rows + B, A) net inputs, then activations
    c: np.ndarray  # (rows + B, N)
    m: np.ndarray  # (rows, N) h before projection, empty without
    y: np.ndarray  # (rows + B, D * S)
    y_column: int  # the first of the S columns of this direction
    source: np.ndarray  # what R reads: y, c, or y with the mask of recurrent dropout
    source_column: int
    mask: np.ndarray  # (B, S) of recurrent dropout on h, empty without
    fade: np.ndarray  # (rows,) what time takes (`elapsed.py`); empty, as the next two, without
    short: np.ndarray  # (rows, N) the short-term part of the state before
    faded: np.ndarray  # (rows, N) the state before, as the gates read it


class Gradients(NamedTuple):
    """Gradients: dy comes in; dh, dc, dgates of the final states come in, of the initial go out."""

    dy: np.ndarray  # (rows, D * S)
    dh: np.ndarray  # (B, S)
    dc: np.ndarray  # (B, N)
    dgates: np.ndarray  # (B, G)
    dx: np.ndarray  # (rows, I), empty if not requested


class Constants(NamedTuple):
    """What is the same for all layers of a cell."""

    cells: int  # N
    reads_state: bool  # R reads c, not h
    truncate: bool  # the rule of 1997
    forward: int  # addresses of the gates
    backward: int


class Scratch(NamedTuple):
    """Room for one chunk."""

    da: np.ndarray  # (chunk, A)
    source: np.ndarray  # (chunk, S) what R read
    gates: np.ndarray  # (chunk, G) the gates of the frame before
    dr: np.ndarray  # (chunk, R) before projection
    dm: np.ndarray  # (B, N)
    zeros: np.ndarray  # (B, N)
    ds: np.ndarray  # (chunk, N) of the short-term part
    c_before: np.ndarray  # (chunk, N)


@njit(cache=True, nogil=True)
def forward(by, run, plan, w, v):
    """Fills the rows of a, c, m and y from x and the initial states."""
    A, S = v.a.shape[1], v.source.shape[1]
    unreached = A - w.input.shape[1]  # net inputs that x does not reach
    projected = w.projection.shape[0] > 0
    out, out_column = (v.m, 0) if projected else (v.y, v.y_column)
    bias, peephole = w.bias.ctypes.data, w.peephole.ctypes.data
    for chunk in range(len(plan.chunk_row)):
        row, rows = plan.chunk_row[chunk], plan.chunk_size[chunk]
        for r in range(row, row + rows):
            for k in range(unreached):
                v.a[r, k] = 0
        multiply(by, rows, v.x, row, 0, w.input, 0, v.a, row, unreached)
        for segment in range(plan.chunk[chunk], plan.chunk[chunk + 1]):
            row, n = plan.row[segment], plan.size[segment]
            before, place = plan.before[segment], plan.place[segment]
            multiply(by, n, v.source, before, v.source_column, w.recurrent, 1, v.a, row, 0)
            multiply(by, n, v.a, before, 0, w.gate_recurrent, 1, v.a, row, 0)
            c_before = at(v.c, before, 0)
            if len(v.fade):
                multiply(by, n, v.c, before, 0, w.decay, 0, v.short, row, 0)
                fade_state(n, v.c, before, w.decay_bias, v.fade, row, v.short, v.faded)
                c_before = at(v.faded, row, 0)
            call(  # type: ignore[call-arg]
                run.forward,
                (n, run.cells, at(v.a, row, 0), c_before, at(v.c, row, 0),
                 at(out, row, out_column), out.shape[1], bias, peephole),
            )  # fmt: skip
            multiply(by, n, v.m, row, 0, w.projection, 0, v.y, row, v.y_column)
            if len(v.mask):
                for r in range(n):
                    for k in range(S):
                        v.source[row + r, k] = v.y[row + r, v.y_column + k] * v.mask[place + r, k]


@njit(cache=True, nogil=True)
def backward(by, run, plan, w, v, d, dw, room):
    """Adds the gradients of the weights to dw, fills dx, and carries dh, dc, dgates back."""
    A, width = v.a.shape[1], d.dh.shape[1]
    unreached = A - w.input.shape[0]
    projected = w.projection.shape[0] > 0
    bias, peephole = dw.bias.ctypes.data, dw.peephole.ctypes.data
    for chunk in range(len(plan.chunk_row) - 1, -1, -1):
        low, rows = plan.chunk_row[chunk], plan.chunk_size[chunk]
        for segment in range(plan.chunk[chunk + 1] - 1, plan.chunk[chunk] - 1, -1):
            row, n = plan.row[segment], plan.size[segment]
            before, place = plan.before[segment], plan.place[segment]
            here = row - low
            above, stride = at(d.dy, row, v.y_column), d.dy.shape[1]
            after = at(d.dh, place, 0)
            if projected:
                for r in range(n):
                    for k in range(width):
                        room.dr[here + r, k] = d.dy[row + r, v.y_column + k] + d.dh[place + r, k]
                multiply(by, n, room.dr, here, 0, w.projection, 0, room.dm, 0, 0)
                above, stride = at(room.dm, 0, 0), run.cells
                after = at(room.zeros, 0, 0)
            c_before = at(v.faded, row, 0) if len(v.fade) else at(v.c, before, 0)
            call(  # type: ignore[call-arg]
                run.backward,
                (n, run.cells, at(v.a, row, 0), c_before, at(v.c, row, 0),
                 above, stride, after, at(d.dc, place, 0), at(d.dgates, place, 0),
                 at(room.da, here, 0), w.peephole.ctypes.data, peephole, bias),
            )  # fmt: skip
            # what goes to the frame before
            if len(v.fade):
                fade_gradient(n, d.dc, place, v.fade, row, v.short, room.ds, here)
                if not run.truncate:
                    multiply(by, n, room.ds, here, 0, w.decay, 1, d.dc, place, 0)
                _copy(v.c, before, 0, room.c_before, here, n)
            cut = plan.cut[segment]
            if run.truncate or cut:
                _clear(d.dh, place, n)
                _clear(d.dgates, place, n)
            elif run.reads_state:
                multiply(by, n, room.da, here, 0, w.recurrent, 1, d.dc, place, 0)
            else:
                multiply(by, n, room.da, here, 0, w.recurrent, 0, d.dh, place, 0)
                multiply(by, n, room.da, here, 0, w.gate_recurrent, 0, d.dgates, place, 0)
            if cut:
                _clear(d.dc, place, n)
            if len(v.mask):
                for r in range(n):
                    for k in range(width):
                        d.dh[place + r, k] *= v.mask[place + r, k]
            # what the weights have read there
            _copy(v.source, before, v.source_column, room.source, here, n)
            _copy(v.a, before, 0, room.gates, here, n)
        left = round_left(by, rows, room.da)
        add_products(by, rows, left, unreached, v.x, low, dw.input)
        add_products(by, rows, left, 0, room.source, 0, dw.recurrent)
        add_products(by, rows, left, 0, room.gates, 0, dw.gate_recurrent)
        left = round_left(by, rows, room.dr)
        add_products(by, rows, left, 0, v.m, low, dw.projection)
        if len(v.fade):
            left = round_left(by, rows, room.ds)
            add_products(by, rows, left, 0, room.c_before, 0, dw.decay)
            for r in range(rows):
                for k in range(run.cells):
                    dw.decay_bias[k] += room.ds[r, k]
        if len(d.dx):
            multiply(by, rows, room.da, 0, unreached, w.input, 0, d.dx, low, 0)


@njit(cache=True, nogil=True)
def _copy(source, row, column, target, target_row, n):
    """n rows of source, as many columns as target has."""
    for r in range(n):
        for k in range(target.shape[1]):
            target[target_row + r, k] = source[row + r, column + k]


@njit(cache=True, nogil=True)
def _clear(matrix, row, n):
    for r in range(row, row + n):
        for k in range(matrix.shape[1]):
            matrix[r, k] = 0
