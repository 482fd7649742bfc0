"""Series: an array of numbers from a file, one row for each time step."""

import io
import os
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.lib import format as npy

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.reading import read_bytes

SUFFIX = ".npy"

_LONGEST_HEADER = 10_000


@dataclass(frozen=True, eq=False)
class Series:
    """values: (T, F) float32, one row per time step, at least one; all values are finite."""

    values: np.ndarray

    def __post_init__(self) -> None:
        values = as_rows(self.values)
        if not np.isfinite(values).all():
            raise InputError("the series has values that are NaN or infinite; fill the gaps")
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        """T."""
        return len(self.values)

    @property
    def size(self) -> int:
        """F."""
        return int(self.values.shape[1])


def as_rows(values: np.ndarray) -> np.ndarray:
    """(T, F) float32 from numbers (T,), (T, F) or (T, ...), whose last axes are flattened.

    Raises InputError for an empty array and for types other than numbers.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise InputError(f"a series of {values.dtype}; must be numbers")
    if not values.ndim or not values.size:
        raise InputError(f"a series of shape {values.shape}; must be (T, F), a row per time step")
    rows = values.reshape(len(values), -1)
    with np.errstate(over="ignore"):  # overflow becomes infinite, which the caller checks
        return np.ascontiguousarray(rows, dtype=np.float32)


def read_series(path: str | os.PathLike[str]) -> Series:
    """Read a series from a `.npy` file; InputError names the file."""
    values = read_values(path)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: values that are NaN or infinite; fill the gaps")
    return Series(values)


def read_values(path: str | os.PathLike[str]) -> np.ndarray:
    """(T, F) float32 from a `.npy` file; NaN marks unknown values.

    Raises InputError naming the file if it is missing, cut off, not an array of numbers, or has
    infinite values.
    """
    data = read_bytes(path)
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about headers of Python 2
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    except Exception as error:  # NumPy evaluates the header, so damage can raise any exception
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a .npy file ({reason}); write it with numpy.save") from None
    if dtype.hasobject or dtype.kind not in "fiub":
        raise InputError(f"{path}: an array of {dtype}; must be numbers")
    count = 1
    for length in shape:
        count *= length
    # The header is checked before memory is allocated.
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(data) - stream.tell():
        raise InputError(
            f"{path}: {len(data) - stream.tell()} bytes for an array of shape {shape} of {dtype}; "
            "the file is cut off or damaged"
        )
    values = np.frombuffer(data, dtype, offset=stream.tell())
    values = values.reshape(shape, order="F" if fortran else "C")
    try:
        rows = as_rows(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if np.isinf(rows).any():
        raise InputError(f"{path}: values that are infinite; NaN marks what is not known")
    return rows


def write_values(path: str | os.PathLike[str], values: np.ndarray) -> None:
    """Write an array as a `.npy` file, whole or not at all."""
    with whole_file(path, "wb") as stream:
        np.save(stream, values)
