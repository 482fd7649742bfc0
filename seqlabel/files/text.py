"""Text files, read with errors that name them, and digests of texts."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from seqlabel.errors import InputError


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


def fingerprint(parts: Iterable[str]) -> str:
    """A short SHA-256 digest (16 hex digits) of a sequence of strings, order included."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
