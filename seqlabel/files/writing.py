"""Files and folders are written whole or not at all.

Writers hold a lock. So the temporary files of a killed writer are recognised, and the next writer
removes them.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from seqlabel.errors import InputError
from seqlabel.files.locks import lock

_OPEN_FILES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
"""Folders with names of open files."""


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` for writing and rename it to `path` on success.

    On an exception (a full disk, Ctrl-C) the temporary file is removed and an existing file at
    `path` stays as it was. `mode` is "w" (UTF-8 text) or "wb". Pipes and devices, such as
    /dev/stdout, are written into.
    """
    path = Path(path)
    encoding = None if "b" in mode else "utf-8"
    if path.is_fifo() or path.is_char_device() or path.parent in _OPEN_FILES:
        with open(path, mode, encoding=encoding) as stream:
            yield stream
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    descriptor, temporary = _held(lambda: tempfile.mkstemp(prefix=".writing-", dir=path.parent))
    try:
        with open(descriptor, mode, encoding=encoding) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            # mkstemp makes files private; these are results
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)  # before the lock is released
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        _name(error, path)
        raise


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path`, which replaces `path` on success.

    On an exception it is removed, and an existing folder at `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    descriptor, name = _held(lambda: _new_folder(path.parent))
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        _put_in_place(temporary, path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _name(error, path)
        raise
    finally:
        os.close(descriptor)


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename a folder to `path`; whatever is there goes, and so does what others put there."""
    olds = []
    while True:
        if path.exists():
            # A folder cannot be renamed over another; who has its files open keeps them.
            olds.append(tempfile.mkdtemp(prefix=".removing-", dir=path.parent))
            with contextlib.suppress(FileNotFoundError):  # another process took it away
                os.replace(path, olds[-1])
        try:
            os.replace(temporary, path)
            break
        except OSError as error:  # another process has put one there meanwhile
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    for old in olds:
        shutil.rmtree(old, ignore_errors=True)


def _held(make: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """(descriptor, name) of what `make` opens, locked.

    Another process may remove it as left over before it is locked; then it is made again.
    """
    while True:
        descriptor, name = make()
        if lock(descriptor) is not False and os.path.lexists(name):
            return descriptor, name
        os.close(descriptor)


def _new_folder(parent: Path) -> tuple[int, str]:
    while True:
        name = tempfile.mkdtemp(prefix=".writing-", dir=parent)
        with contextlib.suppress(FileNotFoundError):
            return os.open(name, os.O_RDONLY), name


_looked_through: set[str] = set()
"""Folders from which this process has removed left-over files."""


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files of killed writers from a folder."""
    if str(folder) in _looked_through:
        return
    _looked_through.add(str(folder))
    for left in [*folder.glob(".writing-*"), *folder.glob(".removing-*")]:
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            try:
                if lock(descriptor) and left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                elif lock(descriptor):
                    os.unlink(left)
            finally:
                os.close(descriptor)


def _name(error: BaseException, path: Path) -> None:
    """Add the file name to errors of failed writes, which lack it."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        error.filename = str(path)


def keep_apart(out: str | os.PathLike[str], *sources: str | os.PathLike[str]) -> None:
    """Raise InputError if a file to be written is one of the inputs."""
    for source in sources:
        if Path(out).exists() and Path(source).exists() and Path(out).samefile(source):
            raise InputError(f"{out}: is also an input; choose another name")


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
