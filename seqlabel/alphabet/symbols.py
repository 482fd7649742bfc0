"""The alphabet of a task: K-1 symbols, index 0 kept for the blank of CTC."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any

from seqlabel.errors import InputError
from seqlabel.files import fingerprint, read_json, write_json

BLANK = 0
"""Index of the blank in every array of K labels."""

NAMED = 20
"""Symbols that `name_counts` names, where there are many."""

UNITS = {"character": "CER", "phone": "PER", "symbol": "SER", "word": "WER"}
"""What a symbol stands for, and the error rate that counts it."""


@dataclass(frozen=True)
class Alphabet:
    """K-1 distinct symbols; symbol `symbols[k - 1]` has index k, the blank has index 0.

    symbols: non-empty strings without repeats. With `unit="character"` each is one character and
        labels join to text without gaps (a blank between words is the symbol " "); with any other
        unit labels are joined by a space.
    levels: what the labels are made of, as (name, alphabet) from the finest on: the phones of
        words, the strokes and the letters of words. A manifest has those of each utterance.
    Raises InputError for an empty, repeated or unfit symbol.
    """

    symbols: tuple[str, ...]
    unit: str = "symbol"
    levels: tuple[tuple[str, "Alphabet"], ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    _symbol: dict[int, str] = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        symbols: Iterable[str],
        unit: str = "symbol",
        levels: Iterable[tuple[str, "Alphabet"]] = (),
    ) -> None:
        symbols = tuple(symbols)
        index: dict[str, int] = {}
        for k, symbol in enumerate(symbols, 1):
            if not isinstance(symbol, str) or not symbol:
                raise InputError(
                    f"alphabet: symbol {k} is {symbol!r}; non-empty strings are expected"
                )
            if symbol in index:
                raise InputError(f"alphabet: symbol {symbol!r} occurs twice")
            if unit == "character" and len(symbol) != 1:
                raise InputError(f"alphabet: {symbol!r} is not one character")
            if unit != "character" and symbol.split() != [symbol]:
                raise InputError(f"alphabet: {symbol!r} holds white space, which separates symbols")
            index[symbol] = k
        if not symbols:
            raise InputError("alphabet: no symbols")
        if unit not in UNITS:
            raise InputError(f"alphabet: unit {unit!r} is none of {', '.join(UNITS)}")
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "levels", tuple(levels))
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_symbol", {k: symbol for symbol, k in index.items()})

    def __len__(self) -> int:
        """K, the number of symbols and the blank."""
        return len(self.symbols) + 1

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._index

    @property
    def metric(self) -> str:
        """The error rate that counts these symbols: "PER", "CER", "WER" or "SER"."""
        return UNITS[self.unit]

    def encode(self, labels: Sequence[str], name: str = "labels") -> list[int]:
        """Indices 1..K-1 of a sequence of symbols; InputError names the first unknown one."""
        try:
            return [self._index[label] for label in labels]
        except KeyError as error:
            raise InputError(
                f"{name}: symbol {error.args[0]!r} is not in the alphabet of {len(self.symbols)} "
                f"symbols; correct the transcript or add the symbol"
            ) from None

    def find(self, label: str) -> int:
        """Index of a symbol, `BLANK` for one that is not in the alphabet."""
        return self._index.get(label, BLANK)

    def decode(self, indices: Iterable[int]) -> tuple[str, ...]:
        """Symbols of indices 1..K-1 (the blank is no label and raises InputError)."""
        try:
            return tuple(map(self._symbol.__getitem__, indices))
        except KeyError as error:
            raise InputError(
                f"index {error.args[0]} is no label of an alphabet of K = {len(self)}"
            ) from None

    def text(self, labels: Iterable[str]) -> str:
        """Labels as running text."""
        return ("" if self.unit == "character" else " ").join(labels)

    def split(self, text: str) -> tuple[str, ...]:
        """Running text as labels: characters, or what white space separates."""
        return tuple(text) if self.unit == "character" else tuple(text.split())

    @property
    def fingerprint(self) -> str:
        """Digest of unit and symbols in order; equal for interchangeable alphabets."""
        below = [f"{name} {alphabet.fingerprint}" for name, alphabet in self.levels]
        return fingerprint([self.unit, *self.symbols, *below])

    @property
    def alone(self) -> "Alphabet":
        """The alphabet without its levels."""
        return Alphabet(self.symbols, self.unit) if self.levels else self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the alphabet as JSON, the blank's index declared."""
        value: dict[str, Any] = {"unit": self.unit, "blank": BLANK, "symbols": list(self.symbols)}
        if self.levels:
            value["levels"] = {
                name: {"unit": alphabet.unit, "symbols": list(alphabet.symbols)}
                for name, alphabet in self.levels
            }
        write_json(path, value)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Alphabet":
        """Read what `save` wrote; raises InputError for any other content."""
        value = read_json(path)
        if not isinstance(value, dict) or not isinstance(value.get("symbols"), list):
            raise InputError(f"{path}: not an alphabet; expected unit, blank and symbols")
        if value.get("blank") != BLANK:
            raise InputError(f"{path}: blank is {value.get('blank')!r}; seqlabel keeps it at 0")
        try:
            levels = [
                (name, cls(level["symbols"], level["unit"]))
                for name, level in value.get("levels", {}).items()
            ]
        except (AttributeError, KeyError, TypeError):
            raise InputError(f"{path}: levels must have a unit and symbols each") from None
        return cls(value["symbols"], value.get("unit", "symbol"), levels)


def required_frames(labels: Sequence[object]) -> int:
    """Least frames of a CTC path: one for each label, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def name_counts(counts: Mapping[str, int]) -> str:
    """Symbols and how often they occur, in words; the first NAMED of them."""
    shown = [f"{symbol!r} ({count})" for symbol, count in islice(counts.items(), NAMED)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
