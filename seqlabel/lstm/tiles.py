"""Products in bfloat16 on AMX, the matrix unit of x86 processors.

Weights are packed into tiles once (`packing.py`). Rows of the other operand are float32; up to 32
of them at a time are rounded into a scratch buffer that fits the first-level cache.

The product is called by address, so it is compiled only on processors with the unit. It takes

    n, k, m, a, a_stride, w, beta, c, c_stride, room

and computes C (n, m) = A (n, k) W (k, m) + beta C, where beta is 0 or 1. A and C are float32, given
by their address and the distance between rows in numbers. w is the address of packed weights,
room that of a scratch buffer of `room_size(k)` numbers. Both should be aligned to 64 bytes for
speed.
"""

from functools import cache

from numba import njit

from seqlabel.lstm.amx import add_product, available, configure, load, release, start, store
from seqlabel.lstm.calls import address_of
from seqlabel.lstm.packing import BYTES, DEPTH, SIDE, finish
from seqlabel.lstm.rounding import OPTIONS, copy_padded, numbers, round_to_halves

_SUMS = 2 * BYTES  # bytes of the scratch buffer for two tiles of sums


@cache
def kernel() -> int:
    """Address of the product, compiled or loaded from numba's cache. Requires `available()`."""
    assert available()
    return address_of(_product, 10, OPTIONS)


def room_size(k: int) -> int:
    """Size of the scratch buffer for a product over k, in 32-bit numbers."""
    return (_SUMS + 2 * BYTES * -(-k // DEPTH)) // 4


@njit(**OPTIONS)
def _round_rows(n, k, a, stride, room, edge):
    """Round n <= 32 rows into tiles: for every 32 columns, the upper 16 rows, then the lower."""
    whole = k // 16
    for r in range(n):
        source, target = a + r * stride, room + r // SIDE * BYTES + r % SIDE * 64
        for half in range(whole):
            place = target + half // 2 * 2 * BYTES + half % 2 * 32
            round_to_halves(source + 64 * half, place)  # type: ignore[call-arg]
        if k % DEPTH:
            copy_padded(source + 64 * whole, k % 16, edge)
            place = target + whole // 2 * 2 * BYTES + whole % 2 * 32
            round_to_halves(edge, place)  # type: ignore[call-arg]
            if whole % 2 == 0:
                numbers(place + 32, 8)[:] = 0


def _product(n, k, m, a, a_stride, w, beta, c, c_stride, room):
    """The product: 2 x 2 tiles of sums at a time, or 1 x 4 for at most 16 rows."""
    a_stride, c_stride = 4 * a_stride, 4 * c_stride
    deep, across, columns = (k + DEPTH - 1) // DEPTH, (m + SIDE - 1) // SIDE, m % SIDE
    panel, rows = deep * BYTES, room + _SUMS
    for row in range(0, n, 2 * SIDE):
        upper = min(SIDE, n - row)
        lower = min(SIDE, n - row - upper)
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
                    load(5, left + BYTES)
                    load(6, right)
                    add_product(0, 4, 6)
                    add_product(2, 5, 6)
                    if wide > 1:
                        load(7, right + panel)
                        add_product(1, 4, 7)
                        add_product(3, 5, 7)
                    left, right = left + 2 * BYTES, right + BYTES
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
                    left, right = left + 2 * BYTES, right + BYTES
                if wide > 2:
                    store(2, out_2, stride_2)
                if wide > 3:
                    store(3, out_3, stride_3)
            store(0, out_0, stride_0)
            if wide > 1:
                store(1, out_1, stride_1)
            if part >= 0:
                finish(upper + lower, columns, room, beta, out + 64 * part, c_stride)
    release()  # type: ignore[call-arg]
