"""Rounding to bfloat16 against torch, products of what was rounded against float64."""

import ctypes
import math

import numpy as np
import pytest
import torch

from seqlabel.lstm import products, tiles
from seqlabel.lstm.rounding import round_rows

with_unit = pytest.mark.skipif(
    not products.has_tiles(), reason="this processor has no matrix unit for bfloat16"
)
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


@with_unit
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_against_float64(size, transposed):
    n, k, m = size
    g = torch.Generator().manual_seed(sum(size))
    a, w, c = (torch.randn(*shape, generator=g) for shape in ((n, k), (k, m), (n, m)))
    pairs = np.full(tiles.packed_size(k, m), 0x7FC07FC0, np.uint32)  # NaN wherever not written
    tiles.pack((w.t() if transposed else w).contiguous().numpy(), transposed, pairs)
    room = np.full(tiles.room_size(k), np.nan, np.float32)
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 10)(tiles.kernel())
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


@with_unit
def test_tiles_let_nan_through():
    a, w = torch.ones(18, 40), torch.ones(40, 20)
    a[17, 39] = math.nan
    pairs = np.empty(tiles.packed_size(40, 20), np.uint32)
    tiles.pack(w.numpy(), False, pairs)
    room, c = np.empty(tiles.room_size(40), np.float32), torch.zeros(18, 20)
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 10)(tiles.kernel())
    kernel(
        18, 40, 20, a.data_ptr(), 40, pairs.ctypes.data, 0, c.data_ptr(), 20, room.ctypes.data
    )  # fmt: skip
    assert bool(c[17].isnan().all())
    assert bool((c[:17] == 40).all())
