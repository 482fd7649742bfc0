"""Recordings in progress, in pieces."""

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from seqlabel.errors import InputError

LONGEST = 60.0
"""Maximum seconds of a recording."""
MOST = 8
"""Maximum number of recordings; the least recently used is replaced."""
RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192_000)
"""Sampling rates of browsers, besides the model's."""


class Recording:
    """One recording of a page.

    rate: sampling rate of the browser. lock: for adding to it and reading it.
    live: its stream, with model and decoder.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.lock = threading.Lock()
        self.live: tuple[Any, Any] | None = None
        self._pieces: list[np.ndarray] = []
        self.length = 0

    def add(self, samples: np.ndarray, at: int) -> None:
        """Append samples (N,) float32 after the first `at`.

        Raises InputError for gaps, repetitions and excessive length.
        """
        if at != self.length:
            raise InputError(f"received samples from {at}, expected {self.length}; record it again")
        if (self.length + len(samples)) / self.rate > LONGEST:
            raise InputError(f"more than {LONGEST:g} s of sound; record less at a time")
        self._pieces.append(samples)
        self.length += len(samples)

    @property
    def samples(self) -> np.ndarray:
        """(N,) float32, all samples so far."""
        if len(self._pieces) != 1:
            self._pieces = [np.concatenate([np.zeros(0, np.float32), *self._pieces])]
        return self._pieces[0]


class Recordings:
    """The recordings in progress, by the names given by pages."""

    def __init__(self) -> None:
        self._by_name: dict[str, Recording] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> Recording:
        """A recording; InputError if there is none (any more)."""
        with self._lock:
            recording = self._by_name.pop(name, None)
            if recording is None:
                raise InputError("this recording has expired; record it again")
            self._by_name[name] = recording  # the last of them has been used last
            return recording

    def begin(self, name: str, make: Callable[[], Recording]) -> Recording:
        """A new recording of this name; InputError for a name that is taken or not 32 hex.

        An error of `make` leaves the name free.
        """
        if not re.fullmatch("[0-9a-f]{32}", name):
            raise InputError("id: must be 32 hexadecimal digits")
        with self._lock:
            if name in self._by_name:
                raise InputError("this recording already exists; record it again")
            recording = self._by_name[name] = make()
            while len(self._by_name) > MOST:
                del self._by_name[next(iter(self._by_name))]
            return recording
