"""The alphabet of a task: K-1 symbols; index 0 is the blank of CTC."""

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any

from seqlabel.alphabet.subwords import pieces_of, split_subwords
from seqlabel.alphabet.units import JOINED, UNITS, inkless, join_labels, label_fault, split_text
from seqlabel.errors import InputError
from seqlabel.files import fingerprint, read_json, write_json

BLANK = 0
"""Index of the blank in every array of K labels."""

NAMED = 20
"""Maximum number of symbols that `name_counts` lists."""


@dataclass(frozen=True)
class Alphabet:
    """K-1 distinct symbols; symbol `symbols[k - 1]` has index k, the blank has index 0.

    symbols: non-empty strings without repeats. With `unit="character"` each is one character, with
        "grapheme" one grapheme cluster; these join to text without gaps (the space between words
        is the symbol " "). "latex" and "subword" tokens join as LaTeX and SentencePiece say,
        labels of other units with a space between them.
    levels: lower levels of labels as (name, alphabet), the finest first: the phones of words, the
        strokes and letters of words. A manifest has their labels for each utterance.
    model: of unit "subword", the SentencePiece model whose pieces the symbols are. Labels become
        text without it; text becomes labels only with it.
    Raises InputError for an empty, repeated or unsuitable symbol.
    """

    symbols: tuple[str, ...]
    unit: str = "symbol"
    levels: tuple[tuple[str, "Alphabet"], ...] = ()
    model: bytes = field(default=b"", repr=False)
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    _symbol: dict[int, str] = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        symbols: Iterable[str],
        unit: str = "symbol",
        levels: Iterable[tuple[str, "Alphabet"]] = (),
        model: bytes = b"",
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
            if fault := label_fault(symbol, unit):
                raise InputError(f"alphabet: {symbol!r} {fault}")
            index[symbol] = k
        if not symbols:
            raise InputError("alphabet: no symbols")
        if unit not in UNITS:
            raise InputError(f"alphabet: unit {unit!r} is not one of {', '.join(UNITS)}")
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "levels", tuple(levels))
        object.__setattr__(self, "model", model)
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
        """Symbols of indices 1..K-1 (InputError for the blank, which is not a label)."""
        try:
            return tuple(map(self._symbol.__getitem__, indices))
        except KeyError as error:
            raise InputError(
                f"index {error.args[0]} is not a label of an alphabet of K = {len(self)}"
            ) from None

    def text(self, labels: Iterable[str]) -> str:
        """Labels as running text."""
        return join_labels(labels, self.unit)

    def split(self, text: str) -> tuple[str, ...]:
        """Running text as labels of the unit.

        Raises InputError for LaTeX with unbalanced braces, and for subwords without a model that
        fits the alphabet.
        """
        if self.unit != "subword":
            return split_text(text, self.unit)
        if self.symbols != pieces_of(self.model):
            raise InputError(
                f"alphabet: its {len(self.symbols)} subwords are not the "
                f"{len(pieces_of(self.model))} pieces of its SentencePiece model; prepare the data "
                "again"
            )
        return split_subwords(text, self.model)

    def scored(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The tokens that an error rate counts: the characters of subwords, else the labels."""
        return tuple(self.text(labels)) if self.unit == "subword" else tuple(labels)

    @property
    def joined(self) -> bool:
        """Whether labels join to text without gaps, so that the space is one of them."""
        return self.unit in JOINED

    @property
    def inkless(self) -> frozenset[str]:
        """Labels without strokes: the space, and the braces of LaTeX."""
        return inkless(self.unit)

    @property
    def fingerprint(self) -> str:
        """Digest of unit and symbols in order; equal for interchangeable alphabets."""
        below = [f"{name} {alphabet.fingerprint}" for name, alphabet in self.levels]
        return fingerprint([self.unit, *self.symbols, *below])

    @property
    def alone(self) -> "Alphabet":
        """The alphabet without its levels."""
        return Alphabet(self.symbols, self.unit, model=self.model) if self.levels else self

    def to_json(self) -> dict[str, Any]:
        """The alphabet as plain values, with the index of the blank."""
        value: dict[str, Any] = {"unit": self.unit, "blank": BLANK, "symbols": list(self.symbols)}
        if self.levels:
            value["levels"] = {
                name: {"unit": alphabet.unit, "symbols": list(alphabet.symbols)}
                for name, alphabet in self.levels
            }
        if self.model:
            value["model"] = base64.b64encode(self.model).decode()
        return value

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the alphabet as JSON."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Alphabet":
        """Read what `save` wrote; raises InputError for any other content."""
        return cls.from_json(read_json(path), path)

    @classmethod
    def from_json(cls, value: Any, path: str | os.PathLike[str]) -> "Alphabet":
        """The alphabet from the output of `to_json`; InputErrors name the file `path`."""
        if not isinstance(value, dict) or not isinstance(value.get("symbols"), list):
            raise InputError(f"{path}: not an alphabet; expected unit, blank and symbols")
        if value.get("blank") != BLANK:
            raise InputError(f"{path}: blank is {value.get('blank')!r}; it must be 0")
        try:
            levels = [
                (name, cls(level["symbols"], level["unit"]))
                for name, level in value.get("levels", {}).items()
            ]
        except (AttributeError, KeyError, TypeError):
            raise InputError(f"{path}: levels must have a unit and symbols each") from None
        try:
            model = base64.b64decode(value.get("model", ""), validate=True)
        except (ValueError, TypeError):
            raise InputError(f"{path}: the SentencePiece model in it is damaged") from None
        return cls(value["symbols"], value.get("unit", "symbol"), levels, model)


NO_LABELS = Alphabet(("value",))
"""Of data that have values to be predicted and no labels."""


def required_frames(labels: Sequence[object]) -> int:
    """Minimum frames of a CTC path: one for each label, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def name_counts(counts: Mapping[str, int]) -> str:
    """Symbols with their counts as text; the first NAMED of them."""
    shown = [f"{symbol!r} ({count})" for symbol, count in islice(counts.items(), NAMED)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
