"""Mean and variance normalisation."""

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.features import normalisation
from seqlabel.features.normalisation import Statistics


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal((n, 3)) * [1, 50, 0.1] + [5, -2000, 0]).astype(np.float32)
        for n in (10, 1, 0, 200)
    ]


@pytest.mark.parametrize("block", [7, 1 << 16])
def test_equal_to_the_definition(monkeypatch, block):
    monkeypatch.setattr(normalisation, "_BLOCK", block)
    everything = np.concatenate(arrays()).astype(np.float64)
    statistics = Statistics.fit(arrays())
    np.testing.assert_allclose(statistics.mean, everything.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(statistics.std, everything.std(axis=0), rtol=1e-5)


def test_applied_to_their_own_frames_they_give_mean_0_and_deviation_1():
    statistics = Statistics.fit(arrays())
    together = np.concatenate([statistics.apply(x) for x in arrays()])
    np.testing.assert_allclose(together.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(together.std(axis=0), 1, rtol=1e-4)
    assert together.dtype == np.float32


def test_a_large_offset_does_not_cost_precision():
    """Sums of squares in single precision fail here."""
    x = np.random.default_rng(0).standard_normal((5000, 1)).astype(np.float32) + np.float32(1e4)
    expected = x.astype(np.float64).std()
    assert Statistics.fit([x[:2000], x[2000:]]).std[0] == pytest.approx(expected, rel=1e-6)


def test_a_constant_feature_is_only_centred():
    x = np.full((20, 2), 7.0, np.float32)
    np.testing.assert_array_equal(Statistics.fit([x]).apply(x), np.zeros((20, 2)))


def test_statistics_move_as_those_of_an_utterance_do():
    """Other conditions that shift all features, and that spread them about their means."""
    spoken, shift = arrays(), np.array([3, -7, 2], np.float32)
    statistics, one = Statistics.fit(spoken), spoken[0]
    moved = statistics.moved(one, one[::-1] + shift)
    expected = Statistics.fit([x + shift for x in spoken])
    np.testing.assert_allclose(moved.mean, expected.mean, rtol=1e-5)
    np.testing.assert_allclose(moved.std, expected.std, rtol=1e-3)
    centre = one.mean(axis=0)
    moved = statistics.moved(one, centre + 2.5 * (one - centre))
    np.testing.assert_allclose(moved.mean, statistics.mean, rtol=1e-4)
    np.testing.assert_allclose(moved.std, 2.5 * statistics.std, rtol=1e-3)


def test_save_and_load(tmp_path):
    statistics = Statistics.fit(arrays())
    statistics.save(tmp_path / "normalisation.safetensors")
    again = Statistics.load(tmp_path / "normalisation.safetensors")
    np.testing.assert_array_equal(again.mean, statistics.mean)
    np.testing.assert_array_equal(again.std, statistics.std)


def test_errors(tmp_path):
    statistics = Statistics.fit(arrays())
    with pytest.raises(InputError, match="of 3 features, but the input has 4"):
        statistics.apply(np.zeros((2, 4)))
    with pytest.raises(InputError, match="no frames"):
        Statistics.fit([np.zeros((0, 3))])
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="NaN or infinite"):
            Statistics.fit([np.array([[1.0], [bad]])])
    path = tmp_path / "statistics.safetensors"
    with pytest.raises(InputError, match="no such file"):
        Statistics.load(path)
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match=r"statistics\.safetensors: not normalisation"):
        Statistics.load(path)
