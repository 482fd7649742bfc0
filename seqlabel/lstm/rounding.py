"""Rounds float32 to bfloat16: to nearest, ties to even; NaN stays NaN.

A bfloat16 number is the upper half of a float32. Results are stored either as these halves, or as
float32 with a lower half of zero. 16 numbers are rounded at a time, as one vector.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

OPTIONS: Any = {"error_model": "numpy", "cache": True}
VECTOR = ir.VectorType(ir.IntType(32), 16)
_HALVES, _FLOATS = ir.VectorType(ir.IntType(16), 16), ir.VectorType(ir.FloatType(), 16)


def every(number: int) -> ir.Constant:
    """A vector that repeats one number."""
    return ir.Constant(VECTOR, [number] * 16)


def load_vector(builder, address):
    """Load 16 numbers of 32 bits."""
    return builder.load(builder.inttoptr(address, VECTOR.as_pointer()), align=4)


def store_vector(builder, vector, address):
    align = vector.type.element.width // 8
    builder.store(vector, builder.inttoptr(address, vector.type.as_pointer()), align=align)


def round_vector(builder, bits):
    """Round the bits of 16 float32; the upper halves of the result are the bfloat16 numbers."""
    odd = builder.and_(builder.lshr(bits, every(16)), every(1))
    nearest = builder.add(builder.add(bits, every(0x7FFF)), odd)
    value = builder.bitcast(bits, _FLOATS)
    nan = builder.fcmp_unordered("uno", value, value)
    return builder.select(nan, builder.or_(bits, every(0x400000)), nearest)


@intrinsic
def round_to_halves(typingctx, source, target):
    """Round 16 float32 at one address to 16 bfloat16 at another."""

    def generate(context, builder, signature, args):
        upper = builder.lshr(round_vector(builder, load_vector(builder, args[0])), every(16))
        store_vector(builder, builder.trunc(upper, _HALVES), args[1])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def round_to_floats(typingctx, source, target):
    """Round 16 float32 at one address to rounded float32 at another."""

    def generate(context, builder, signature, args):
        upper = builder.and_(
            round_vector(builder, load_vector(builder, args[0])), every(0xFFFF0000)
        )
        store_vector(builder, upper, args[1])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _pointer(typingctx, address):
    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.int64), generate


@njit(**OPTIONS)
def numbers(address, n):
    """A view of n float32 at an address."""
    return carray(_pointer(address), n)  # type: ignore[call-arg]


@njit(**OPTIONS)
def copy_padded(source, n, target):
    """Copy n <= 16 float32 from one address to another and pad with zeros to 16."""
    found, out = numbers(source, n), numbers(target, 16)
    out[:] = 0
    for j in range(n):
        out[j] = found[j]


@njit(nogil=True, **OPTIONS)
def round_rows(n, k, source, row, column, target):
    """Round an n x k block of source (float32), which starts at (row, column), into target.

    The block goes to the first rows and columns of target, which is uint16 (bfloat16) or float32.
    """
    edge, rounded = np.empty(16, np.float32), np.empty(16, target.dtype)
    size, whole = target.itemsize, k // 16 * 16
    for r in range(n):
        found = source.ctypes.data + 4 * ((row + r) * source.shape[1] + column)
        out = target.ctypes.data + size * r * target.shape[1]
        for j in range(0, whole, 16):
            if size == 2:
                round_to_halves(found + 4 * j, out + 2 * j)  # type: ignore[call-arg]
            else:
                round_to_floats(found + 4 * j, out + 4 * j)  # type: ignore[call-arg]
        if whole < k:
            copy_padded(found + 4 * whole, k - whole, edge.ctypes.data)
            if size == 2:
                round_to_halves(edge.ctypes.data, rounded.ctypes.data)  # type: ignore[call-arg]
            else:
                round_to_floats(edge.ctypes.data, rounded.ctypes.data)  # type: ignore[call-arg]
            target[r, whole:k] = rounded[: k - whole]
