"""Extracted features on disk, mapped into memory and used by all trainings."""

import contextlib
import json
from array import array
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.corpora.manifest import Utterance
from seqlabel.data.arrays import growing_array, map_array
from seqlabel.data.index import Utterances
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import extractor_table
from seqlabel.features.normalisation import Statistics
from seqlabel.files import fingerprint, whole_folder, write_json
from seqlabel.inputs.shards import signal_file

FORMAT = 2
"""Increase when the values of an extractor change, so that stores on disk are rebuilt."""

CHECKED = 10_000
"""Signals whose size and time are compared with a store; of more, an even selection."""


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """Features of N utterances, mapped from the files of a folder.

    spans: (N, 2) first and last (exclusive) row of each utterance in x (frames, F) float32 and in
    times (frames,), the start of every frame in seconds. period: nominal length of a frame.
    heights: (N,) rows of images where they differ (`Frames.height`), 0 for none; None for other
    signals.
    """

    folder: Path
    spans: np.ndarray
    x: np.ndarray
    times: np.ndarray
    period: float
    heights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, n: int) -> np.ndarray:
        """(T_n, F) features of utterance n."""
        start, end = self.spans[n]
        return self.x[start:end]

    def frames(self, n: int) -> Frames:
        """Features and times of utterance n."""
        start, end = self.spans[n]
        height = 0 if self.heights is None else int(self.heights[n])
        return Frames(self.x[start:end], self.times[start:end], self.period, height=height or None)

    def frame_count(self, n: int) -> int:
        """T_n."""
        return int(self.spans[n, 1] - self.spans[n, 0])

    @property
    def lengths(self) -> np.ndarray:
        """(N,) T_n of every utterance."""
        return self.spans[:, 1] - self.spans[:, 0]

    def statistics(self) -> Statistics:
        """Mean and deviation of every feature over all frames; kept beside them once computed."""
        path = self.folder / "statistics.safetensors"
        if path.is_file():
            with contextlib.suppress(InputError):  # a damaged file is rewritten
                return Statistics.load(path)
        statistics = Statistics.fit([self.x])
        with contextlib.suppress(FileNotFoundError):  # another process is replacing the folder
            statistics.save(path)
        return statistics


def store_path(folder: Path, name: str, extractor: Any, utterances: Utterances) -> Path:
    """The path of the store of these utterances and this extractor; other options, other name.

    The files of `CHECKED` utterances are examined, so that changed signals have another name too.
    """
    parts = [str(FORMAT), json.dumps(extractor_table(extractor), sort_keys=True)]
    parts.append(utterances.sources)
    for n in range(0, len(utterances), -(-len(utterances) // CHECKED)):
        utterance = utterances[n]
        try:
            status = signal_file(utterance.source).stat()
        except (OSError, ValueError):  # ValueError: a zero byte in the name
            raise InputError(
                f"{utterance.source}: no such file (utterance {utterance.id})"
            ) from None
        parts += [str(status.st_size), str(status.st_mtime_ns)]
    return folder / f"{name}-{fingerprint(parts)}.features"


def open_store(path: Path) -> FeatureStore | None:
    """Map a store into memory, or None if there is none or an unfinished one."""
    try:
        meta = json.loads((path / "store.json").read_text(encoding="utf-8"))
        spans, x, times = (map_array(path / f"{name}.npy") for name in ("spans", "x", "times"))
        if x.ndim != 2 or len(x) != len(times) or spans[-1, 1] > len(x):
            return None
        there = "heights" in meta and meta["heights"]
        heights = map_array(path / "heights.npy") if there else None
        if heights is not None and len(heights) != len(spans):
            return None
        return FeatureStore(path, spans, x, times, float(meta["period"]), heights)
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def build_store(
    path: Path,
    utterances: Iterable[Utterance],
    extract: Callable[[Utterance], Frames],
) -> FeatureStore:
    """Extract the features of all utterances into `path` (whole or not at all) and map them."""
    ends, heights = array("q", [0]), array("q")
    period = 0.0
    with whole_folder(path) as folder:
        with ExitStack() as stack:
            x = stack.enter_context(growing_array(folder / "x.npy", "<f4"))
            times = stack.enter_context(growing_array(folder / "times.npy", "<f8"))
            for utterance in utterances:
                frames = extract(utterance)
                if not np.isfinite(frames.x).all():
                    raise InputError(
                        f"{utterance.source}: features are NaN or infinite; check the file"
                    )
                x(frames.x)
                times(frames.times)
                period = frames.period
                ends.append(ends[-1] + len(frames.x))
                heights.append(frames.height or 0)
            borders = np.frombuffer(ends, np.int64)
            spans = stack.enter_context(growing_array(folder / "spans.npy", "<i8"))
            spans(np.stack([borders[:-1], borders[1:]], axis=1))
            if any(heights):
                rows = stack.enter_context(growing_array(folder / "heights.npy", "<i8"))
                rows(np.frombuffer(heights, np.int64))
        write_json(folder / "store.json", {"period": period, "heights": any(heights)})
        # Mapped before others see it: a process that starts at the same time may replace it.
        store = open_store(folder)
        assert store is not None
    return replace(store, folder=path)
