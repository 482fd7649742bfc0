"""Praat's TextGrid: its tiers of intervals, from the long and the short text format.

Source: Praat manual, "TextGrid file formats". Only free-standing numbers, texts in double
quotes and flags in angle brackets are read, in their order, so that both formats are the same.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqlabel.errors import InputError
from seqlabel.inputs.reading import as_text, read_bytes

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"|<(?P<flag>[a-z]+)>|(?<!\S)(?P<number>[-+]?[\d.][\d.eE+-]*)(?!\S)'
    r"|(?<!\S)(?P<comment>![^\n]*)"
)


class Interval(NamedTuple):
    """An interval of a tier with its label, which may be empty; times in seconds."""

    label: str
    start: float
    end: float


def read_textgrid(path: Path) -> dict[str, list[Interval]]:
    """Name -> intervals of each interval tier, in the order of the file; point tiers are left out.

    Raises InputError for a file that is not a TextGrid, is cut off or has no interval tiers, for
    two tiers of one name, and for intervals that are reversed or overlap.
    """
    data = read_bytes(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError(f"{path}: begins like UTF-16 text but is not; save it again") from None
    else:
        text = as_text(data, path, fallback="latin-1")
    tokens = _Tokens(path, text)
    if tokens.text() != "ooTextFile" or tokens.text() != "TextGrid":
        raise InputError(f'{path}: not a TextGrid (File type = "ooTextFile", class "TextGrid")')
    tokens.number(), tokens.number()
    tiers: dict[str, list[Interval]] = {}
    if not tokens.exists():
        raise InputError(f"{path}: a TextGrid without tiers")
    for _ in range(tokens.count()):
        kind, name = tokens.text(), tokens.text()
        tokens.number(), tokens.number()
        if kind not in ("IntervalTier", "TextTier"):
            raise InputError(f"{path}: tier {name!r} of class {kind!r}; IntervalTier is expected")
        if kind == "TextTier":
            for _ in range(tokens.count()):
                tokens.number(), tokens.text()
            continue
        if name in tiers:
            raise InputError(f"{path}: two tiers are called {name!r}; rename one")
        tiers[name] = list(_intervals(tokens, name))
    if not tiers:
        raise InputError(f"{path}: no tier of intervals")
    return tiers


def _intervals(tokens: "_Tokens", tier: str) -> Iterator[Interval]:
    before = -math.inf
    for number in range(tokens.count()):
        start, end, label = tokens.number(), tokens.number(), tokens.text()
        if end < start or start < before - 1e-6:
            raise InputError(
                f"{tokens.path}: tier {tier!r}, interval {number + 1}: from {start:g} to {end:g} "
                "s, which is reversed or overlaps the previous one"
            )
        before = end
        yield Interval(label, start, end)


class _Tokens:
    """The values of a text in their order; InputError for a value of another type."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._found = (match for match in _TOKEN.finditer(text) if match["comment"] is None)

    def _next(self, kind: str, expected: str) -> str:
        match = next(self._found, None)
        if match is None:
            raise InputError(f"{self.path}: cut off: {expected} is missing at its end")
        if match[kind] is None:
            raise InputError(
                f"{self.path}: {match[0][:40]!r} at character {match.start()}, where {expected} is "
                "expected"
            )
        return match[kind]

    def text(self) -> str:
        return self._next("text", "a text in quotes").replace('""', '"')

    def exists(self) -> bool:
        return self._next("flag", "<exists>") == "exists"

    def number(self) -> float:
        try:
            value = float(self._next("number", "a number"))
            if not math.isfinite(value):
                raise ValueError
        except InputError:
            raise
        except ValueError:
            raise InputError(f"{self.path}: a time that is not a number; save it again") from None
        return value

    def count(self) -> int:
        value = self.number()
        if value != int(value) or not 0 <= value < 1e9:
            raise InputError(f"{self.path}: a size of {value:g}, which is not a count")
        return int(value)
