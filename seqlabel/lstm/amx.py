"""AMX, the matrix unit of x86 processors: whether it is available, and its instructions.

Each of the eight tile registers holds 16 rows of 64 bytes, or fewer rows if configured so
(`configure`). `add_product` multiplies a 16 x 32 by a 32 x 16 matrix in bfloat16 and adds the
product to a tile of 16 x 16 sums in float32. Each row of the second operand's tile holds pairs of
numbers from two neighbouring rows of the matrix. Tile numbers are part of the instructions, so they
must be constants.

(Intel Architecture Instruction Set Extensions Programming Reference, chapter on AMX.)
"""

import ctypes
import platform
import sys
from functools import cache

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64


@cache
def available() -> bool:
    """Whether the processor has the unit, LLVM may use it, and the system grants it.

    Linux denies it to processes that have not requested it; this call does.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    features = cpu_target.target_context.codegen().magic_tuple()[-1].split(",")
    if not {"+amx-tile", "+amx-bf16"} <= set(features):
        return False
    return ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0


_BYTE = ir.IntType(8)
_POINTER = _BYTE.as_pointer()


def _emit(builder, name, *values):
    """Emit an instruction of the unit."""
    kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), values)


def _tile(number):
    """The number of a tile register as an immediate operand."""
    return _BYTE(number.literal_value)


@intrinsic
def configure(typingctx, first, second):
    """Give `first` rows to tiles 0, 1 and 4, `second` rows to tiles 2, 3 and 5, 16 to the rest."""

    def generate(context, builder, signature, args):
        first, second = (builder.trunc(value, _BYTE) for value in args)
        # byte 0: palette 1; from byte 16: bytes per row of each tile; from byte 48: rows of each
        table = [1, *[0] * 15, *[64, 0] * 8, *[0] * 16, *[16] * 8, *[0] * 8]
        kind = ir.ArrayType(_BYTE, len(table))
        memory = cgutils.alloca_once(builder, kind)
        builder.store(kind(table), memory)
        base = builder.bitcast(memory, _POINTER)
        for tile, rows in enumerate((first, first, second, second, first, second)):
            builder.store(rows, builder.gep(base, [ir.IntType(32)(48 + tile)]))
        _emit(builder, "ldtilecfg", base)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def release(typingctx):
    def generate(context, builder, signature, args):
        _emit(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic(prefer_literal=True)
def start(typingctx, tile, fresh, address, stride):
    """Initialise a tile of sums: zero if `fresh`, otherwise from memory at the address."""

    def generate(context, builder, signature, args):
        with builder.if_else(builder.trunc(args[1], ir.IntType(1))) as (then, otherwise):
            with then:
                _emit(builder, "tilezero", _tile(tile))
            with otherwise:
                source = builder.inttoptr(args[2], _POINTER)
                _emit(builder, "tileloadd64", _tile(tile), source, args[3])
        return context.get_dummy_value()

    return types.void(tile, types.boolean, types.int64, types.int64), generate


@intrinsic(prefer_literal=True)
def load(typingctx, tile, address):
    """Load an operand tile of 1024 contiguous bytes."""

    def generate(context, builder, signature, args):
        source, stride = builder.inttoptr(args[1], _POINTER), args[1].type(64)
        _emit(builder, "tileloadd64", _tile(tile), source, stride)
        return context.get_dummy_value()

    return types.void(tile, types.int64), generate


@intrinsic(prefer_literal=True)
def store(typingctx, tile, address, stride):
    def generate(context, builder, signature, args):
        target = builder.inttoptr(args[1], _POINTER)
        _emit(builder, "tilestored64", _tile(tile), target, args[2])
        return context.get_dummy_value()

    return types.void(tile, types.int64, types.int64), generate


@intrinsic(prefer_literal=True)
def add_product(typingctx, sums, left, right):
    def generate(context, builder, signature, args):
        _emit(builder, "tdpbf16ps", *map(_tile, (sums, left, right)))
        return context.get_dummy_value()

    return types.void(sums, left, right), generate
