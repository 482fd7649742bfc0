"""The text of an InkML trace: points with explicit values or differences for each channel.

Grammar and semantics: W3C Recommendation InkML (20 September 2011), section 3.2.1.
"""

import itertools
import re

from seqlabel.errors import InputError

_PLAIN = re.compile(r"[\s\d.,eE+-]*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|(?<![\d.])\.\d+)(?:[eE][+-]?\d+)?")
_VALUE = re.compile(
    r"""\s*(?P<mark>[!'"]?)\s*(?:(?P<sign>[+-]?)\s*"""
    r"""(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|\#(?P<hexadecimal>[\dA-Fa-f]{1,64}))"""
    r"""|(?P<word>[TF*?]))"""
)


def decode_trace(text: str) -> list[list[float]]:
    """Values of each point of a trace; NaN for `?`.

    Raises InputError for text outside the grammar, and for `*` or a difference without a previous
    value.
    """
    points = text.strip().rstrip(",").split(",")
    if points == [""]:
        return []
    if _PLAIN.fullmatch(text):
        return [_explicit(point) for point in points]
    channels: list[_Channel] = []
    rows = []
    for point in points:
        position = 0
        row: list[float] = []
        point = point.rstrip()
        while position < len(point):
            match = _VALUE.match(point, position)
            if match is None:
                raise InputError(f"{point[position:].strip()[:20]!r} is not a value of a trace")
            if len(row) == len(channels):
                channels.append(_Channel())
            row.append(channels[len(row)].read(match))
            position = match.end()
        rows.append(row)
    return rows


def _explicit(point: str) -> list[float]:
    try:
        return [float(number) for number in point.split()]
    except ValueError:
        pass  # "3-5" is two values
    numbers = _NUMBER.findall(point)
    if sum(map(len, numbers)) != sum(map(len, point.split())):
        raise InputError(f"{point.strip()[:40]!r} is not a row of numbers")
    return [float(number) for number in numbers]


class _Channel:
    """The running state of one channel: its mark, last value, difference, second difference."""

    def __init__(self) -> None:
        self.mark = "!"
        self.value: float | None = None
        self.difference = 0.0
        self.second = 0.0

    def read(self, match: re.Match[str]) -> float:
        """The next value; a mark stays in force until the next one."""
        self.mark = match["mark"] or self.mark
        if match["word"] == "?":
            return float("nan")
        if match["word"] == "*":
            if self.value is None:
                raise InputError("'*' repeats a value, but none stands before it")
            number = {"!": self.value, "'": self.difference, '"': self.second}[self.mark]
        elif match["word"]:
            number = float(match["word"] == "T")
        else:
            number = float(match["number"] or int(match["hexadecimal"], 16))
            number = -number if match["sign"] == "-" else number
        if self.mark == "!":
            self.difference = number - self.value if self.value is not None else 0.0
            self.value = number
            return number
        if self.value is None:
            raise InputError(f"a difference ({match[0].strip()}) without a value before it")
        if self.mark == '"':
            self.second = number
            number += self.difference
        self.difference = number
        self.value += number
        return self.value


def encode_trace(rows: list[list[str]]) -> str:
    """The text of a trace with explicit values, given as rows of formatted numbers."""
    return ", ".join(" ".join(row) for row in rows)


def encode_differences(rows: list[list[int]], order: int) -> str:
    """The text of a trace with first (`order` 1) or second (2) differences of rows of integers."""
    columns = [_encode_column(list(column), order) for column in zip(*rows, strict=True)]
    words = [_join(list(point)) for point in zip(*columns, strict=True)]
    return ",".join(words)


def _encode_column(values: list[int], order: int) -> list[str]:
    steps = [b - a for a, b in itertools.pairwise(values)]
    words = [str(values[0])]
    if order == 1:
        return words + [("'" if n == 0 else "") + str(step) for n, step in enumerate(steps)]
    seconds = [b - a for a, b in itertools.pairwise(steps)]
    words += [f"'{step}" for step in steps[:1]]
    return words + [('"' if n == 0 else "") + str(second) for n, second in enumerate(seconds)]


def _join(words: list[str]) -> str:
    """The values of a point, with a blank only where no mark or minus sign separates them."""
    text = words[0]
    for word in words[1:]:
        text += word if word[0] in "'\"-" else f" {word}"
    return text
