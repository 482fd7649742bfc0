"""What a label stands for: how text becomes labels of a unit, and labels text."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import regex

from seqlabel.alphabet.latex import INKLESS, join_latex, split_latex
from seqlabel.alphabet.subwords import join_subwords

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "character": "CER",
        "grapheme": "CER",
        "subword": "CER",
        "phone": "PER",
        "symbol": "SER",
        "latex": "TER",
        "word": "WER",
    }
)
"""What a symbol stands for, and the error rate that counts it (of subwords, their text)."""

TEXT_UNITS = ("character", "grapheme", "subword", "word")
"""Units of running text, which characters and words of it are counted in."""

JOINED = frozenset({"character", "grapheme"})
"""Units whose labels stand side by side in text, the blank between words being one of them."""


def graphemes(text: str) -> tuple[str, ...]:
    """User-perceived characters: the extended grapheme clusters of Unicode TR29."""
    return tuple(regex.findall(r"\X", text))


def split_text(text: str, unit: str) -> tuple[str, ...]:
    """Running text as labels of any unit but subwords, which need their model.

    Raises InputError for LaTeX with unbalanced braces.
    """
    if unit == "character":
        return tuple(text)
    if unit == "grapheme":
        return graphemes(text)
    if unit == "latex":
        return split_latex(text)
    return tuple(text.split())


def join_labels(labels: Iterable[str], unit: str) -> str:
    """Labels as running text."""
    if unit == "subword":
        return join_subwords(labels)
    if unit == "latex":
        return join_latex(labels)
    return ("" if unit in JOINED else " ").join(labels)


def label_fault(label: str, unit: str) -> str | None:
    """What keeps a string from being a label of a unit, None for nothing."""
    if not label:
        return "is empty"
    if unit == "character" and len(label) != 1:
        return "is not one character"
    if unit == "grapheme" and len(graphemes(label)) != 1:
        return "is not one grapheme"
    if unit not in JOINED and label.split() != [label]:
        return "holds white space, which separates symbols"
    return None


def inkless(unit: str) -> frozenset[str]:
    """Labels of a unit that no stroke of a pen stands for."""
    return INKLESS if unit == "latex" else frozenset({" "})
