"""Symbols and integers; the blank is always index 0."""

from seqlabel.alphabet.phones import PHONE_CLASSES, PHONES_39, PHONES_48, PHONES_61
from seqlabel.alphabet.symbols import BLANK, NO_LABELS, Alphabet, name_counts, required_frames
from seqlabel.alphabet.units import UNITS

__all__ = [
    "BLANK",
    "NO_LABELS",
    "PHONES_39",
    "PHONES_48",
    "PHONES_61",
    "PHONE_CLASSES",
    "UNITS",
    "Alphabet",
    "name_counts",
    "required_frames",
]
