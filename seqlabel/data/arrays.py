"""Arrays on disk: written piece by piece, mapped into memory rather than read."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.lib import format as npy


@contextlib.contextmanager
def growing_array(path: Path, dtype: str) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a `.npy` file by appending parts (n, ...) of one shape; without any it is (0,)."""
    count, shape = 0, ()

    def header() -> None:
        # The header leaves room for a longer first axis, so that its size stays the same.
        description = {"descr": dtype, "fortran_order": False, "shape": (count, *shape)}
        npy.write_array_header_1_0(stream, description)

    def append(part: np.ndarray) -> None:
        nonlocal count, shape
        if not count:
            shape = part.shape[1:]
            stream.seek(0)
            header()
        if part.size:
            stream.write(np.ascontiguousarray(part, dtype).data)
        count += len(part)

    with open(path, "wb") as stream:
        header()
        yield append
        stream.seek(0)
        header()
        stream.flush()
        os.fsync(stream.fileno())


def map_array(path: Path) -> np.ndarray:
    """An array of a `.npy` file, mapped; OSError or ValueError if it is incomplete."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except EOFError:
        raise ValueError(f"{path}: empty") from None
    # A plain view: indexing a memmap makes memmaps of single rows, which is slow.
    return array.view(np.ndarray)
