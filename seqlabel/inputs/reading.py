"""Helpers of all readers: bytes and text of a file, errors that name it, columns of ink."""

import contextlib
import os
from collections.abc import Iterator, Sequence

import numpy as np

from seqlabel.errors import InputError, one_line
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.shards import open_signal


@contextlib.contextmanager
def naming(name: str | os.PathLike[str]) -> Iterator[None]:
    """Put `name` before the message of an InputError raised inside, unless it begins with it."""
    try:
        yield
    except InputError as error:
        prefix = f"{os.fspath(name)}: "
        if str(error).startswith(one_line(prefix)):
            raise
        raise InputError(f"{prefix}{error}") from None


def read_bytes(path: str | os.PathLike[str], blank: bool = False) -> bytes:
    """The content of a file; raises InputError for a missing or unreadable one.

    Also for a file of white space only, unless `blank` is set.
    """
    try:
        with open_signal(path) as stream:
            data = stream.read()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name a file") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read: {cause}") from None
    if not blank and not data.strip():
        raise InputError(f"{path}: the file is empty")
    return data


def as_text(data: bytes, name: str | os.PathLike[str], fallback: str = "") -> str:
    """UTF-8 bytes as text with "\\n" line ends; what is not UTF-8 is read as `fallback` if given.

    Raises InputError naming the first byte that does not fit.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not fallback:
            raise InputError(
                f"{name}: not UTF-8 text at byte {error.start}; convert it, for example with iconv"
            ) from None
        text = data.decode(fallback)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def ink_of_columns(strokes: Sequence[np.ndarray], unit: str = "", times: bool = True) -> Ink:
    """Ink of strokes (P, 4) with the columns x, y, t, pressure, NaN for missing values.

    Times are used if every point has one and `times` is set, pressures if every point has one.
    """
    points = np.concatenate(strokes)
    timed = times and not np.isnan(points[:, 2]).any()
    if not timed:
        points[:, 2] = np.arange(len(points))
    columns = 3 if np.isnan(points[:, 3]).any() else 4
    cuts = np.cumsum([len(stroke) for stroke in strokes])[:-1]
    return Ink(np.split(points[:, :columns], cuts), unit, timed)
