"""Results of an experiment: one line per cell, with a value per seed, and expectations."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Line:
    """The results of one cell for each seed, in their order."""

    experiment: str
    cell: str
    weights: int
    measure: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)


@dataclass(frozen=True)
class Claim:
    """An expectation from the literature, and whether these runs meet it."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Outcome:
    lines: tuple[Line, ...]
    claims: tuple[Claim, ...]


def number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def table(lines: Sequence[Line]) -> str:
    """Markdown, padded for reading as it is."""
    rows = [("experiment", "cell", "weights", "measure", "median", "each seed")]
    for line in lines:
        each = " ".join(map(number, line.values))
        median_ = number(line.median)
        rows.append((line.experiment, line.cell, str(line.weights), line.measure, median_, each))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    )
