"""The index of a manifest: arrays on disk, so that lines are read only when they are used.

The index is a folder `features/NAME.index` beside the manifest. It is written on first use, and
again when the manifest has changed.
"""

import json
import os
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import overload

import numpy as np

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.corpora.manifest import Utterance, utterance_from
from seqlabel.data.arrays import growing_array, map_array
from seqlabel.data.index_arrays import ARRAYS, ManifestReader
from seqlabel.errors import InputError
from seqlabel.files import parse_object, whole_folder, write_json

FORMAT = 1
"""Increase when the contents of the index change, so that those on disk are rebuilt."""

_CHUNK = 1 << 20  # labels looked through at a time


class Utterances(Sequence[Utterance]):
    """N utterances of a manifest, each read from its line when it is used.

    starts: (N+1,) first byte of each line. labels: (L,) numbers into `symbols`, those of utterance
    n from bounds[n] to bounds[n+1]. needed: (N,) frames that CTC needs for the labels.
    speakers: (N,) the same number for the same name, -1 without one.
    kinds: of the signals. content: digest of ids and labels; sources: of ids and sources.
    """

    def __init__(self, path: Path, folder: Path, descriptor: int) -> None:
        meta = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        if meta["manifest"] != _identity(os.fstat(descriptor)) or meta["format"] != FORMAT:
            raise ValueError("the index is of another manifest")
        self.path = path
        self.starts, self.bounds, self.needed, self.speakers, self.labels = (
            map_array(folder / f"{name}.npy") for name in ARRAYS
        )
        if not len(self.starts) == len(self.bounds) == len(self.needed) + 1:
            raise ValueError("the index is incomplete")
        self.symbols: list[str] = meta["symbols"]
        self.kinds: list[str] = meta["kinds"]
        self.content: str = meta["content"]
        self.sources: str = meta["sources"]
        self._folder = path.resolve().parent
        self._descriptor = descriptor

    def __len__(self) -> int:
        return len(self.needed)

    @overload
    def __getitem__(self, n: int) -> Utterance: ...
    @overload
    def __getitem__(self, n: slice) -> list[Utterance]: ...
    def __getitem__(self, n: int | slice) -> Utterance | list[Utterance]:
        if isinstance(n, slice):
            return [self[k] for k in range(*n.indices(len(self)))]
        n = range(len(self))[n]
        start, end = int(self.starts[n]), int(self.starts[n + 1])
        where = f"{self.path} at byte {start}"
        line = os.pread(self._descriptor, end - start, start)
        return utterance_from(parse_object(line, where), self._folder, where)

    def encoded(self, alphabet: Alphabet, unseen: bool = False) -> "EncodedLabels":
        """The labels as indices of an alphabet.

        The first label that it lacks raises InputError; with `unseen` such labels are 0, the index
        of the blank.
        """
        table = np.array(
            [alphabet.encode([s])[0] if s in alphabet else BLANK for s in self.symbols],
            dtype=np.int64,
        )
        if (table == BLANK).any() and not unseen:
            unknown = np.flatnonzero(table == BLANK)
            for start in range(0, len(self.labels), _CHUNK):
                found = np.flatnonzero(np.isin(self.labels[start : start + _CHUNK], unknown))
                if len(found):
                    place = start + int(found[0])
                    first = self[int(np.searchsorted(self.bounds, place, "right")) - 1]
                    alphabet.encode(first.labels, first.id)
        return EncodedLabels(self.labels, self.bounds, table)


class EncodedLabels(Sequence[list[int]]):
    """Alphabet indices of the labels of N utterances, looked up when they are used.

    lacking: whether labels may be 0 because they are not in the alphabet.
    """

    def __init__(self, labels: np.ndarray, bounds: np.ndarray, table: np.ndarray) -> None:
        self._labels, self._bounds, self._table = labels, bounds, table
        self.lacking = bool((table == BLANK).any())

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @overload
    def __getitem__(self, n: int) -> list[int]: ...
    @overload
    def __getitem__(self, n: slice) -> list[list[int]]: ...
    def __getitem__(self, n: int | slice) -> list[int] | list[list[int]]:
        if isinstance(n, slice):
            return [self[k] for k in range(*n.indices(len(self)))]
        n = range(len(self))[n]
        return self._table[self._labels[self._bounds[n] : self._bounds[n + 1]]].tolist()


def open_utterances(path: Path) -> Utterances:
    """The utterances of a manifest by its index, which is built if missing or out of date.

    Raises InputError as `read_manifest` does for errors in the manifest.
    """
    folder = path.resolve().parent / "features" / f"{path.stem}.index"
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    try:
        try:
            utterances = Utterances(path, folder, descriptor)
        except (OSError, ValueError, KeyError, TypeError):
            utterances = _with_new_index(path, folder, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    weakref.finalize(utterances, os.close, descriptor)
    return utterances


def _identity(status: os.stat_result) -> list[int]:
    """Identifies a file and its state, to detect that it was replaced or overwritten."""
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _with_new_index(path: Path, folder: Path, descriptor: int) -> Utterances:
    identity = _identity(os.fstat(descriptor))
    with whole_folder(folder) as new:
        with ExitStack() as stack:
            arrays = {
                name: stack.enter_context(growing_array(new / f"{name}.npy", dtype))
                for name, dtype in ARRAYS.items()
            }
            reader = ManifestReader(path)
            for name, part in reader:
                arrays[name](part)
        write_json(new / "index.json", {**reader.facts(), "format": FORMAT, "manifest": identity})
        try:
            if _identity(os.stat(path)) != identity:
                raise ValueError("another file has its name")
            # Mapped before others see it: a process that starts at the same time may replace it.
            return Utterances(path, new, descriptor)
        except ValueError:
            raise InputError(f"{path}: changed while it was read; try again later") from None
