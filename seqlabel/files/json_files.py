"""JSON documents and JSON lines, read with errors that name file and line."""

import codecs
import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from seqlabel.errors import InputError
from seqlabel.files.text import read_text
from seqlabel.files.writing import whole_file

GZIP = b"\x1f\x8b"
"""First bytes of a gzip file."""

LONGEST_LINE = 1 << 26
"""Maximum bytes of a line of a compressed file, which may expand to any size."""


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
