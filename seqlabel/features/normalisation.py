"""Mean and variance normalisation: by utterance, speaker, training set, or running.

Statistics of the training set belong to the model and are saved with it; those of an utterance or
of a speaker are computed from the frames they are applied to. Running statistics start with those
of the training set and are updated frame by frame, which suits streams.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from seqlabel.errors import InputError
from seqlabel.files import whole_file

_BLOCK = 1 << 16  # frames taken at a time, so that float64 copies stay small

LEAST_STD = 1e-5
"""Minimum deviation; features that vary less are only centred."""

PRIOR_FRAMES = 200
"""Weight of the training set in running statistics, in frames: 2 s at 10 ms."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """mean, std: (F,) float32. `apply` normalises features to mean 0 and standard deviation 1."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, arrays: Iterable[np.ndarray]) -> "Statistics":
        """Statistics over all frames of some (T, F) arrays, computed in float64.

        Raises InputError if there is no frame, and for features that are NaN or infinite.
        """
        count, mean, square = 0, np.zeros(0), np.zeros(0)
        blocks = (x[n : n + _BLOCK] for x in arrays for n in range(0, len(x), _BLOCK))
        for x in blocks:
            if not np.isfinite(x).all():
                raise InputError("normalisation: features that are NaN or infinite")
            mean_x, square_x = x.mean(axis=0, dtype=np.float64), x.var(axis=0, dtype=np.float64)
            if not count:
                mean, square = np.zeros_like(mean_x), np.zeros_like(square_x)
            # Chan, Golub & LeVeque 1979: join sums of squares about two means without cancellation.
            total = count + len(x)
            shift = mean_x - mean
            mean = mean + shift * (len(x) / total)
            square = square + square_x * len(x) + shift**2 * (count * len(x) / total)
            count = total
        if not count:
            raise InputError("normalisation: no frames")
        std = np.sqrt(square / count)
        std[std < LEAST_STD * np.maximum(1.0, np.abs(mean))] = 1.0
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """(T, F) -> (T, F) float32; InputError if F is not that of the statistics."""
        _check_width(x, self.mean)
        return np.asarray((x - self.mean) / self.std, dtype=np.float32)

    def moved(self, plain: np.ndarray, changed: np.ndarray) -> "Statistics":
        """The statistics under other conditions of recording, estimated from one utterance.

        plain, changed: (T, F) and (T', F) features of the utterance as it is and under the other
        conditions. The means are shifted as those of the utterance, and the deviations scaled.
        """
        before, after = Statistics.fit([plain]), Statistics.fit([changed])
        mean, std = self.mean + after.mean - before.mean, self.std * (after.std / before.std)
        return Statistics(mean, std)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with `mean` and `std`, whole or not at all."""
        with whole_file(path, "wb") as stream:
            stream.write(save({"mean": self.mean, "std": self.std}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Statistics":
        """Read the output of `save`; raises InputError that names the file for anything else."""
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file; the model directory is incomplete")
        try:
            arrays = load_file(path)
            mean, std = arrays["mean"], arrays["std"]
        except (SafetensorError, KeyError) as error:
            raise InputError(
                f"{path}: not normalisation statistics ({error}); train the model again"
            ) from None
        if mean.ndim != 1 or mean.shape != std.shape or not (std > 0).all():
            raise InputError(f"{path}: mean and std do not fit; train the model again")
        return cls(mean.astype(np.float32), std.astype(np.float32))


class RunningStatistics:
    """Statistics of the frames so far, each frame itself included.

    With m, s those of the training set, d = x - m and N = PRIOR_FRAMES, frame t is normalised with

        mean   m + (d_0 + ... + d_t) / (N + t + 1)
        var    (N s² + d_0² + ... + d_t²) / (N + t + 1) - (mean - m)²

    as if N frames with the training set's statistics came first. The sums are computed in float64,
    frame by frame, so that the result does not depend on pieces, bit for bit.
    """

    def __init__(self, training: Statistics) -> None:
        self._mean = training.mean.astype(np.float64)
        self._count = PRIOR_FRAMES
        self._sum = np.zeros_like(self._mean)
        self._square = PRIOR_FRAMES * training.std.astype(np.float64) ** 2

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The next frames (T, F) -> (T, F) float32; InputError if F differs."""
        _check_width(x, self._mean)
        if not len(x):
            return np.asarray(x, dtype=np.float32)
        d = x.astype(np.float64) - self._mean
        sums = np.cumsum(np.concatenate([self._sum[None], d]), axis=0)[1:]
        squares = np.cumsum(np.concatenate([self._square[None], d**2]), axis=0)[1:]
        counts = (self._count + np.arange(1.0, len(x) + 1))[:, None]
        shift = sums / counts
        std = np.sqrt(squares / counts - shift**2)
        self._count, self._sum, self._square = self._count + len(x), sums[-1], squares[-1]
        return np.asarray((d - shift) / std, dtype=np.float32)


def _check_width(x: np.ndarray, mean: np.ndarray) -> None:
    if x.shape[-1] != len(mean):
        raise InputError(
            f"normalisation of {len(mean)} features, but the input has {x.shape[-1]}; "
            "use the features of the training"
        )
