"""Units of labels: text into labels and labels into text."""

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
"""Units and their error rates (for subwords that of their text)."""

TEXT_UNITS = ("character", "grapheme", "subword", "word")
"""Units of running text, in which characters and words are counted."""

JOINED = frozenset({"character", "grapheme"})
"""Units whose labels join to text without gaps, so that the space is a label."""


def graphemes(text: str) -> tuple[str, ...]:
    """Graphemes: the extended grapheme clusters of Unicode TR29."""
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
    """Why a string is not a label of a unit, None if it is one."""
    if not label:
        return "is empty"
    if unit == "character" and len(label) != 1:
        return "is not one character"
    if unit == "grapheme" and len(graphemes(label)) != 1:
        return "is not one grapheme"
    if unit not in JOINED and label.split() != [label]:
        return 'has white space, which separates symbols; use unit="character" for text with '
        "spaces"
    return None


def inkless(unit: str) -> frozenset[str]:
    """Labels of a unit without strokes of the pen."""
    return INKLESS if unit == "latex" else frozenset({" "})
