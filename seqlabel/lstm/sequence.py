"""All time steps of one direction in one compiled call, forwards and backwards.

On packed rows, chunk by chunk of neighbouring frames: the input product of the chunk as one large
product; then segment by segment (see `plan.py`) the recurrent product in place, and the gates.
Backwards the same in reverse, and for each chunk one large product per weight gradient. Nothing
here knows the cell: its gates come as the address of a kernel (`gates.py`), its weights as matrices
that are empty where the cell has none. Both calls release the interpreter lock.

The large products take float32, or bfloat16 (as uint16) in which case `large` is the BLAS function
for it; they sum in float32.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from seqlabel.lstm.blas import product, product_over_rows
from seqlabel.lstm.elapsed import fade_gradient, fade_state


class Matrices(NamedTuple):
    """Weights, transposed on the way forwards, or their gradients; fields as in `Weights`.

    `input` is W (A_in, I), of the last A_in net inputs, for the large products; `recurrent` R
    (A_rec, S) and `gate_recurrent` (A_gates, G) are of the first ones; P is (R, N).
    """

    input: np.ndarray
    recurrent: np.ndarray
    gate_recurrent: np.ndarray
    bias: np.ndarray  # (A,), zeros if there is none
    peephole: np.ndarray
    projection: np.ndarray
    decay: np.ndarray  # (N, N) of a cell that knows time
    decay_bias: np.ndarray  # (N,)


class Frames(NamedTuple):
    """Rows of all frames, and behind them (in a, c, y and source) one row per initial state."""

    x: np.ndarray  # (rows, I), for `large`
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
    dx: np.ndarray  # (rows, I), empty if nobody asks


class Constants(NamedTuple):
    """What is the same for all layers of a cell."""

    cells: int  # N
    reads_state: bool  # R reads c, not h
    truncate: bool  # the rule of 1997
    gemm: int  # addresses: float32 products,
    large: int  # the large products,
    forward: int  # the gates
    backward: int


class Scratch(NamedTuple):
    """Room for one chunk."""

    da: np.ndarray  # (chunk, A)
    da_large: np.ndarray  # the same for `large`
    source: np.ndarray  # (chunk, S) what R read
    source_large: np.ndarray
    gates: np.ndarray  # (chunk, G) the gates of the frame before
    dr: np.ndarray  # (chunk, R) before projection
    dm: np.ndarray  # (B, N)
    zeros: np.ndarray  # (B, N)
    ds: np.ndarray  # (chunk, N) of the short-term part
    c_before: np.ndarray  # (chunk, N)


@intrinsic
def _call_kernel(typingctx, kernel, arguments):
    """Calls the gate kernel at an address; its arguments are integers and addresses."""
    signature = types.void(types.int64, types.UniTuple(types.int64, len(arguments)))

    def generate(context, builder, signature, values):
        kernel, packed = values
        passed = cgutils.unpack_tuple(builder, packed)
        function = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(passed))
        builder.call(builder.inttoptr(kernel, function.as_pointer()), passed)
        return context.get_dummy_value()

    return signature, generate


@njit(cache=True, forceinline=True)
def _at(matrix, row, column):
    """Address of an entry."""
    return matrix.ctypes.data + matrix.itemsize * (row * matrix.shape[1] + column)


@njit(cache=True, nogil=True)
def _multiply(gemm, n, a, a_row, a_column, w, beta, c, c_row, c_column):
    """n rows of c = n rows of a times w + beta c, from the entries given; nothing without w."""
    k, m = w.shape
    if k and m:
        product(
            gemm, n, m, k, _at(a, a_row, a_column), a.shape[1], _at(w, 0, 0), m,
            beta, _at(c, c_row, c_column), c.shape[1],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _add_products(gemm, n, a, a_column, b, b_row, dw):
    """dw += a' b over n rows: what a weight gets from the gradients a of what it made of b."""
    m, k = dw.shape
    if k and m:
        product_over_rows(
            gemm, m, k, n, _at(a, 0, a_column), a.shape[1], _at(b, b_row, 0), b.shape[1],
            _at(dw, 0, 0), k,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def forward(run, plan, w, v):
    """Fills the rows of a, c, m and y from x and the initial states."""
    A, S = v.a.shape[1], v.source.shape[1]
    unreached = A - w.input.shape[1]  # net inputs that x does not reach
    projected = w.projection.size > 0
    out, out_column = (v.m, 0) if projected else (v.y, v.y_column)
    bias, peephole = w.bias.ctypes.data, w.peephole.ctypes.data
    for chunk in range(len(plan.chunk_row)):
        row, rows = plan.chunk_row[chunk], plan.chunk_size[chunk]
        for r in range(row, row + rows):
            for k in range(unreached):
                v.a[r, k] = 0
        _multiply(run.large, rows, v.x, row, 0, w.input, 0, v.a, row, unreached)
        for segment in range(plan.chunk[chunk], plan.chunk[chunk + 1]):
            row, n = plan.row[segment], plan.size[segment]
            before, place = plan.before[segment], plan.place[segment]
            _multiply(run.gemm, n, v.source, before, v.source_column, w.recurrent, 1, v.a, row, 0)
            _multiply(run.gemm, n, v.a, before, 0, w.gate_recurrent, 1, v.a, row, 0)
            c_before = _at(v.c, before, 0)
            if len(v.fade):
                _multiply(run.gemm, n, v.c, before, 0, w.decay, 0, v.short, row, 0)
                fade_state(n, v.c, before, w.decay_bias, v.fade, row, v.short, v.faded)
                c_before = _at(v.faded, row, 0)
            _call_kernel(  # type: ignore[call-arg]
                run.forward,
                (n, run.cells, _at(v.a, row, 0), c_before, _at(v.c, row, 0),
                 _at(out, row, out_column), out.shape[1], bias, peephole),
            )  # fmt: skip
            _multiply(run.gemm, n, v.m, row, 0, w.projection, 0, v.y, row, v.y_column)
            if len(v.mask):
                for r in range(n):
                    for k in range(S):
                        v.source[row + r, k] = v.y[row + r, v.y_column + k] * v.mask[place + r, k]


@njit(cache=True, nogil=True)
def backward(run, plan, w, v, d, dw, room):
    """Adds the gradients of the weights to dw, fills dx, and carries dh, dc, dgates back."""
    A, width = v.a.shape[1], d.dh.shape[1]
    unreached = A - w.input.shape[0]
    projected = w.projection.size > 0
    bias, peephole = dw.bias.ctypes.data, dw.peephole.ctypes.data
    for chunk in range(len(plan.chunk_row) - 1, -1, -1):
        low, rows = plan.chunk_row[chunk], plan.chunk_size[chunk]
        for segment in range(plan.chunk[chunk + 1] - 1, plan.chunk[chunk] - 1, -1):
            row, n = plan.row[segment], plan.size[segment]
            before, place = plan.before[segment], plan.place[segment]
            here = row - low
            above, stride = _at(d.dy, row, v.y_column), d.dy.shape[1]
            after = _at(d.dh, place, 0)
            if projected:
                for r in range(n):
                    for k in range(width):
                        room.dr[here + r, k] = d.dy[row + r, v.y_column + k] + d.dh[place + r, k]
                _multiply(run.gemm, n, room.dr, here, 0, w.projection, 0, room.dm, 0, 0)
                above, stride = _at(room.dm, 0, 0), run.cells
                after = _at(room.zeros, 0, 0)
            c_before = _at(v.faded, row, 0) if len(v.fade) else _at(v.c, before, 0)
            _call_kernel(  # type: ignore[call-arg]
                run.backward,
                (n, run.cells, _at(v.a, row, 0), c_before, _at(v.c, row, 0),
                 above, stride, after, _at(d.dc, place, 0), _at(d.dgates, place, 0),
                 _at(room.da, here, 0), w.peephole.ctypes.data, peephole, bias),
            )  # fmt: skip
            # what goes to the frame before
            if len(v.fade):
                fade_gradient(n, d.dc, place, v.fade, row, v.short, room.ds, here)
                if not run.truncate:
                    _multiply(run.gemm, n, room.ds, here, 0, w.decay, 1, d.dc, place, 0)
                _copy(v.c, before, 0, room.c_before, here, n)
            cut = plan.cut[segment]
            if run.truncate or cut:
                _clear(d.dh, place, n)
                _clear(d.dgates, place, n)
            elif run.reads_state:
                _multiply(run.gemm, n, room.da, here, 0, w.recurrent, 1, d.dc, place, 0)
            else:
                _multiply(run.gemm, n, room.da, here, 0, w.recurrent, 0, d.dh, place, 0)
                _multiply(run.gemm, n, room.da, here, 0, w.gate_recurrent, 0, d.dgates, place, 0)
            if cut:
                _clear(d.dc, place, n)
            if len(v.mask):
                for r in range(n):
                    for k in range(width):
                        d.dh[place + r, k] *= v.mask[place + r, k]
            # what the weights have read there
            _copy(v.source, before, v.source_column, room.source, here, n)
            _copy(v.a, before, 0, room.gates, here, n)
        _round(room.da, room.da_large, rows)
        _round(room.source, room.source_large, rows)
        _add_products(run.large, rows, room.da_large, unreached, v.x, low, dw.input)
        _add_products(run.large, rows, room.da_large, 0, room.source_large, 0, dw.recurrent)
        _add_products(run.gemm, rows, room.da, 0, room.gates, 0, dw.gate_recurrent)
        _add_products(run.gemm, rows, room.dr, 0, v.m, low, dw.projection)
        if len(v.fade):
            _add_products(run.gemm, rows, room.ds, 0, room.c_before, 0, dw.decay)
            for r in range(rows):
                for k in range(run.cells):
                    dw.decay_bias[k] += room.ds[r, k]
        if len(d.dx):
            _multiply(run.large, rows, room.da_large, 0, unreached, w.input, 0, d.dx, low, 0)


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


@njit(cache=True, nogil=True)
def _round(source, target, rows):
    """float32 to the bits of bfloat16, nearest even; nothing where target is float32 (source)."""
    if target.itemsize == 2:
        bits = source.view(np.uint32)
        for r in range(rows):
            for k in range(source.shape[1]):
                value = bits[r, k]
                value += np.uint32(0x7FFF) + ((value >> np.uint32(16)) & np.uint32(1))
                target[r, k] = value >> np.uint32(16)
