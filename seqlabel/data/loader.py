"""Batches prepared ahead by a background thread, with the waiting time measured."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Iterate over `make(n)` for n in `numbers`, made up to `ahead` items early in a thread.

    An exception inside `make` is raised at the item it concerns. waited: seconds the consumer has
    spent waiting for items.
    """

    def __init__(self, make: Callable[[int], Item], numbers: Sequence[int], ahead: int = 3) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._count = len(numbers)
        self._thread = threading.Thread(target=self._work, args=(make, numbers), daemon=True)
        self._thread.start()

    def _work(self, make: Callable[[int], Item], numbers: Sequence[int]) -> None:
        for n in numbers:
            try:
                entry: tuple[Item | None, BaseException | None] = (make(n), None)
            except BaseException as error:
                entry = (None, error)
            while not self._stopped.is_set():
                try:
                    self._queue.put(entry, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if self._stopped.is_set() or entry[1] is not None:
                return

    def __iter__(self) -> Iterator[Item]:
        try:
            for _ in range(self._count):
                started = time.perf_counter()
                item, error = self._queue.get()
                self.waited += time.perf_counter() - started
                if error is not None:
                    raise error
                yield item  # type: ignore[misc]
        finally:
            self.close()

    def close(self) -> None:
        """Stop the thread; items already made are dropped."""
        self._stopped.set()
        self._thread.join()
