"""Products in bfloat16 on AMX, the matrix unit of x86 processors.

Weights are packed into tiles once (`pack`). Rows of the other operand are float32; up to 32 of them
at a time are rounded into a scratch buffer that fits the first-level cache.

The product is called by address, so it is compiled only on processors with the unit. It takes

    n, k, m, a, a_stride, w, beta, c, c_stride, room

and computes C (n, m) = A (n, k) W (k, m) + beta C, where beta is 0 or 1. A and C are float32, given
by their address and the distance between rows in numbers. w is the address of weights from `pack`,
room that of a scratch buffer of `room_size(k)` numbers. Both should be aligned to 64 bytes for
speed.
"""

from functools import cache

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic

from seqlabel.lstm.amx import add_product, available, configure, load, release, start, store
from seqlabel.lstm.rounding import (
    OPTIONS,
    VECTOR,
    copy_padded,
    every,
    load_vector,
    numbers,
    round_to_halves,
    round_vector,
    store_vector,
)

_SIDE, _DEPTH, _BYTES = 16, 32, 1024  # tile: rows, products per sum and instruction, bytes
_SUMS = 2 * _BYTES  # bytes of the scratch buffer for two tiles of sums


@cache
def kernel() -> int:
    """Address of the product, compiled or loaded from numba's cache. Requires `available()`."""
    assert available()
    compiled = cfunc(types.void(*[types.int64] * 10), **OPTIONS)(_product)
    _KEPT.append(compiled)
    return compiled.address or 0


_KEPT: list[object] = []  # keeps compiled code alive for as long as its address is used


def packed_size(k: int, m: int) -> int:
    """Size of a packed matrix (k, m) in 32-bit numbers, each a pair of bfloat16."""
    return -(-m // _SIDE) * -(-k // _DEPTH) * _BYTES // 4


def room_size(k: int) -> int:
    """Size of the scratch buffer for a product over k, in 32-bit numbers."""
    return (_SUMS + 2 * _BYTES * -(-k // _DEPTH)) // 4


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
        for c in range(_SIDE):
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
    high, wide = (_SIDE, _DEPTH) if transposed else (_DEPTH, _SIDE)
    part, place = np.empty((high, wide), np.float32), out.ctypes.data
    for column in range(0, m, _SIDE):
        for row in range(0, k, _DEPTH):
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
                for r in range(_SIDE):
                    upper = source + 2 * r * stride
                    _pack_rows(upper, upper + stride, place + 64 * r)  # type: ignore[call-arg]
            place += _BYTES


@njit(**OPTIONS)
def _round_rows(n, k, a, stride, room, edge):
    """Round n <= 32 rows into tiles: for every 32 columns, the upper 16 rows, then the lower."""
    whole = k // 16
    for r in range(n):
        source, target = a + r * stride, room + r // _SIDE * _BYTES + r % _SIDE * 64
        for half in range(whole):
            place = target + half // 2 * 2 * _BYTES + half % 2 * 32
            round_to_halves(source + 64 * half, place)  # type: ignore[call-arg]
        if k % _DEPTH:
            copy_padded(source + 64 * whole, k % 16, edge)
            place = target + whole // 2 * 2 * _BYTES + whole % 2 * 32
            round_to_halves(edge, place)  # type: ignore[call-arg]
            if whole % 2 == 0:
                numbers(place + 32, 8)[:] = 0


@njit(**OPTIONS)
def _finish(n, columns, sums, beta, c, stride):
    """C = sums + beta C for the last columns, which do not fill a tile."""
    for r in range(n):
        found, out = numbers(sums + 64 * r, columns), numbers(c + stride * r, columns)
        for j in range(columns):
            out[j] = found[j] + out[j] if beta else found[j]


def _product(n, k, m, a, a_stride, w, beta, c, c_stride, room):
    """The product: 2 x 2 tiles of sums at a time, or 1 x 4 for at most 16 rows."""
    a_stride, c_stride = 4 * a_stride, 4 * c_stride
    deep, across, columns = (k + _DEPTH - 1) // _DEPTH, (m + _SIDE - 1) // _SIDE, m % _SIDE
    panel, rows = deep * _BYTES, room + _SUMS
    for row in range(0, n, 2 * _SIDE):
        upper = min(_SIDE, n - row)
        lower = min(_SIDE, n - row - upper)
        configure(upper, lower or upper)  # type: ignore[call-arg]
        _round_rows(upper + lower, k, a + row * a_stride, a_stride, rows, room)
        abreast = 2 if lower else 4
        for tile in range(0, across, abreast):
            wide = min(abreast, across - tile)
            part = wide - 1 if columns and tile + wide == across else -1  # the incomplete tile
            out = c + row * c_stride + tile * 64
            right, left, end = w + tile * panel, rows, rows + 2 * panel
            # sums of the incomplete tile go to the scratch buffer first
            out_0, stride_0 = (room, 64) if part == 0 else (out, c_stride)
            out_1, stride_1 = (room, 64) if part == 1 else (out + 64, c_stride)
            start(0, beta == 0 or part == 0, out_0, stride_0)
            if wide > 1:
                start(1, beta == 0 or part == 1, out_1, stride_1)
            if lower:
                below_0 = out_0 + 16 * stride_0
                below_1 = out_1 + 16 * stride_1
                start(2, beta == 0 or part == 0, below_0, stride_0)
                if wide > 1:
                    start(3, beta == 0 or part == 1, below_1, stride_1)
                while left < end:
                    load(4, left)
                    load(5, left + _BYTES)
                    load(6, right)
                    add_product(0, 4, 6)
                    add_product(2, 5, 6)
                    if wide > 1:
                        load(7, right + panel)
                        add_product(1, 4, 7)
                        add_product(3, 5, 7)
                    left, right = left + 2 * _BYTES, right + _BYTES
                store(2, below_0, stride_0)
                if wide > 1:
                    store(3, below_1, stride_1)
            else:
                out_2, stride_2 = (room, 64) if part == 2 else (out + 128, c_stride)
                out_3, stride_3 = (room, 64) if part == 3 else (out + 192, c_stride)
                if wide > 2:
                    start(2, beta == 0 or part == 2, out_2, stride_2)
                if wide > 3:
                    start(3, beta == 0 or part == 3, out_3, stride_3)
                while left < end:
                    load(4, left)
                    load(6, right)
                    add_product(0, 4, 6)
                    if wide > 1:
                        load(7, right + panel)
                        add_product(1, 4, 7)
                    if wide > 2:
                        load(6, right + 2 * panel)
                        add_product(2, 4, 6)
                    if wide > 3:
                        load(7, right + 3 * panel)
                        add_product(3, 4, 7)
                    left, right = left + 2 * _BYTES, right + _BYTES
                if wide > 2:
                    store(2, out_2, stride_2)
                if wide > 3:
                    store(3, out_3, stride_3)
            store(0, out_0, stride_0)
            if wide > 1:
                store(1, out_1, stride_1)
            if part >= 0:
                _finish(upper + lower, columns, room, beta, out + 64 * part, c_stride)
    release()  # type: ignore[call-arg]
