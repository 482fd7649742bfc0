"""The vectorising exponential against the library's, at and beyond its limits."""

import math

import numpy as np

from seqlabel.models.kernel_math import exp, log_add, log_sum_exp, softmax


def test_exp_equals_the_librarys_to_the_last_digits():
    x = np.concatenate([-np.geomspace(1e-12, 708, 5000), [0.0, -math.log(2) / 2, -1.0]])
    np.testing.assert_allclose([exp(v) for v in x], np.exp(x), rtol=4e-16)


def test_exp_far_out_is_zero_and_of_nan_is_nan():
    assert [exp(v) for v in (-746.0, -1e9, -1e300, -np.inf)] == [0.0] * 4
    assert math.isnan(exp(np.nan))


def test_softmax_takes_impossible_labels_and_shows_nan():
    y, possible, unknown = np.empty(3), np.float32([1, -np.inf, 1]), np.float32([1, np.nan, 1])
    softmax(possible, y)
    assert y.tolist() == [0.5, 0.0, 0.5]
    assert log_sum_exp(possible) == 1.0 + math.log(2)
    softmax(unknown, y)
    assert np.isnan(y).all()
    assert math.isnan(log_sum_exp(unknown))


def test_log_add_with_nothing_is_exact():
    assert log_add(-np.inf, -3.0) == log_add(-3.0, -np.inf) == -3.0
    assert log_add(-np.inf, -np.inf) == -np.inf
    assert abs(log_add(math.log(2), math.log(3)) - math.log(5)) < 1e-15
