"""Output of commands without control sequences that corpora or models may contain."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from seqlabel.errors import inert

ERASE = "\r\x1b[K"
"""Returns to the start of the line and clears it; the one control sequence that `listen` writes."""


class InertFormatter(logging.Formatter):
    """Log lines without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


class InertStream:
    """A text stream that escapes control characters; the rest is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(ERASE.join(inert(part) for part in text.split(ERASE)))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def inert_terminal() -> Iterator[None]:
    """Standard output escaped while it is a terminal; files and pipes get every byte as it is."""
    before = sys.stdout
    if before is None or not before.isatty():
        yield
        return
    sys.stdout = InertStream(before)
    try:
        yield
    finally:
        sys.stdout = before
