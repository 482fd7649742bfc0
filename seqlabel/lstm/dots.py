"""Products in bfloat16 on processors with AVX-512 BF16, which have no matrix unit (`tiles.py`).

One instruction multiplies 16 pairs of bfloat16 and adds both products of each pair to a sum in
float32. Up to six rows and four panels of the weight are multiplied at once, so that their sums
stay in registers. Weights are packed (`packing.py`) and the product is called as in `tiles.py`.

The product over rows, C (m, k) += A' B for A (n, m) and B (n, k), is called with

    n, m, k, column, a, b, c, c_stride, room

where a and b are the addresses of both operands, packed, and the m columns of A begin at `column`.

(Intel Architecture Instruction Set Extensions Programming Reference, VDPBF16PS.)
"""

import itertools
from functools import cache

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from seqlabel.lstm.calls import address_of
from seqlabel.lstm.packing import BYTES, DEPTH, SIDE, finish
from seqlabel.lstm.rounding import (
    OPTIONS,
    VECTOR,
    copy_padded,
    every,
    load_vector,
    round_to_halves,
    store_vector,
)

_ROWS = 24  # rounded at a time, for the first-level cache
_HIGH, _WIDE = (6, 4, 2, 1), (4, 2, 1)  # rows and panels that are multiplied at once
_SUMS = _HIGH[0] * 64  # bytes of the scratch buffer for the sums of an incomplete panel
_PAIR, _FLOATS = ir.IntType(32), ir.VectorType(ir.FloatType(), SIDE)


@cache
def available() -> bool:
    """Whether the processor has the instruction, and LLVM may use it."""
    return "+avx512bf16" in cpu_target.target_context.codegen().magic_tuple()[-1].split(",")


@cache
def kernel() -> int:
    """Address of the product, compiled or loaded from numba's cache. Requires `available()`."""
    assert available()
    return address_of(_product, 10, OPTIONS)


@cache
def kernel_over_rows() -> int:
    """Address of the product over rows. Requires `available()`."""
    assert available()
    return address_of(_product_over_rows, 9, OPTIONS)


