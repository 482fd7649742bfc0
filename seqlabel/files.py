"""Files are written whole or not at all, and read with errors that name them.

Writers hold a lock (flock) that ends with the process. So the temporary files of a killed writer
are recognised, and the next writer removes them.
"""

import codecs
import contextlib
import errno
import gzip
import hashlib
import json
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from seqlabel.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("seqlabel")

GZIP = b"\x1f\x8b"
"""First bytes of a gzip file."""

LONGEST_LINE = 1 << 26
"""Maximum bytes of a line of a compressed file, which may expand to any size."""


_OPEN_FILES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
"""Folders with names of open files."""


class Busy(InputError):
    """Another process is writing into the folder."""


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
        if _lock(descriptor) is False:
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
        if _lock(descriptor) is False:
            log.info("%s: %s", folder, waiting)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
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


def _held(make: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """(descriptor, name) of what `make` opens, locked.

    Another process may remove it as left over before it is locked; then it is made again.
    """
    while True:
        descriptor, name = make()
        if _lock(descriptor) is not False and os.path.lexists(name):
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
                if _lock(descriptor) and left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                elif _lock(descriptor):
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


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file of this name; False for impossible names."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long; a zero byte
        return False


def read_text(path: str | os.PathLike[str]) -> str:
    """The UTF-8 text of a file without a byte order mark; InputError for other files."""
    try:
        return Path(path).read_text(encoding="utf-8").removeprefix("\ufeff")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name a file") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text at byte {error.start}; convert it, for example with iconv"
        ) from None
    except (OSError, ValueError) as error:  # an impossible name: too long, a zero byte
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read: {cause}") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """Parse one JSON document; raises InputError with the file and the line."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; deep nesting
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write one JSON document, indented, whole or not at all."""
    with whole_file(path) as stream:
        json.dump(value, stream, indent=1, ensure_ascii=False)
        stream.write("\n")


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each non-empty line of a JSON-lines file, or its gzip.

    Raises InputError with file and line.
    """
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        if stream.read(2) == GZIP:
            return _read_packed(path)
    return ((number, value) for number, _, value in read_jsonl_places(path))


def _read_packed(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with gzip.open(path) as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise InputError(
                        f"{path}:{number}: a line of more than {LONGEST_LINE} bytes; split it "
                        "or unpack the file"
                    )
                if not line.isspace():
                    yield number, parse_object(line, f"{path}:{number}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged or cut-off gzip file ({error}); copy it again") from None


def read_jsonl_places(path: str | os.PathLike[str]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield (line number from 1, first byte, object) for each non-empty line of a file."""
    name = os.fspath(path)
    try:
        with open(path, "rb") as stream:
            start = 0
            for number, line in enumerate(stream, 1):
                if not line.isspace():
                    yield number, start, parse_object(line, f"{name}:{number}")
                start += len(line)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name a .jsonl file") from None


def parse_object(line: bytes, where: str) -> dict[str, Any]:
    """The JSON object of one line; `where` begins the messages of the InputErrors it raises."""
    try:
        value = json.loads(line.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text at byte {error.start} of the line") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg}; was the file cut off?") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; deep nesting
        raise InputError(f"{where}: cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: a JSON object is expected on each line")
    if b"\\ud" in line or b"\\uD" in line:
        check_characters(value, where)
    return value


def check_characters(value: Any, where: str) -> None:
    """Raise InputError for JSON with an unpaired surrogate, which is not valid text."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        found = error.object[error.start]
        raise InputError(
            f"{where}: {found!r} is an unpaired surrogate; write the pair or the character"
        ) from None


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write one object per line, whole or not at all."""
    with whole_file(path) as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def fingerprint(parts: Iterable[str]) -> str:
    """A short SHA-256 digest (16 hex digits) of a sequence of strings, order included."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
