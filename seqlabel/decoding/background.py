"""Kernels compiled in a thread of their own, so that nobody waits whom plain Python serves sooner.

At its end the interpreter waits until they are in the cache, so that the next process has them;
where there is no cache, after `FINISHING` seconds or Ctrl-C, the compiler stops at its next pass.
numba writes whole files only. A process that forks waits as well, since a child would find the
compiler locked for ever.
"""

import atexit
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
"""Seconds that a caller waits for kernels that the cache on disk seems to have."""

QUIET, FINISHING = 1.0, 30.0
"""Seconds that the end of the interpreter waits for kernels without a word, and at most."""

LEAVING = 10.0
"""Seconds that it waits for the compiler to stop; a pass takes tenths."""


class Compilation:
    """Kernels that are being compiled, or are compiled."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seqlabel-compiler", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether calls of the kernels are served at once."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until they are ready, at most so many seconds."""
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
        except Exception:  # whoever calls the kernels meets the same, where it can be caught
            log.debug("compiling in the background failed", exc_info=True)
        finally:
            self._done.set()
            _running.discard(self._thread)


def compiled(key: Hashable, work: Callable[[], object], *kernels: Any) -> Compilation:
    """Have kernels compiled, once for each key of the process.

    work: calls the kernels with arguments of the types that are to come. kernels: the largest of
    those; where all of them are in the cache on disk, this waits until they are loaded.
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
    """Whether the cache has the kernel, if perhaps for other types."""
    name = f"{kernel.py_func.__module__.rsplit('.', 1)[-1]}.{kernel.py_func.__name__}-*.nbi"
    return any(Path(kernel.stats.cache_path).glob(name))


class _Leave(BaseException):
    """Ends the compiler at the end of the interpreter."""


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
                log.warning("keeping the compiled beam search for the next start (Ctrl-C skips it)")
                _join(FINISHING)
    except KeyboardInterrupt:
        pass
    # Code that runs in a thread while the C++ library behind it is taken down would crash.
    _leaving.set()
    _join(LEAVING)


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
