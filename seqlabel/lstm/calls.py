"""Compiled functions that compiled loops call by address.

What is called may then differ by cell or processor, while the loops are compiled and cached once.
Arguments are integers: counts, strides and addresses.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import cfunc, types
from numba.core import cgutils
from numba.extending import intrinsic


def address_of(function: Callable[..., None], arguments: int, options: dict[str, Any]) -> int:
    """Address of a function of so many integers, compiled with numba's options or from its cache.

    It stays valid as long as the process lives.
    """
    compiled = cfunc(types.void(*[types.int64] * arguments), **options)(function)
    _KEPT.append(compiled)
    return compiled.address or 0


_KEPT: list[Any] = []


@intrinsic
def call(typingctx, kernel, arguments):
    """Calls the compiled function at an address; its arguments are integers and addresses."""
    signature = types.void(types.int64, types.UniTuple(types.int64, len(arguments)))

    def generate(context, builder, signature, values):
        kernel, packed = values
        passed = cgutils.unpack_tuple(builder, packed)
        function = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(passed))
        builder.call(builder.inttoptr(kernel, function.as_pointer()), passed)
        return context.get_dummy_value()

    return signature, generate
