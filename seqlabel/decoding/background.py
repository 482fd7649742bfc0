"""Compiles kernels in a background thread, so that plain Python can serve calls in the meantime.

When the interpreter exits, it waits until the kernels are in the cache, so that the next process
finds them. Without a cache, after `FINISHING` seconds, or on Ctrl-C, the compiler stops at its next
pass instead. numba writes cache files whole or not at all. A process that forks waits too: in the
child, numba's compiler lock would never be released.
"""

import atexit
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from numba.core import event

from seqlabel.compile_cache import is_kept

log = logging.getLogger("seqlabel")

FROM_DISK = 1.5
"""Seconds that a caller waits for kernels that seem to be in the cache on disk."""

QUIET, FINISHING = 1.0, 30.0
"""Seconds that the exiting interpreter waits for kernels: silently, and then with a message."""


class Compilation:
    """The compilation of some kernels, in progress or done."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seqlabel-compiler", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether the kernels can be called without waiting."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the kernels are ready, at most `timeout` seconds."""
        self._done.wait(timeout)

    def start(self) -> None:
        _running.add(self._thread)
        self._thread.start()

    def _run(self) -> None:
        try:
            with event.install_listener("numba:run_pass", _Exit()):
                self._work()
        except _Leave:
            pass
        except Exception:  # a call of the kernels raises it again, where it can be caught
            log.debug("compiling in the background failed", exc_info=True)
        finally:
            self._done.set()
            _running.discard(self._thread)


def compiled(key: Hashable, work: Callable[[], object], *kernels: Any) -> Compilation:
    """Start compiling kernels, once per key and process.

    work: calls the kernels with arguments of the types that will be used. kernels: the largest of
    them; if all of these are in the cache on disk, this waits until they are loaded.
    """
    with _lock:
        known = _known.get(key)
        if known is not None:
            return known
        known = _known[key] = Compilation(work)
        known.start()
    if all(map(on_disk, kernels)):
        known.wait(FROM_DISK)
    return known


def on_disk(kernel: Any) -> bool:
    """Whether the cache holds the kernel, though perhaps for other argument types."""
    name = f"{kernel.py_func.__module__.rsplit('.', 1)[-1]}.{kernel.py_func.__name__}-*.nbi"
    return any(Path(kernel.stats.cache_path).glob(name))


class _Leave(BaseException):
    """Stops the compiler when the interpreter exits."""


class _Exit(event.Listener):
    def on_start(self, event: Any) -> None:
        if _leaving.is_set() and threading.current_thread() in _running:
            raise _Leave

    def on_end(self, event: Any) -> None:
        pass


_lock = threading.Lock()
_known: dict[Hashable, Compilation] = {}
_running: set[threading.Thread] = set()
_leaving = threading.Event()


def _leave() -> None:
    try:
        if is_kept():
            _join(QUIET)
            if _running:
                log.warning("compiling the beam search for the next start (Ctrl-C skips this)")
                _join(FINISHING)
    except KeyboardInterrupt:
        pass
    # The process would be aborted if the compiler called back into an interpreter that has ended.
    _leaving.set()
    while _running:
        with contextlib.suppress(KeyboardInterrupt):
            _join(1.0)


def _join(seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in list(_running):
        thread.join(max(0.0, end - time.monotonic()))


def _finish() -> None:
    for thread in list(_running):
        if thread is not threading.current_thread():
            thread.join()


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_finish)
