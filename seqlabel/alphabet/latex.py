r"""LaTeX formulas as tokens: commands, single characters, braces.

`\frac{1}{\pi}` is `\frac { 1 } { \pi }`. One token each are `\begin{NAME}`, `\end{NAME}`,
`\mathbb{R}` and `\operatorname*`, as MathWriting counts them (Gervais et al. 2024, section 4).
"""

import re
from collections.abc import Iterable, Sequence

from seqlabel.errors import InputError

INKLESS = frozenset({"{", "}", "^", "_"})
"""Tokens for the position of others, which are not written."""

DEEPEST = 100
"""Maximum depth of nested groups."""

_TOKEN = re.compile(
    r"""\\(?:begin|end)\{[A-Za-z]+\*?\} | \\mathbb\{[A-Za-z]\} | \\operatorname\*?
    | \\[A-Za-z]+ | \\. | [^\s\\]""",
    re.VERBOSE | re.DOTALL,
)
_SPACING = frozenset({"\\,", "\\;", "\\:", "\\!", "\\ ", "\\\n", "\\\t", "\\quad", "\\qquad", "~"})
_LAYOUT = frozenset(
    f"\\{name}"
    for name in (
        "left", "right", "limits", "nolimits", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl",
        "Bigr", "displaystyle", "textstyle", "scriptstyle", "mbox", "hbox", "vbox", "vtop",
        "mathrm", "mathit", "mathbf", "rm", "it", "bf", "text", "textrm",
    )
)  # fmt: skip
_ARGUMENTS = {"\\frac": 2, "\\sqrt": 1, "\\overline": 1, "\\hat": 1, "\\vec": 1, "\\bar": 1}


def split_latex(text: str) -> tuple[str, ...]:
    """The tokens of a formula, without its dollars and without spacing commands.

    Raises InputError for unmatched braces or environments, and for a backslash at the end.
    """
    tokens = []
    open_: list[str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            if not text[place].isspace():
                raise InputError(f"LaTeX {_shown(text)} ends in the middle of a command")
            place += 1
            continue
        token = match[0]
        place = match.end()
        if token == "$" or token in _SPACING:
            continue
        if token == "{" or token.startswith("\\begin{"):
            open_.append(token)
            if len(open_) > DEEPEST:
                raise InputError(f"LaTeX {_shown(text)} has groups nested deeper than {DEEPEST}")
        elif token == "}" or token.startswith("\\end{"):
            expected = "{" if token == "}" else token.replace("\\end", "\\begin", 1)
            if not open_ or open_.pop() != expected:
                raise InputError(
                    f"LaTeX {_shown(text)} has unbalanced braces: {token} at character "
                    f"{match.start() + 1} without its {expected}; correct the formula"
                )
        tokens.append(token)
    if open_:
        raise InputError(
            f"LaTeX {_shown(text)} has unbalanced braces: {len(open_)} not closed, {open_[0]} "
            "first; correct the formula"
        )
    return tuple(tokens)


def join_latex(tokens: Iterable[str]) -> str:
    """Tokens as a formula that `split_latex` takes apart again, with no more spaces than needed."""
    text, before = "", ""
    for token in tokens:
        word = re.fullmatch(r"\\[A-Za-z]+", before) is not None
        named = before in ("\\begin", "\\end", "\\mathbb")
        if word and (token[0].isalpha() or token[0] == "*" or (named and token == "{")):
            text += " "
        text += token
        before = token
    return text


def plain_latex(tokens: Sequence[str]) -> tuple[str, ...]:
    r"""A formula in a normalised spelling of the same appearance.

    Sizes and fonts (`\left`, `\Big`, `\mbox`, `\limits`, ...) and redundant braces are removed;
    arguments and scripts get braces (`x^2` becomes `x^{2}`), subscripts go before superscripts, and
    `x'` becomes `x^{\prime}`. tokens: of `split_latex`, so that braces match.
    """
    nodes, rest = _sequence([token for token in tokens if token not in _LAYOUT], 0)
    assert rest == -1
    return tuple(nodes)


def _sequence(tokens: Sequence[str], place: int) -> tuple[list[str], int]:
    """The tokens up to the end of a group, and the place behind it (-1 at the end of all)."""
    found: list[str] = []
    scripts: dict[str, list[str]] = {}

    def flush() -> None:
        for mark in "_^":
            if mark in scripts:
                found.extend([mark, "{", *scripts.pop(mark), "}"])

    inner = 0  # groups around no argument that are open
    while place < len(tokens):
        token = tokens[place]
        if token == "}" and not inner:
            flush()
            return found, place + 1
        if token in "{}":
            inner += 1 if token == "{" else -1
            place += 1
            continue
        if token in ("^", "_"):
            argument, place = _argument(tokens, place + 1)
            scripts.setdefault(token, []).extend(argument)
            continue
        if token == "'":
            scripts.setdefault("^", []).append("\\prime")
            place += 1
            continue
        flush()
        command, place = _command(tokens, place)
        found += command
    flush()
    return found, -1


def _command(tokens: Sequence[str], place: int) -> tuple[list[str], int]:
    """A token with the arguments that it takes, each in braces, and the place behind them."""
    token = tokens[place]
    found, place = [token], place + 1
    if token == "\\sqrt" and place < len(tokens) and tokens[place] == "[":
        end = next((n for n in range(place, len(tokens)) if tokens[n] in "]{}"), len(tokens))
        if tokens[end : end + 1] != ["]"]:
            raise InputError("LaTeX: \\sqrt[ without its ]; correct the formula")
        found += tokens[place : end + 1]
        place = end + 1
    for _ in range(_ARGUMENTS.get(token, 0)):
        argument, place = _argument(tokens, place)
        found += ["{", *argument, "}"]
    return found, place


def _argument(tokens: Sequence[str], place: int) -> tuple[list[str], int]:
    """What a command or a script takes: the next group, environment or token, or nothing."""
    if place < 0 or place >= len(tokens) or tokens[place] in ("}", "^", "_", "'"):
        return [], place
    token = tokens[place]
    if token == "{":
        return _sequence(tokens, place + 1)
    if token.startswith("\\end{"):
        return [], place
    if token.startswith("\\begin{"):
        end, depth = place, 1
        while depth:
            end += 1
            depth += tokens[end].startswith("\\begin{") - tokens[end].startswith("\\end{")
        inside, _ = _sequence(tokens[place + 1 : end], 0)
        return [token, *inside, tokens[end]], end + 1
    return _command(tokens, place)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
