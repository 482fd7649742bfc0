"""Matrix products inside compiled loops: in float32, or with operands rounded to bfloat16.

    Exact      float32, by torch's BLAS
    Tiles      operands rounded to bfloat16, sums in float32, on the matrix unit of x86 processors
    Dots       the same, by vector instructions for pairs of bfloat16
    Rounded    the same on any processor: operands are rounded, then multiplied in float32

The loops get one of these records and call `multiply` and `add_products`, which are compiled for
each type of record. Weights are prepared once (`weight`). The other operand stays float32 for the
caller and is rounded inside the product.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numba.extending import overload
from torch import Tensor

from seqlabel.lstm import amx, dots, packing, tiles
from seqlabel.lstm.blas import address, product, product_over_rows
from seqlabel.lstm.calls import call
from seqlabel.lstm.packing import pack
from seqlabel.lstm.rounding import OPTIONS, round_rows

_GEMM, _GEMM_BFLOAT16 = "sgemm_", "gemm_bf16bf16f32_"


class Exact(NamedTuple):
    gemm: int  # address


class Rounded(NamedTuple):
    gemm: int  # address
    left: np.ndarray  # (chunk, widest) float32, buffer for rounded left operands
    right: np.ndarray  # the same for right operands of `add_products`


class Tiles(NamedTuple):
    kernel: int  # address of the product with packed weights (`tiles.py`)
    gemm: int  # address of the product over rows
    room: np.ndarray  # scratch buffer of `tiles.room_size` numbers
    left: np.ndarray  # as in `Rounded`, but uint16
    right: np.ndarray


class Dots(NamedTuple):
    kernel: int  # address of the product with packed weights (`dots.py`)
    over_rows: int  # address of the product of two packed operands over their rows
    room: np.ndarray  # scratch buffer of `dots.room_size` numbers
    left: np.ndarray  # (packed_size(chunk, widest),) buffer for packed left operands
    right: np.ndarray  # the same for right operands of `add_products`


class Packed(NamedTuple):
    """A weight (k, m), packed for `Tiles` and `Dots`."""

    pairs: np.ndarray
    shape: tuple[int, int]


Products = Exact | Rounded | Tiles | Dots


def has_bf16() -> bool:
    """Whether this processor has instructions for products in bfloat16 that are of use here."""
    return has_tiles() or dots.available()


def has_tiles() -> bool:
    """Whether it has a matrix unit for them."""
    return amx.available() and address(_GEMM_BFLOAT16) != 0


def prepare(bf16: bool, chunk: int, widest: int) -> Products:
    """The record for products of at most `chunk` rows with at most `widest` columns."""
    if not bf16:
        return Exact(address(_GEMM))
    if has_tiles():
        room = torch.empty(tiles.room_size(widest)).numpy()
        halves = (torch.empty(chunk, widest, dtype=torch.uint16).numpy() for _ in range(2))
        return Tiles(tiles.kernel(), address(_GEMM_BFLOAT16), room, *halves)
    if dots.available():
        room = torch.empty(dots.room_size(widest)).numpy()
        pairs = (_pairs(chunk, widest) for _ in range(2))
        return Dots(dots.kernel(), dots.kernel_over_rows(), room, *pairs)
    return Rounded(address(_GEMM), *(torch.empty(chunk, widest).numpy() for _ in range(2)))


def _pairs(k: int, m: int) -> np.ndarray:
    """Room for a packed matrix."""
    return torch.empty(packing.packed_size(k, m), dtype=torch.int32).numpy()


def weight(by: Products, w: Tensor, transposed: bool = False) -> Any:
    """The matrix w, or its transpose, prepared for `multiply`."""
    if isinstance(by, Tiles | Dots):
        k, m = w.shape[::-1] if transposed else w.shape
        pairs = _pairs(k, m)
        packing.pack(w.contiguous().numpy(), transposed, pairs)
        return Packed(pairs, (k, m))
    if isinstance(by, Rounded):
        w = w.bfloat16().float()
    return (w.t() if transposed else w).contiguous().numpy()


@njit(cache=True, forceinline=True)
def at(matrix, row, column):
    """Address of an entry of a matrix."""
    return matrix.ctypes.data + matrix.itemsize * (row * matrix.shape[1] + column)


def multiply(by, n, a, a_row, a_column, w, beta, c, c_row, c_column):
    """c = a w + beta c for n rows of a and c, which start at the given entries; beta is 0 or 1.

    Does nothing if w is empty.
    """


def round_left(by, n, a):
    """Prepare the first n rows of a as left operand of `add_products`.

    The result is valid until the next `multiply` or `round_left`.
    """


def add_products(by, n, a, a_column, b, b_row, dw):
    """dw += a' b over n rows: the gradient of a weight, from output gradients a and inputs b.

    a: from `round_left`; its columns from a_column on are used.
    """


def _for(compiled: dict[type, Any], by: Any) -> Any:
    """The implementation for the class of record that a numba type stands for."""
    return compiled[by.instance_class]


@overload(multiply, jit_options=OPTIONS)
def _multiply(by, n, a, a_row, a_column, w, beta, c, c_row, c_column):
    def exact(by, n, a, a_row, a_column, w, beta, c, c_row, c_column):
        k, m = w.shape
        if k and m:
            product(
                by.gemm, n, m, k, at(a, a_row, a_column), a.shape[1], at(w, 0, 0), m,
                beta, at(c, c_row, c_column), c.shape[1],
            )  # fmt: skip

    def rounded(by, n, a, a_row, a_column, w, beta, c, c_row, c_column):
        k, m = w.shape
        if k and m:
            round_rows(n, k, a, a_row, a_column, by.left)
            product(
                by.gemm, n, m, k, at(by.left, 0, 0), by.left.shape[1], at(w, 0, 0), m,
                beta, at(c, c_row, c_column), c.shape[1],
            )  # fmt: skip

    def packed(by, n, a, a_row, a_column, w, beta, c, c_row, c_column):
        k, m = w.shape
        if k and m:
            call(  # type: ignore[call-arg]
                by.kernel,
                (n, k, m, at(a, a_row, a_column), a.shape[1], w.pairs.ctypes.data,
                 beta, at(c, c_row, c_column), c.shape[1], by.room.ctypes.data),
            )  # fmt: skip

    return _for({Exact: exact, Rounded: rounded, Tiles: packed, Dots: packed}, by)


@overload(round_left, jit_options=OPTIONS)
def _round_left(by, n, a):
    def exact(by, n, a):
        return a

    def rounded(by, n, a):
        round_rows(n, a.shape[1], a, 0, 0, by.left)
        return by.left

    def packed(by, n, a):
        if a.shape[1]:
            pack(a[:n], False, by.left)
        return by.left

    return _for({Exact: exact, Rounded: rounded, Tiles: rounded, Dots: packed}, by)


@overload(add_products, jit_options=OPTIONS)
def _add_products(by, n, a, a_column, b, b_row, dw):
    def exact(by, n, a, a_column, b, b_row, dw):
        m, k = dw.shape
        if k and m:
            product_over_rows(
                by.gemm, m, k, n, at(a, 0, a_column), a.shape[1], at(b, b_row, 0), b.shape[1],
                1, at(dw, 0, 0), k,
            )  # fmt: skip

    def rounded(by, n, a, a_column, b, b_row, dw):
        m, k = dw.shape
        if k and m:
            round_rows(n, k, b, b_row, 0, by.right)
            product_over_rows(
                by.gemm, m, k, n, at(a, 0, a_column), a.shape[1],
                at(by.right, 0, 0), by.right.shape[1], 1, at(dw, 0, 0), k,
            )  # fmt: skip

    def packed(by, n, a, a_column, b, b_row, dw):
        m, k = dw.shape
        if k and m:
            pack(b[b_row : b_row + n], False, by.right)
            call(  # type: ignore[call-arg]
                by.over_rows,
                (n, m, k, a_column, a.ctypes.data, by.right.ctypes.data, at(dw, 0, 0), k,
                 by.room.ctypes.data),
            )  # fmt: skip

    return _for({Exact: exact, Rounded: rounded, Tiles: rounded, Dots: packed}, by)
