"""Rounding to bfloat16 against torch, products of what was rounded against float64."""

import ctypes
import math

import numpy as np
import pytest
import torch

from seqlabel.lstm import dots, packing, products, tiles
from seqlabel.lstm.rounding import round_rows

# which processors multiply bfloat16 themselves, and how
UNITS = [
    pytest.param(unit, marks=pytest.mark.skipif(not has(), reason=f"this processor has no {name}"))
    for unit, has, name in (
        (tiles, products.has_tiles, "matrix unit for bfloat16"),
        (dots, dots.available, "vector instructions for bfloat16"),
    )
]
# rows, depth, columns around the edges of 16 x 32 tiles and of blocks of 2 x 2 and 1 x 4 of them
SIZES = [
    (1, 1, 1), (3, 7, 17), (16, 32, 16), (16, 33, 64), (15, 64, 65), (17, 31, 48), (9, 100, 200),
    (32, 16, 32), (33, 48, 33), (40, 70, 90), (64, 130, 15), (65, 20, 31), (100, 250, 100),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_rounding_is_that_of_torch(dtype):
    g = torch.Generator().manual_seed(1)
    bits = torch.randint(-(2**31), 2**31, (7, 45), generator=g).int()
    bits[1, 3:9] = torch.tensor([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0, -(2**31)])
    values = bits.view(torch.float32)
    values[2, 40:43] = torch.tensor([math.inf, -math.inf, math.nan])
    bits[3, 3:5] = torch.tensor([0x7FFFFFFF, -1])  # NaN that would turn into zero when counted up
    found = np.zeros((6, 50), dtype)
    round_rows(6, 40, values.numpy(), 1, 3, found)
    expected = values[1:, 3:43].bfloat16()
    whole = found.astype(np.uint32) << 16 if dtype == np.uint16 else found.view(np.uint32)
    as_float = torch.from_numpy(whole.view(np.float32)[:, :40].copy())
    torch.testing.assert_close(as_float, expected.float(), rtol=0, atol=0, equal_nan=True)
    assert not found[:, 40:].any()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_packed_products_against_float64(size, transposed, unit):
    n, k, m = size
    g = torch.Generator().manual_seed(sum(size))
    a, w, c = (torch.randn(*shape, generator=g) for shape in ((n, k), (k, m), (n, m)))
    pairs = np.full(packing.packed_size(k, m), 0x7FC07FC0, np.uint32)  # NaN wherever not written
    packing.pack((w.t() if transposed else w).contiguous().numpy(), transposed, pairs)
    room = np.full(unit.room_size(k), np.nan, np.float32)
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 10)(unit.kernel())
    for beta in (0, 1):
        wide = torch.full((n + 1, m + 3), math.nan)
        wide[:n, :m] = c if beta else math.nan
        kernel(
            n, k, m, a.data_ptr(), k, pairs.ctypes.data, beta, wide.data_ptr(), m + 3,
            room.ctypes.data,
        )  # fmt: skip
        expected = a.bfloat16().double() @ w.bfloat16().double() + beta * c.double()
        torch.testing.assert_close(wide[:n, :m].double(), expected, rtol=1e-5, atol=1e-4)
        assert bool(wide[n].isnan().all())
        assert bool(wide[:, m:].isnan().all())


@pytest.mark.parametrize("unit", UNITS)
def test_packed_products_let_nan_through(unit):
    a, w = torch.ones(18, 40), torch.ones(40, 20)
    a[17, 39] = math.nan
    pairs = np.empty(packing.packed_size(40, 20), np.uint32)
    packing.pack(w.numpy(), False, pairs)
    room, c = np.empty(unit.room_size(40), np.float32), torch.zeros(18, 20)
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 10)(unit.kernel())
    kernel(
        18, 40, 20, a.data_ptr(), 40, pairs.ctypes.data, 0, c.data_ptr(), 20, room.ctypes.data
    )  # fmt: skip
    assert bool(c[17].isnan().all())
    assert bool((c[:17] == 40).all())


@pytest.mark.skipif(not dots.available(), reason="this processor has no instructions for it")
@pytest.mark.parametrize("column", [0, 5, 21])
@pytest.mark.parametrize("size", SIZES)
def test_products_over_rows_against_float64(size, column):
    n, m, k = size
    g = torch.Generator().manual_seed(sum(size))
    a, b, c = (torch.randn(*shape, generator=g) for shape in ((n, column + m), (n, k), (m, k)))
    packed = [np.full(packing.packed_size(*x.shape), 0x7FC07FC0, np.uint32) for x in (a, b)]
    for x, pairs in zip((a, b), packed, strict=True):
        packing.pack(x.numpy(), False, pairs)
    room = np.full(dots.room_size(max(m, k)), np.nan, np.float32)
    wide = torch.full((m + 1, k + 3), math.nan)
    wide[:m, :k] = c
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 9)(dots.kernel_over_rows())(
        n, m, k, column, *(pairs.ctypes.data for pairs in packed), wide.data_ptr(), k + 3,
        room.ctypes.data,
    )  # fmt: skip
    rounded = a[:, column:].bfloat16().double(), b.bfloat16().double()
    expected = rounded[0].t() @ rounded[1] + c.double()
    torch.testing.assert_close(wide[:m, :k].double(), expected, rtol=1e-5, atol=1e-4)
    assert bool(wide[m].isnan().all())
    assert bool(wide[:, k:].isnan().all())
