"""stroke-3 and stroke-5, the arrays of pen offsets used by sketch-rnn and related projects.

Ha & Eck 2017, "A Neural Representation of Sketch Drawings", section 3.1. The formats have no times.
"""

import io
import os

import numpy as np
from numpy.typing import ArrayLike

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.reading import naming


def to_stroke3(ink: Ink) -> np.ndarray:
    """(N, 3) float64 rows dx, dy, lift; lift is 1 on the last point of each stroke.

    The first row is the offset of the first point from the origin.
    """
    rows = np.zeros((len(ink), 3))
    rows[:, :2] = np.diff(ink.points[:, :2], axis=0, prepend=0.0)
    rows[ink.offsets[1:] - 1, 2] = 1
    return rows


def from_stroke3(rows: ArrayLike) -> Ink:
    """Ink from rows (N, 3) dx, dy, lift; points after the last lift form a final stroke.

    Raises InputError for another shape and for a lift that is neither 0 nor 1.
    """
    array = _rows(rows, 3)
    lift = array[:, 2]
    if not np.isin(lift, (0, 1)).all():
        raise InputError("stroke-3: the third column (lift) holds other values than 0 and 1")
    points = np.cumsum(array[:, :2], axis=0)
    cuts = np.flatnonzero(lift) + 1
    return Ink([stroke for stroke in np.split(points, cuts) if len(stroke)])


def to_stroke5(ink: Ink) -> np.ndarray:
    """(N + 1, 5) float64 rows dx, dy and one of draw, lift, end; the last row is the end."""
    rows = to_stroke3(ink)
    states = np.zeros((len(rows) + 1, 5))
    states[:-1, :2] = rows[:, :2]
    states[:-1, 2], states[:-1, 3] = 1 - rows[:, 2], rows[:, 2]
    states[-1, 4] = 1
    return states


def from_stroke5(rows: ArrayLike) -> Ink:
    """Ink from rows (N, 5) up to the first end mark, or from all rows without one.

    Raises InputError for another shape and for rows without exactly one of the three states.
    """
    array = _rows(rows, 5)
    states = array[:, 2:]
    if not (np.isin(states, (0, 1)).all() and (states.sum(axis=1) == 1).all()):
        raise InputError("stroke-5: columns 3 to 5 must hold a single 1 (draw, lift or end)")
    ends = np.flatnonzero(states[:, 2])
    drawn = array[: ends[0]] if len(ends) else array
    if not len(drawn):
        raise InputError("stroke-5: the end comes before the first point")
    return from_stroke3(drawn[:, [0, 1, 3]])


def _rows(rows: ArrayLike, columns: int) -> np.ndarray:
    try:
        array = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"stroke-{columns}: not an array of numbers") from None
    if array.ndim != 2 or array.shape[1] != columns or not len(array):
        raise InputError(f"stroke-{columns}: shape {array.shape}, (points, {columns}) is expected")
    return array


def ink_of_numpy(data: bytes, name: str | os.PathLike[str]) -> Ink:
    """The ink of an .npy file, or of an .npz file with a single array, of 3 or 5 columns.

    Raises InputError for anything else, including pickled objects such as sketch-rnn's corpora.
    """
    with naming(name):
        try:
            loaded = np.load(io.BytesIO(data), allow_pickle=False)
            arrays = [loaded[key] for key in loaded] if hasattr(loaded, "files") else [loaded]
        except Exception as error:  # numpy, zipfile and zlib have no common error
            raise InputError(
                f"not a plain NumPy array ({error}); save one sketch with numpy.save"
            ) from None
        if len(arrays) != 1:
            raise InputError(f"{len(arrays)} arrays; one sketch per file is expected")
        array = arrays[0]
        if array.ndim == 2 and array.shape[1] == 5:
            return from_stroke5(array)
        return from_stroke3(array)


def write_stroke3(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write `to_stroke3` as an .npy file."""
    with whole_file(path, "wb") as stream:
        np.save(stream, to_stroke3(ink), allow_pickle=False)


def write_stroke5(path: str | os.PathLike[str], ink: Ink) -> None:
    """Write `to_stroke5` as an .npy file."""
    with whole_file(path, "wb") as stream:
        np.save(stream, to_stroke5(ink), allow_pickle=False)
