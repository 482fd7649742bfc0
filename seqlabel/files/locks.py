"""Locks (flock) that end with the process, so that a killed one leaves none behind."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from seqlabel.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("seqlabel")


class Busy(InputError):
    """Another process is writing into the folder."""


@contextlib.contextmanager
def sole_writer(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Create `folder` and lock it against other processes that do the same.

    Raises Busy where one is in it. The lock is on the folder itself: no file is left over.
    """
    folder = Path(folder)
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if lock(descriptor) is False:
            raise Busy(
                f"{folder}: another run is writing there; wait for its end or choose another folder"
            )
        yield
    finally:
        if fresh:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # where nothing was written
        os.close(descriptor)


@contextlib.contextmanager
def taking_turns(folder: str | os.PathLike[str], waiting: str) -> Iterator[None]:
    """Create `folder` and wait, after a notice, until no other process is here with the same one.

    For results that several runs share: whoever comes second finds those of the first.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if lock(descriptor) is False:
            log.info("%s: %s", folder, waiting)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool | None:
    """Lock an open file or folder: False if another process holds it, None if locks do not work."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True
