"""Vectors of lanes against the same in numpy, and what they leave alone."""

import numpy as np
import pytest
from numba import njit

from seqlabel.lstm.lanes import (
    WIDTH,
    add_each,
    add_products,
    everywhere,
    load,
    load_inside,
    load_rows,
    spread,
    store,
    store_all,
    store_inside,
    store_rows,
    transposed,
    up_to,
    within,
    zeros,
)

PAIR, ALL = (0,) * 2, (0,) * WIDTH


def numbers(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@njit
def _arithmetic(a, b, c, count):
    mask = up_to(count)
    x, y = load(a, mask), load_inside(b, mask)
    store(c, (x + y * np.float32(2) - x) / (everywhere(np.float32(3)) * y), mask)


@pytest.mark.parametrize("count", [0, 1, WIDTH - 1, WIDTH, WIDTH + 3])
def test_masked_lanes_are_left_alone(count):
    a, b, c = numbers(3, WIDTH)
    before = c.copy()
    _arithmetic(a.ctypes.data, b.ctypes.data, c.ctypes.data, count)
    inside = np.arange(WIDTH) < count
    np.testing.assert_allclose(c, np.where(inside, 2 / 3, before), rtol=1e-6)


@njit
def _copy(a, b, count, inside):
    mask = up_to(count)
    if inside:
        store_inside(b, load_inside(a, mask), up_to(WIDTH))
    else:
        store(b, load(a, mask), up_to(WIDTH))


@pytest.mark.parametrize("inside", [False, True])
def test_masked_lanes_are_read_as_zeros(inside):
    a, b = np.full(WIDTH, np.nan, np.float32), numbers(WIDTH)
    a[:2] = 1, 2
    _copy(a.ctypes.data, b.ctypes.data, 2, inside)
    assert b.tolist() == [1, 2] + [0] * (WIDTH - 2)


@njit
def _turn(rows, stride, places, count, width, into, into_stride, into_places):
    mask = up_to(width)
    matrix = transposed(load_rows(rows, stride, places, count, mask))
    store_rows(into, into_stride, into_places, width, up_to(count), add_each(matrix, matrix))


@pytest.mark.parametrize(("count", "width"), [(1, 2), (WIDTH, WIDTH), (2, WIDTH - 1)])
def test_rows_become_columns(count, width):
    rows, into = numbers(40, WIDTH + 1), numbers(WIDTH, 20)
    places = np.random.default_rng(0).permutation(40)[:count]
    order = np.arange(WIDTH)[::-1].copy()
    expected = into.copy()
    expected[order[:width], :count] = 2 * rows[places, :width].T
    _turn(
        rows.ctypes.data, WIDTH + 1, places.ctypes.data, count, width,
        into.ctypes.data, 20, order.ctypes.data,
    )  # fmt: skip
    assert (into == expected).all()


@njit
def _product(weights, vectors, stride, k, into):
    sums, place = spread(weights, PAIR), weights
    for _ in range(k):
        place += 8
        sums = add_products(sums, place, vectors)
        vectors += 4 * stride
    store_all(into, sums, WIDTH)


def test_products_are_summed_up():
    weights, vectors, into = numbers(6, 2), numbers(5, 30), numbers(2, WIDTH)
    _product(weights.ctypes.data, vectors.ctypes.data, 30, 5, into.ctypes.data)
    expected = weights[0][:, None] + weights[1:].T @ vectors[:, :WIDTH]
    np.testing.assert_allclose(into, expected, rtol=1e-5, atol=1e-6)


@njit
def _bound(a, into):
    every = up_to(WIDTH)
    store(into, within(load(a, every), np.float32(2)), every)


def test_bounds_leave_nan():
    a, into = np.zeros(WIDTH, np.float32), numbers(WIDTH)
    a[:4] = -3, 3, np.nan, 1
    _bound(a.ctypes.data, into.ctypes.data)
    np.testing.assert_array_equal(into[:4], np.array([-2, 2, np.nan, 1], np.float32))


@njit
def _nothing(into):
    store_all(into, zeros(ALL), WIDTH)


def test_zeros():
    into = numbers(WIDTH, WIDTH)
    _nothing(into.ctypes.data)
    assert not into.any()
