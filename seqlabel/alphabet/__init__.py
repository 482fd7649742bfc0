"""Symbols and integers; the blank is always index 0."""

from seqlabel.alphabet.symbols import BLANK, Alphabet

__all__ = ["BLANK", "Alphabet"]
