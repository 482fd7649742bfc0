"""Feature extraction from input in pieces: windows, derivatives, normalisation, stacking.

Every stage has `push`, which takes new rows and returns those that they determine, and `finish`,
which returns the rest. Together these equal, bit for bit, the output of the function for whole
signals.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from seqlabel.features.deltas import add_deltas
from seqlabel.features.normalisation import RunningStatistics, Statistics
from seqlabel.inputs.audio import Audio


class Stage(Protocol):
    """Rows (n, F) in, rows (m, F') out."""

    def push(self, x: np.ndarray) -> np.ndarray: ...

    def finish(self) -> np.ndarray: ...


class Windows:
    """Samples -> features without derivatives (`extractor.static`), a frame per whole window."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        self._kept = np.zeros(0, np.float32)
        self.dim = extractor.dim // (extractor.deltas + 1)
        """F of its frames."""
        self._skip = 0  # samples that no window holds, where the step is longer than the window

    def push(self, x: np.ndarray) -> np.ndarray:
        """x: (n,) samples, float or int16, n may be 0. InputError as in `Audio`."""
        rate, step = self._extractor.rate, self._extractor.step_samples
        if x.ndim != 1 or len(x):
            samples = Audio(x, rate).samples
            self._kept = np.concatenate([self._kept, samples[self._skip :]])
            self._skip = max(0, self._skip - len(samples))
        count = self._extractor.count(len(self._kept))
        if not count:
            return self._nothing()
        features = self._extractor.static(Audio(self._kept, rate))
        self._skip = max(0, count * step - len(self._kept))
        self._kept = self._kept[count * step :].copy()
        return features

    def finish(self) -> np.ndarray:
        """Nothing, because the rest is shorter than a window."""
        return self._nothing()

    def _nothing(self) -> np.ndarray:
        return np.zeros((0, self.dim), np.float32)


class Deltas:
    """`add_deltas`: a frame waits for order * window later frames."""

    def __init__(self, dim: int, order: int, window: int) -> None:
        self._order, self._window, self._reach = order, window, order * window
        self._kept = np.zeros((0, dim), np.float32)  # not yet given out, and `reach` before them
        self._given = 0  # of those kept

    def push(self, x: np.ndarray) -> np.ndarray:
        """x: (n, F)."""
        self._kept = np.concatenate([self._kept, x])
        return self._give(max(self._given, len(self._kept) - self._reach))

    def finish(self) -> np.ndarray:
        """The remaining frames, with the last one repeated after them."""
        return self._give(len(self._kept))

    def _give(self, end: int) -> np.ndarray:
        ready = add_deltas(self._kept, self._order, self._window)[self._given : end]
        start = max(0, end - self._reach)
        self._kept, self._given = self._kept[start:].copy(), end - start
        return ready


class Normalisation:
    """Statistics that are known before the signal, or running ones."""

    def __init__(self, dim: int, statistics: Statistics | RunningStatistics) -> None:
        self._dim, self._statistics = dim, statistics

    def push(self, x: np.ndarray) -> np.ndarray:
        """x: (n, F)."""
        return self._statistics.apply(x)

    def finish(self) -> np.ndarray:
        """Nothing."""
        return np.zeros((0, self._dim), np.float32)


class Stacking:
    """`stack_frames`: a stack waits for its last frame, or for the end."""

    def __init__(self, dim: int, size: int, stride: int) -> None:
        self._size, self._stride = size, stride
        self._kept = np.zeros((0, dim), np.float32)

    def push(self, x: np.ndarray) -> np.ndarray:
        """x: (n, F)."""
        self._kept = np.concatenate([self._kept, x])
        return self._give(max(0, (len(self._kept) - self._size) // self._stride + 1))

    def finish(self) -> np.ndarray:
        """The incomplete stacks, filled with the last frame."""
        return self._give(-(-len(self._kept) // self._stride))

    def _give(self, count: int) -> np.ndarray:
        first = np.arange(count) * self._stride
        chosen = np.minimum(first[:, None] + np.arange(self._size), len(self._kept) - 1)
        ready = self._kept[chosen].reshape(count, self._size * self._kept.shape[1])
        self._kept = self._kept[count * self._stride :].copy()
        return ready


class Chain:
    """Stages one after the other; the first takes the input."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    def push(self, x: np.ndarray) -> np.ndarray:
        """The output of the last stage."""
        for stage in self._stages:
            x = stage.push(x)
        return x

    def finish(self) -> np.ndarray:
        """The rest of every stage, passed through the later ones."""
        first, *others = self._stages
        rest = first.finish()
        for stage in others:
            rest = np.concatenate([stage.push(rest), stage.finish()])
        return rest
