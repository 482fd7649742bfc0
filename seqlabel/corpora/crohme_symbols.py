"""One name for each symbol across the years of CROHME, 2011 to 2023.

The names are those of the training set of 2013 to 2016. Other years, and other tools that write
the files, use other spellings: the test set of 2016 writes `<` where training has `\\lt`.
"""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "\\lt": ("<", "&lt;", "＜"),
        "\\gt": (">", "&gt;", "＞"),
        "\\leq": ("\\le", "\\leqslant", "≤", "⩽"),
        "\\geq": ("\\ge", "\\geqslant", "≥", "⩾"),
        "\\neq": ("\\ne", "≠"),
        "\\times": ("×",),
        "\\div": ("÷",),
        "\\pm": ("±",),
        "\\cdot": ("·", "⋅"),
        "\\rightarrow": ("\\to", "→"),
        "\\infty": ("∞",),
        "\\sum": ("∑",),
        "\\int": ("∫",),
        "\\in": ("∈",),
        "\\forall": ("∀",),
        "\\exists": ("∃",),
        "\\prod": ("∏",),
        "\\Delta": ("∆",),
        "\\mu": ("µ",),
        "\\prime": ("&apos;", "’", "′"),
        "\\ldots": ("\\dots", "…"),
        "|": ("\\vert", "\\mid", "\\lvert", "\\rvert", "∣"),
        "\\|": ("\\Vert", "\\parallel", "\\lVert", "\\rVert", "∥", "‖"),
        ",": ("COMMA", "，"),
        ":": ("\\colon",),
        "/": ("\\slash",),
        "(": ("\\lparen",),
        ")": ("\\rparen",),
        "[": ("\\lbrack",),
        "]": ("\\rbrack",),
        "\\{": ("\\lbrace",),
        "\\}": ("\\rbrace",),
        "-": ("−", "–"),
        "\\sin": ("sin",),
        "\\cos": ("cos",),
        "\\tan": ("tan",),
        "\\log": ("log",),
        "\\lim": ("lim",),
    }
)
"""Name -> other spellings of it."""

AS_WRITTEN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "\\prime": ("'",),
        "\\ldots": ("\\cdots", "⋯"),
        "-": ("\\frac", "\\overline", "\\bar"),
        "\\sqrt": ("\\surd", "√"),
        "\\{": ("{",),
        "\\}": ("}",),
    }
)
"""The same for symbols outside formulas only: in a formula these names tell their position.
Fraction bars are written `-`, and training calls three dots `\\ldots` at any height."""

_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho"
_GREEK += " sigma tau upsilon phi chi psi omega"
_LATIN = {
    name: name[0] for name in ("Alpha", "Beta", "Epsilon", "Zeta", "Iota", "Kappa", "Mu", "Nu")
} | {"Eta": "H", "Omicron": "O", "Rho": "P", "Tau": "T", "Chi": "X", "omicron": "o"}
"""Greek letters that look like Latin ones, for which LaTeX has no command."""


def _greek() -> dict[str, str]:
    """Spelling -> name of Greek letters: characters, and capitals that LaTeX does not know."""
    found = {f"\\{name}": latin for name, latin in _LATIN.items()}
    for lower in _GREEK.split():
        for name in (lower, lower.capitalize()):
            case = "SMALL" if name == lower else "CAPITAL"
            unicode = {"lambda": "LAMDA"}.get(lower, lower.upper())
            character = unicodedata.lookup(f"GREEK {case} LETTER {unicode}")
            found[character] = _LATIN.get(name, f"\\{name}")
    return found | {"ς": "\\sigma"}


_IN_FORMULAS = {other: name for name, others in SPELLINGS.items() for other in others} | _greek()
_ALONE = _IN_FORMULAS | {other: name for name, others in AS_WRITTEN.items() for other in others}


def symbol_name(symbol: str) -> str:
    """The name of a symbol outside a formula, as in a segmentation."""
    return _ALONE.get(symbol, symbol)


def token_name(token: str) -> str:
    """The name of a token of a LaTeX formula."""
    return _IN_FORMULAS.get(token, token)
