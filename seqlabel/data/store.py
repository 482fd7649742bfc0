"""Extracted features on disk, mapped into memory: extracted once, whatever is trained on them."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqlabel.corpora.manifest import Utterance
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import Signal, extractor_table
from seqlabel.files import fingerprint, whole_file
from seqlabel.inputs import read_audio, read_ink

FORMAT = 1
"""Raise when an extractor's numbers change, so that stores on disk are made anew."""


def read_signal(utterance: Utterance, extractor: Any) -> Signal:
    """The audio or ink of an utterance as an extractor wants it; InputError names the file.

    Audio comes at the extractor's `rate`, ink without times where its `times` is False.
    """
    wanted = signal_kind(extractor)
    if utterance.kind != wanted:
        raise InputError(
            f"{utterance.id}: {utterance.kind}, where features.kind in the configuration is "
            f"for {wanted}; take the configuration of a recipe for {utterance.kind}"
        )
    if wanted == "speech":
        return read_audio(utterance.source, extractor.rate)
    return read_ink(utterance.source, extractor.times)


def signal_kind(extractor: Any) -> Literal["speech", "ink"]:
    """What an extractor turns into frames."""
    return "speech" if hasattr(extractor, "rate") else "ink"


@dataclass(frozen=True)
class FeatureStore:
    """Features of N utterances, mapped from disk.

    spans: (N, 2) first and last (exclusive) row of each utterance in x (frames, F) float32 and in
    times (frames,), the start of every frame in seconds. period: nominal length of a frame.
    """

    spans: np.ndarray
    x: np.ndarray
    times: np.ndarray
    period: float

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, n: int) -> np.ndarray:
        """(T_n, F) features of utterance n."""
        start, end = self.spans[n]
        return self.x[start:end]

    def frames(self, n: int) -> Frames:
        """Features and times of utterance n."""
        start, end = self.spans[n]
        return Frames(self.x[start:end], self.times[start:end], self.period)

    def frame_count(self, n: int) -> int:
        """T_n."""
        return int(self.spans[n, 1] - self.spans[n, 0])

    @property
    def lengths(self) -> list[int]:
        """T_n of every utterance."""
        return (self.spans[:, 1] - self.spans[:, 0]).tolist()

    def subset(self, keep: Sequence[int]) -> "FeatureStore":
        """Some of the utterances, in the given order; the features are not copied."""
        return replace(self, spans=self.spans[list(keep)])


def store_path(folder: Path, name: str, extractor: Any, utterances: Sequence[Utterance]) -> Path:
    """Where the store of these utterances under this extractor lies; other options, other name."""
    parts = [str(FORMAT), json.dumps(extractor_table(extractor), sort_keys=True)]
    for utterance in utterances:
        try:
            status = utterance.source.stat()
        except OSError:
            raise InputError(
                f"{utterance.source}: no such file (utterance {utterance.id})"
            ) from None
        parts += [utterance.id, str(utterance.source), str(status.st_size), str(status.st_mtime_ns)]
    return folder / f"{name}-{fingerprint(parts)}.features"


def open_store(path: Path) -> FeatureStore | None:
    """Map a store into memory, or None where there is none or an unfinished one."""
    index = path.with_suffix(".json")
    try:
        meta = json.loads(index.read_text(encoding="utf-8"))
        ends = np.cumsum(np.asarray(meta["lengths"], dtype=np.int64))
        frames, width = int(ends[-1]), int(meta["dim"])
        times_at = frames * width * 4
        if path.stat().st_size != times_at + frames * 8:
            return None
        x = np.memmap(path, np.float32, "r", 0, (frames, width))
        times = np.memmap(path, np.float64, "r", times_at, (frames,))
    except (OSError, ValueError, KeyError, IndexError):
        return None
    spans = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1)
    return FeatureStore(spans, x, times, float(meta["period"]))


def build_store(
    path: Path,
    utterances: Sequence[Utterance],
    extract: Callable[[Utterance], Frames],
    progress: Callable[[Iterable[Utterance]], Iterable[Utterance]] = lambda u: u,
) -> FeatureStore:
    """Extract the features of all utterances into `path` (whole or not at all) and map them."""
    lengths: list[int] = []
    times: list[np.ndarray] = []
    width, period = 0, 0.0
    with whole_file(path, "wb") as stream:
        for utterance in progress(utterances):
            frames = extract(utterance)
            if not np.isfinite(frames.x).all():
                raise InputError(
                    f"{utterance.source}: features hold NaN or infinity; check the file"
                )
            width, period = frames.x.shape[1], frames.period
            stream.write(np.ascontiguousarray(frames.x, np.float32).tobytes())
            times.append(frames.times)
            lengths.append(len(frames.x))
        for part in times:
            stream.write(np.ascontiguousarray(part, np.float64).tobytes())
    with whole_file(path.with_suffix(".json")) as stream:
        json.dump({"dim": width, "period": period, "lengths": lengths}, stream)
    store = open_store(path)
    assert store is not None
    return store
