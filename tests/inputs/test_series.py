"""Series: .npy files whose rows are frames."""

import numpy as np
import pytest

from seqlabel.data.values import ValueTargets, value_statistics
from seqlabel.errors import InputError
from seqlabel.features.series import SeriesRows
from seqlabel.inputs import Series, read_series
from seqlabel.inputs.series import read_values, write_values


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "u1", "?", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_every_kind_become_rows(dtype, order, tmp_path):
    values = np.asarray(np.arange(24).reshape(4, 2, 3) % 2, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    found = read_series(tmp_path / "a.npy")
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, values.reshape(4, 6).astype(np.float32))
    frames = SeriesRows(6, period=0.5)(found)
    assert frames.times.tolist() == [0, 0.5, 1, 1.5]
    assert frames.x.shape == (4, 6)


def test_a_column_may_go_without_its_axis(tmp_path):
    write_values(tmp_path / "a.npy", np.arange(5.0))
    assert read_series(tmp_path / "a.npy").values.shape == (5, 1)


def test_what_is_not_known_is_for_targets_alone(tmp_path):
    write_values(tmp_path / "a.npy", np.array([1.0, np.nan]))
    assert np.isnan(read_values(tmp_path / "a.npy")).sum() == 1
    with pytest.raises(InputError, match=r"a\.npy: values that are NaN or infinite"):
        read_series(tmp_path / "a.npy")


def cut(path):
    np.save(path, np.zeros((4, 3)))
    path.write_bytes(path.read_bytes()[:-5])


def huge(path):
    np.save(path, np.zeros((4, 3)))
    path.write_bytes(path.read_bytes().replace(b"(4, 3)", b"(4, 3" + b"0" * 11 + b")"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.write_bytes(b""), "the file is empty"),
        (lambda p: p.write_text("1 2 3"), "not a .npy file"),
        (cut, "cut off or damaged"),
        (huge, "not a .npy file|cut off or damaged"),
        (lambda p: np.save(p, np.zeros((0, 3))), r"shape \(0, 3\)"),
        (lambda p: np.save(p, np.float64(3)), r"shape \(\)"),
        (lambda p: np.save(p, np.array(["a"])), "must be numbers"),
        (lambda p: np.save(p, np.zeros(3, complex)), "must be numbers"),
        (lambda p: np.save(p, np.array([{}]), allow_pickle=True), "must be numbers"),
        (lambda p: np.save(p, np.array([1.0, np.inf])), "infinite"),
        (lambda p: np.save(p, np.array([1e300])), "infinite"),
    ],
)
def test_files_that_are_none_are_refused_in_one_line(make, message, tmp_path):
    path = tmp_path / "a.npy"
    make(path)
    for read in (read_series, read_values):
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_rows_of_another_width_are_refused():
    with pytest.raises(InputError, match=r"3 values per row, but features\.size .* is 2"):
        SeriesRows(2)(Series(np.zeros((4, 3))))
    for options in ({"size": 0}, {"period": 0.0}, {"period": float("nan")}):
        with pytest.raises(InputError):
            SeriesRows(**options)


def test_what_comes_next_ends_before_the_end():
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    for ahead in (1, 3, 4, 9):
        wanted = ValueTargets("next", ahead=ahead)
        values = wanted.of(None, x)
        known = max(0, 4 - ahead)
        np.testing.assert_array_equal(values[:known], x[ahead:])
        assert np.isnan(values[known:]).all()
        assert wanted.before(x, values) is x
    for ahead in (1, 3, 4, 9):
        before = ValueTargets("file", ahead=ahead).before(x, x)
        assert np.isnan(before[:ahead]).all()
        np.testing.assert_array_equal(before[ahead:], x[: max(0, 4 - ahead)])


def test_statistics_are_those_of_what_is_known():
    rng = np.random.default_rng(0)
    arrays = [rng.normal([1e4, -2, 7], [3, 0.5, 0], (n, 3)).astype(np.float32) for n in (5, 9)]
    arrays[0][0] = np.nan
    arrays[1][3:, 0] = np.nan
    mean, std = value_statistics(arrays)
    joined = np.concatenate(arrays).astype(float)
    np.testing.assert_allclose(mean, np.nanmean(joined, axis=0), rtol=1e-9)
    np.testing.assert_allclose(std[:2], np.nanstd(joined, axis=0)[:2], rtol=1e-6)
    assert std[2] == 1
    with pytest.raises(InputError, match="without any known value"):
        value_statistics([np.full((3, 2), np.nan)])
