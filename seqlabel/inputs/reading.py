"""What every reader of an ink file needs: its bytes, its text, and errors that name it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from seqlabel.errors import InputError


@contextlib.contextmanager
def naming(name: str | os.PathLike[str]) -> Iterator[None]:
    """Put `name` before the message of an InputError raised inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{os.fspath(name)}: {error}") from None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file; raises InputError for a missing, empty or unreadable one."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, an ink file is expected") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise InputError(f"{path}: the file is empty")
    return data


def as_text(data: bytes, name: str | os.PathLike[str], encoding: str = "utf-8-sig") -> str:
    """Bytes as text with "\\n" line ends; raises InputError at the first byte that does not fit."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not {encoding.removesuffix('-sig').upper()} text at byte {error.start}; "
            "convert it, for example with iconv"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
