"""Matrix products by address: the BLAS that torch brings, called from inside compiled loops.

The recurrent product of a time step takes 15 to 50 µs; called from Python it would pay another 5 to
20. numba's own `np.dot` uses a library that is slower on products this small. So compiled loops get
the address of torch's `sgemm` as a number, known only at run time, which also keeps them cacheable.
"""

import ctypes
from functools import cache

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


@cache
def address(name: str) -> int:
    """Where the libraries of torch hold the C function `name`; 0 if they do not."""
    try:
        function = getattr(ctypes.CDLL(torch._C.__file__), name)
    except (AttributeError, OSError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@intrinsic
def _call_gemm(typingctx, gemm, trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    """gemm(trans_a, trans_b, m, n, k, 1, a, lda, b, ldb, beta, c, ldc) of a Fortran BLAS."""
    integers = [types.int64] * 10
    signature = types.void(*integers, types.float32, types.int64, types.int64)

    def generate(context, builder, signature, args):
        gemm, *operands = args
        byte, int32, float32 = ir.IntType(8), ir.IntType(32), ir.FloatType()
        pointer = byte.as_pointer()
        kinds = [byte, byte, int32, int32, int32, float32]  # passed by reference
        kinds += [pointer, int32, pointer, int32, float32, pointer, int32]
        operands.insert(5, ir.Constant(float32, 1.0))
        passed = []
        for kind, value in zip(kinds, operands, strict=True):
            if kind == pointer:
                passed.append(builder.inttoptr(value, pointer))
                continue
            slot = cgutils.alloca_once(builder, kind)
            builder.store(value if kind == float32 else builder.trunc(value, kind), slot)
            passed.append(builder.bitcast(slot, pointer))
        function = ir.FunctionType(ir.VoidType(), [pointer] * len(passed))
        builder.call(builder.inttoptr(gemm, function.as_pointer()), passed)
        return context.get_dummy_value()

    return signature, generate


_AS_IT_IS, _TRANSPOSED = ord("N"), ord("T")


@njit(cache=True, nogil=True)
def product(gemm, m, n, k, a, a_stride, b, b_stride, beta, c, c_stride):
    """C (m, n) = A (m, k) B (k, n) + beta C; addresses and strides of row-major matrices."""
    # BLAS sees columns where we have rows: it computes C' = B' A'
    _call_gemm(  # type: ignore[call-arg]
        gemm, _AS_IT_IS, _AS_IT_IS, n, m, k,
        b, b_stride, a, a_stride, np.float32(beta), c, c_stride,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def product_over_rows(gemm, m, n, k, a, a_stride, b, b_stride, beta, c, c_stride):
    """C (m, n) = A' B + beta C for A (k, m), B (k, n), as of a weight's gradient over k rows."""
    _call_gemm(  # type: ignore[call-arg]
        gemm, _AS_IT_IS, _TRANSPOSED, n, m, k,
        b, b_stride, a, a_stride, np.float32(beta), c, c_stride,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def product_by_transposed(gemm, m, n, k, a, a_stride, b, b_stride, beta, c, c_stride):
    """C (m, n) = A B' + beta C for A (m, k), B (n, k); addresses and strides as in `product`."""
    _call_gemm(  # type: ignore[call-arg]
        gemm, _TRANSPOSED, _AS_IT_IS, n, m, k,
        b, b_stride, a, a_stride, np.float32(beta), c, c_stride,
    )  # fmt: skip
