"""Weights packed for products in bfloat16: pairs of numbers from two neighbouring rows of a matrix.

Both units of x86 processors that multiply bfloat16 (`tiles.py`, `dots.py`) take pairs of 32 bits,
each a row of 16 columns. A panel is 16 columns, from the first row on; a tile is 32 rows of it.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from seqlabel.lstm.rounding import (
    OPTIONS,
    VECTOR,
    every,
    load_vector,
    numbers,
    round_vector,
    store_vector,
)

SIDE, DEPTH, BYTES = 16, 32, 1024  # tile: columns (or rows of the left operand), rows, bytes


def packed_size(k: int, m: int) -> int:
    """Size of a packed matrix (k, m) in 32-bit numbers, each a pair of bfloat16."""
    return -(-m // SIDE) * -(-k // DEPTH) * BYTES // 4


def _join(builder, lower, upper):
    """Pairs of bfloat16 from the upper halves of two vectors."""
    return builder.or_(builder.lshr(lower, every(16)), builder.and_(upper, every(0xFFFF0000)))


@intrinsic
def _pack_rows(typingctx, upper, lower, target):
    """Write a row of a packed tile from 16 numbers of two neighbouring rows of the matrix."""

    def generate(context, builder, signature, args):
        pair = (round_vector(builder, load_vector(builder, row)) for row in args[:2])
        store_vector(builder, _join(builder, *pair), args[2])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic
def _pack_columns(typingctx, source, stride, target):
    """Write a packed tile from its 16 columns, stored as rows of 32 numbers."""

    def generate(context, builder, signature, args):
        source, stride, target = args
        columns = []
        for c in range(SIDE):
            row = builder.add(source, builder.mul(stride, stride.type(c)))
            halves = [
                round_vector(builder, load_vector(builder, builder.add(row, row.type(at))))
                for at in (0, 64)
            ]
            even, odd = (
                builder.shuffle_vector(*halves, ir.Constant(VECTOR, list(range(start, 32, 2))))
                for start in (0, 1)
            )
            columns.append(_join(builder, even, odd))
        for r, row in enumerate(_transpose(builder, columns)):
            store_vector(builder, row, builder.add(target, target.type(64 * r)))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


def _transpose(builder, rows):
    """Transpose 16 vectors of 16 numbers: swap off-diagonal blocks of size 1, 2, 4, then 8."""
    for size in (1, 2, 4, 8):
        upper = [j if not j & size else 16 + j - size for j in range(16)]
        lower = [j + size if not j & size else 16 + j for j in range(16)]
        for i in range(16):
            if not i & size:
                pair = rows[i], rows[i + size]
                rows[i] = builder.shuffle_vector(*pair, ir.Constant(VECTOR, upper))
                rows[i + size] = builder.shuffle_vector(*pair, ir.Constant(VECTOR, lower))
    return rows


@njit(nogil=True, **OPTIONS)
def pack(w, transposed, out):
    """Pack w (k, m), or w' for w (m, k) if `transposed`, into tiles in `out`.

    w: float32. out: (packed_size(k, m),) of 32 bits. For every 16 columns it holds the tiles from
    the first row on, padded with zeros.
    """
    k, m = (w.shape[1], w.shape[0]) if transposed else w.shape
    # shape of the part of w that fills a tile; if transposed, rows of w are its columns
    high, wide = (SIDE, DEPTH) if transposed else (DEPTH, SIDE)
    part, place = np.empty((high, wide), np.float32), out.ctypes.data
    for column in range(0, m, SIDE):
        for row in range(0, k, DEPTH):
            i, j = (column, row) if transposed else (row, column)
            source, stride = w.ctypes.data + 4 * (i * w.shape[1] + j), 4 * w.shape[1]
            if i + high > w.shape[0] or j + wide > w.shape[1]:
                rest = w[i : i + high, j : j + wide]
                part[:] = 0
                part[: rest.shape[0], : rest.shape[1]] = rest
                source, stride = part.ctypes.data, 4 * wide
            if transposed:
                _pack_columns(source, stride, place)  # type: ignore[call-arg]
            else:
                for r in range(SIDE):
                    upper = source + 2 * r * stride
                    _pack_rows(upper, upper + stride, place + 64 * r)  # type: ignore[call-arg]
            place += BYTES


@njit(**OPTIONS)
def finish(n, columns, sums, beta, c, stride):
    """C = sums + beta C for the last columns, which do not fill a panel; strides in bytes."""
    for r in range(n):
        found, out = numbers(sums + 64 * r, columns), numbers(c + stride * r, columns)
        for j in range(columns):
            out[j] = found[j] + out[j] if beta else found[j]
