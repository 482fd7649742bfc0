"""The threads that decode a batch, and what each of them does."""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

GROUP_SIZE = 2**20
"""Probabilities, float64, of the utterances that a thread takes at a time, at most."""


class Threads:
    """Up to `count` threads, the calling one included, kept from call to call."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._others: tuple[int, ThreadPoolExecutor] | None = None

    def run(self, work: Callable[[], None], count: int) -> None:
        """Call `work` in `count` threads, and wait for all of them."""
        running = [self._pool().submit(work) for _ in range(min(self.count, count) - 1)]
        work()
        for other in running:
            other.result()

    def _pool(self) -> ThreadPoolExecutor:
        """The other threads; those of a parent process are not ours."""
        if self._others is None or self._others[0] != os.getpid():
            self._others = os.getpid(), ThreadPoolExecutor(self.count - 1)
        return self._others[1]


class Memory:
    """Reused memory for float64 numbers, because fresh memory is slow."""

    def __init__(self) -> None:
        self._numbers = np.empty(0)

    def of(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of any values, valid until the next call."""
        size = math.prod(shape)
        if self._numbers.size < size:
            self._numbers = np.empty(size)
        return self._numbers[:size].reshape(shape)


def groups(count: int, size: int, threads: int) -> Iterator[slice]:
    """Runs of utterances, to be decoded one after the other by one thread.

    size: numbers of an utterance, padding included. Runs are long, as each costs the threads a turn
    with the interpreter lock, and shorter towards the end, where threads would wait for the last.
    """
    runs, first = [], 0
    while first < count:
        left = count - first
        share = left if threads == 1 else max(-(-2 * left // (3 * threads)), 1 + (left > threads))
        end = min(first + max(1, min(GROUP_SIZE // size, share)), count)
        runs.append(slice(first, end))
        first = end
    return iter(runs)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
