"""Weights in 8 bits: how far they may be off, and that unfit files are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from seqlabel.errors import InputError
from seqlabel.quantisation import quantise, restore
from seqlabel.training.run_directory import load_weights


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9))
def test_every_weight_is_within_half_a_step_of_its_row(seed, rows, columns):
    weight = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    weight[0] = 0
    bias = weight[:, 0].copy()
    kept = quantise({"w": weight, "b": bias})
    assert kept["w"].dtype == np.int8
    found = restore(kept)
    step = np.abs(weight).max(axis=1, keepdims=True) / 127
    assert (np.abs(found["w"] - weight) <= 0.5001 * step).all()
    assert np.array_equal(found["b"], bias)
    assert set(found) == {"w", "b"}
    # The largest weight of a row is exact but for rounding of the scale.
    largest = np.abs(weight).argmax(axis=1)
    rows_ = np.arange(rows)
    assert found["w"][rows_, largest] == pytest.approx(weight[rows_, largest], rel=1e-6)


def test_what_was_never_quantised_comes_back_as_it_is():
    weights = {"w": np.eye(3, dtype=np.float32), "x.scale": np.ones(2, np.float32)}
    assert restore(weights) == weights


def test_a_file_of_8_bit_weights_loads_as_float32(tmp_path):
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_file(quantise({"w": weight}), tmp_path / "weights.safetensors")
    found = load_weights(tmp_path / "weights.safetensors")["w"].numpy()
    assert found.dtype == np.float32
    assert np.abs(found - weight).max() <= 0.5 * 5 / 127


@pytest.mark.parametrize(
    "arrays",
    [
        {"w": np.zeros((2, 3), np.int8), "w.scale": np.ones(3, np.float32)},
        {"w": np.zeros((2, 3), np.float32), "w.scale": np.ones(2, np.float32)},
    ],
)
def test_scales_that_do_not_fit_are_refused(arrays, tmp_path):
    save_file(arrays, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match=r"weights\.safetensors.*scales do not fit"):
        load_weights(tmp_path / "weights.safetensors")