def room_size(k: int) -> int:
    """Size of the scratch buffer for a product over k, in 32-bit numbers."""
    return (_SUMS + _ROWS * 2 * DEPTH * -(-k // DEPTH)) // 4


def _add_products(builder, sums, left, right):
    """sums + both products of 16 pairs."""
    # LLVM has taken pairs as integers from the start, and as bfloat since version 16
    kind = ir.FunctionType(_FLOATS, [_FLOATS, VECTOR, VECTOR])
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [sums, left, right])


def _block(builder, rows, panels, pairs, left, row, step, right, panel, fresh, out, out_stride):
    """Emit the product for `rows` and `panels`, numbers known now; the rest as in `_multiply`."""
    integer = left.type
    cells = [(r, p) for r in range(rows) for p in range(panels)]
    sums = {cell: cgutils.alloca_once(builder, _FLOATS) for cell in cells}
    starts = [builder.add(out, builder.mul(out_stride, integer(r))) for r in range(rows)]
    places = {(r, p): builder.add(starts[r], integer(64 * p)) for r, p in cells}
    with builder.if_else(fresh) as (then, otherwise):
        with then:
            for cell in cells:
                builder.store(ir.Constant(_FLOATS, None), sums[cell])
        with otherwise:
            for cell in cells:
                found = load_vector(builder, places[cell])
                builder.store(builder.bitcast(found, _FLOATS), sums[cell])
    lefts = [builder.add(left, builder.mul(row, integer(r))) for r in range(rows)]
    rights = [builder.add(right, builder.mul(panel, integer(p))) for p in range(panels)]
    with cgutils.for_range(builder, pairs, intp=integer) as loop:
        way = builder.mul(loop.index, integer(64))
        columns = [load_vector(builder, builder.add(start, way)) for start in rights]
        way = builder.mul(loop.index, step)
        for r, start in enumerate(lefts):
            place = builder.inttoptr(builder.add(start, way), _PAIR.as_pointer())
            single = builder.insert_element(
                ir.Constant(VECTOR, None), builder.load(place, align=4), ir.IntType(32)(0)
            )
            pair = builder.shuffle_vector(single, single, every(0))
            for p, column in enumerate(columns):
                cell = sums[r, p]
                builder.store(_add_products(builder, builder.load(cell), pair, column), cell)
    for cell in cells:
        store_vector(builder, builder.bitcast(builder.load(sums[cell]), VECTOR), places[cell])


@intrinsic
def _multiply(typingctx, high, wide, pairs, left, row, step, right, panel, fresh, out, out_stride):
    """out = left right, or out += left right if not `fresh`, for `high` rows and `wide` panels.

    high: of `_HIGH`. wide: of `_WIDE`. left: `pairs` pairs of each row. In bytes: `row` and `step`,
    the distances of its rows and of pairs in a row; `panel`, the size of a panel; out_stride.
    """

    def generate(context, builder, signature, args):
        high, wide, pairs, left, row, step, right, panel, fresh, out, out_stride = args
        fresh = builder.trunc(fresh, ir.IntType(1))
        for rows, panels in itertools.product(_HIGH, _WIDE):
            this = builder.and_(
                builder.icmp_signed("==", high, high.type(rows)),
                builder.icmp_signed("==", wide, wide.type(panels)),
            )
            with builder.if_then(this):
                _block(
                    builder, rows, panels,
                    pairs, left, row, step, right, panel, fresh, out, out_stride,
                )  # fmt: skip
        return context.get_dummy_value()

    integers = [types.int64] * 8
    return types.void(*integers, types.boolean, types.int64, types.int64), generate


@njit(**OPTIONS)
def _abreast(choices, rest):
    """How many of the rows or panels that are left are multiplied at once."""
    for number in choices:
        if number <= rest:
            return number
    return 0


@njit(**OPTIONS)
def _round_rows(n, k, a, stride, target, target_stride, edge):
    """Round n rows of k numbers; each is padded with zeros to a multiple of 16."""
    whole = k // 16
    for r in range(n):
        source, place = a + r * stride, target + r * target_stride
        for part in range(whole):
            round_to_halves(source + 64 * part, place + 32 * part)  # type: ignore[call-arg]
        if k % 16:
            copy_padded(source + 64 * whole, k % 16, edge)
            round_to_halves(edge, place + 32 * whole)  # type: ignore[call-arg]


@njit(**OPTIONS)
def _strip(rows, m, pairs, left, row, step, w, panel, beta, c, c_stride, room):
    """C (rows, m) = left W + beta C: all panels of W. Strides as in `_multiply`."""
    panels, columns = m // SIDE, m % SIDE
    tile = 0
    while tile < panels:
        wide = _abreast(_WIDE, panels - tile)
        right, done = w + tile * panel, 0
        while done < rows:
            high = _abreast(_HIGH, rows - done)
            out = c + done * c_stride + tile * 64
            _multiply(  # type: ignore[call-arg]
                high, wide, pairs, left + done * row, row, step, right, panel,
                beta == 0, out, c_stride,
            )  # fmt: skip
            done += high
        tile += wide
    if columns:
        done = 0
        while done < rows:
            high = _abreast(_HIGH, rows - done)
            _multiply(  # type: ignore[call-arg]
                high, 1, pairs, left + done * row, row, step, w + panels * panel, panel,
                True, room, 64,
            )  # fmt: skip
            finish(high, columns, room, beta, c + done * c_stride + panels * 64, c_stride)
            done += high


def _product(n, k, m, a, a_stride, w, beta, c, c_stride, room):
    """The product."""
    a_stride, c_stride = 4 * a_stride, 4 * c_stride
    deep = (k + DEPTH - 1) // DEPTH
    stride, rounded = deep * 2 * DEPTH, room + _SUMS
    for row in range(0, n, _ROWS):
        rows = min(_ROWS, n - row)
        _round_rows(rows, k, a + row * a_stride, a_stride, rounded, stride, room)
        _strip(
            rows, m, (k + 1) // 2, rounded, stride, 4, w, deep * BYTES,
            beta, c + row * c_stride, c_stride, room,
        )  # fmt: skip


def _product_over_rows(n, m, k, column, a, b, c, c_stride, room):
    """The product over rows: the rows of A' are columns of packed pairs."""
    panel = (n + DEPTH - 1) // DEPTH * BYTES
    done = 0
    while done < m:
        inside = (column + done) % SIDE
        rows = min(SIDE - inside, m - done)
        left = a + (column + done) // SIDE * panel + 4 * inside
        _strip(
            rows, k, (n + 1) // 2, left, 4, 64, b, panel,
            1, c + 4 * done * c_stride, 4 * c_stride, room,
        )  # fmt: skip
        done += rows
