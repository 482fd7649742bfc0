"""The arrays of a manifest's index, made in one pass over its lines."""

import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.corpora.manifest import STRETCH, check_row
from seqlabel.errors import InputError
from seqlabel.files import fingerprint, read_jsonl_places
from seqlabel.progress import progress_bar

ARRAYS = {"starts": "<i8", "bounds": "<i8", "needed": "<i4", "speakers": "<i4", "labels": "<i4"}
"""Name -> type of each, see `seqlabel.data.index`."""

_CHUNK = 1 << 15  # utterances gathered before they are handed on


class _Numbers(dict[str, int]):
    """Numbers strings in the order of their first occurrence."""

    def __missing__(self, name: str) -> int:
        self[name] = number = len(self)
        return number


class ManifestReader:
    """Yields (name of an array, next part of it) for all arrays of the index of a manifest.

    Raises InputError as `read_manifest` does, for an id that occurs twice after the last line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.symbols, self.speakers, self.kinds = _Numbers(), _Numbers(), set[str]()
        # One for each column, so that they do not depend on how the lines are gathered.
        self._digests = {name: hashlib.sha256() for name in ("ids", "sources", "counts", "labels")}
        self._hashes = array("q")  # of the ids: ten million strings would take a gigabyte

    def facts(self) -> dict[str, Any]:
        """The contents of the index besides its arrays, after all of these."""
        return {
            "symbols": list(self.symbols),
            "kinds": sorted(self.kinds),
            "content": fingerprint(
                [*map(self._digest, ("ids", "counts", "labels")), *self.symbols]
            ),
            "sources": fingerprint(map(self._digest, ("ids", "sources"))),
        }

    def _digest(self, column: str) -> str:
        return self._digests[column].hexdigest()

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        starts, counts, speakers = (array(code) for code in "qqi")
        names: list[str] = []
        sources: list[str] = []
        labels: list[str] = []
        end = 0

        def parts() -> Iterator[tuple[str, np.ndarray]]:
            nonlocal end
            sizes = np.array(counts, np.int64)
            numbers = np.fromiter(map(self.symbols.__getitem__, labels), np.int32, len(labels))
            ends = end + np.cumsum(sizes)
            yield "starts", np.array(starts, np.int64)
            yield "speakers", np.array(speakers, np.int32)
            yield "labels", numbers
            yield "bounds", ends
            yield "needed", needed_frames(numbers, sizes)
            end = int(ends[-1])
            for column, strings in (("ids", names), ("sources", sources)):
                joined = "\0".join([*strings, ""])
                self._digests[column].update(joined.encode("utf-8", "surrogatepass"))
            self._digests["counts"].update(sizes.tobytes())
            self._digests["labels"].update(numbers.tobytes())
            for gathered in (starts, counts, labels, speakers, names, sources):
                del gathered[:]

        yield "bounds", np.zeros(1, np.int64)
        place = str(self.path)
        lines = progress_bar(read_jsonl_places(self.path), f"indexing {self.path.name}")
        for number, start, row in lines:
            check_row(row, f"{place}:{number}")
            name, symbols, speaker = row["id"], row["labels"], row.get("speaker", "")
            starts.append(start)
            counts.append(len(symbols))
            labels += symbols
            speakers.append(self.speakers[speaker] if speaker else -1)
            self.kinds.add(row["kind"])
            self._hashes.append(hash(name))
            names.append(name)
            stretch = [str(row[key]) for key in STRETCH if key in row]
            sources.append(" ".join([row["source"], *stretch]))
            if len(starts) == _CHUNK:
                yield from parts()
        if starts:
            yield from parts()
        yield "starts", np.array([self.path.stat().st_size], np.int64)
        self._check_ids()

    def _check_ids(self) -> None:
        """InputError for ids that occur twice; those of equal hashes are read and compared."""
        hashes = np.frombuffer(self._hashes, np.int64) if self._hashes else np.zeros(0, np.int64)
        ordered = np.sort(hashes)
        equal = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(equal):
            return
        wanted = set(np.flatnonzero(np.isin(hashes, equal)).tolist())
        seen: dict[str, int] = {}
        for n, (number, _, row) in enumerate(read_jsonl_places(self.path)):
            if n in wanted and seen.setdefault(row["id"], number) != number:
                raise InputError(
                    f"{self.path}:{number}: id {row['id']!r} is also on line "
                    f"{seen[row['id']]}; ids must be unique"
                )


def needed_frames(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(N,) frames that CTC needs for rows of `counts` labels: `required_frames` of each row."""
    repeats = np.zeros(len(labels) + 1, np.int64)
    repeats[1:-1] = labels[1:] == labels[:-1]  # at the place of the later one
    ends = np.cumsum(counts)
    repeats[(ends - counts)[counts > 0]] = 0  # a row's first label repeats nothing
    before = np.concatenate([[0], np.cumsum(repeats)])
    return counts + before[ends] - before[ends - counts]
