"""Target values of every frame for regression."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqlabel.corpora.manifest import Utterance
from seqlabel.errors import InputError
from seqlabel.features.normalisation import LEAST_STD
from seqlabel.inputs.series import read_values


@dataclass(frozen=True)
class ValueTargets:
    """Where the target values of a frame come from.

    kind: "file" reads the array that the manifest names as `target`, one row per extracted frame;
    "next" takes the frame `ahead` frames later (stacked, if the front end stacks frames).
    ahead: also for "file": a value is known `ahead` frames after its own, when persistence can
    repeat it. size: D, values per frame; 0 accepts any.
    """

    kind: Literal["file", "next"] = "file"
    size: int = 0
    ahead: int = 1

    def of(self, utterance: Utterance, frames: np.ndarray, stride: int = 1) -> np.ndarray:
        """(T, D) float32 target values for the frames (T, F) of an utterance; NaN if unknown.

        stride: extracted frames per frame. Raises InputError naming the utterance if its target is
        missing or has another length or another D.
        """
        if self.kind == "next":
            values = np.full(frames.shape, np.nan, np.float32)
            later = frames[self.ahead :]
            values[: len(later)] = later
            return values
        if utterance.target is None:
            raise InputError(
                f"{utterance.id}: no target; criterion.target = 'file' needs `target` in the "
                "manifest, an array with one row per frame"
            )
        rows = read_values(utterance.target)
        if -(-len(rows) // stride) != len(frames):
            raise InputError(
                f"{utterance.id}: {len(rows)} rows in {utterance.target}, but the signal has "
                f"{len(frames)} frames{f' of {stride} rows each' if stride > 1 else ''}"
            )
        if self.size and rows.shape[1] != self.size:
            raise InputError(
                f"{utterance.id}: {rows.shape[1]} values per row of {utterance.target}, but "
                f"criterion.size in the configuration is {self.size}"
            )
        return rows[::stride]

    def before(self, frames: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(T, D) predictions by persistence: for each of `values` (T, D), the last known one.

        For "next" this is the frame itself, for "file" the row `ahead` frames before (NaN if there
        is none).
        """
        if self.kind == "next":
            return frames
        earlier = np.full_like(values, np.nan)
        earlier[self.ahead :] = values[: max(0, len(values) - self.ahead)]
        return earlier


def value_statistics(arrays: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) float64 of all known values of some (T, D) arrays.

    Nearly constant values have a deviation of 1. Raises InputError if a column has no value.
    """
    # Sums relative to the mean of the first array, to avoid cancellation.
    count = total = square = origin = np.zeros(0)
    for values in arrays:
        x = values.astype(np.float64)
        known = np.isfinite(x)
        if not len(origin):
            origin = np.where(known, x, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            count, total, square = (np.zeros(x.shape[1]) for _ in range(3))
        d = np.where(known, x - origin, 0.0)
        count, total, square = count + known.sum(0), total + d.sum(0), square + (d**2).sum(0)
    if not len(count) or not count.all():
        raise InputError("targets: a column without any known value; leave it out")
    shift = total / count
    mean, std = origin + shift, np.sqrt(np.maximum(square / count - shift**2, 0))
    std[std < LEAST_STD * np.maximum(1.0, np.abs(mean))] = 1.0
    return mean, std
