"""Formats of numbers in the report, and values for its script."""

import json
import string
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from seqlabel.errors import inert
from seqlabel.scoring.comparison import Comparison
from seqlabel.scoring.results import Interval, Report
from seqlabel.scoring.statistics import PairedTest

METRICS = {
    "PER": "Phone", "CER": "Character", "WER": "Word", "SER": "Symbol", "TER": "Token",
}  # fmt: skip


def letter(n: int) -> str:
    """The letter for system n, used if its name is too long."""
    return string.ascii_uppercase[n % 26]


def label(text: str) -> str:
    """A label in visible characters."""
    return {" ": "␣", "": "∅"}.get(text, text)


def thousands(number: int) -> str:
    """1234 as "1 234", with a narrow space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def percent(rate: float, digits: int = 1) -> str:
    """0.2284 as "22.8 %", with a space that does not break."""
    return f"{100 * rate:.{digits}f}\u00a0%"


def rate(report: Report, digits: int = 1) -> str:
    """The error rate in per cent; undefined without reference labels."""
    return percent(report.rate, digits) if report.counts.reference_tokens else "undefined"


def metrics_beside(reports: Sequence[Report]) -> list[str]:
    """The metrics in `also` of any of the reports, each once."""
    return list(dict.fromkeys(other.metric for report in reports for other in report.also))


def between(interval: Interval) -> str:
    """An interval as text."""
    return f"{percent(interval.level, 0)} interval {bounds(interval)}"


def bounds(interval: Interval) -> str:
    """The ends of an interval of rates."""
    return f"{100 * interval.low:.1f}–{percent(interval.high)}"


def doubt(interval: Interval) -> str:
    """Why not to rely on an interval, "" where there is no reason."""
    return f"{interval.units} {interval.over}, too few to rely on" if interval.doubtful else ""


def points(rate: float) -> str:
    """A signed difference of rates in points of per cent."""
    return _minus(f"{100 * rate:+.2f}")


def chance(p: float) -> str:
    """The p-value of a test."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def statistic(test: PairedTest) -> str:
    """The statistic of a test, with its name."""
    if test.name == "bootstrap":
        return f"{points(test.statistic)} points"
    if test.name == "sign":
        return f"{test.statistic:g} for A"
    return _minus(f"Z = {test.statistic:.2f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def wins(pair: Comparison) -> int:
    """Utterances with fewer errors of the second system."""
    return sum(one.second_errors < one.first_errors for one in pair.differing)


def wrong_share(report: Report) -> float:
    """Share of the utterances that have an error."""
    return report.sentence_errors / max(1, len(report.utterances))


def embedded_json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no `<` ends it early.

    Control characters of its strings are escaped.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in {c for c in set(text) if inert(c) != c}:
        text = text.replace(character, inert(character).replace("\\", "\\\\"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


FILTERS = {
    function.__name__: function
    for function in (
        letter, label, thousands, percent, rate, metrics_beside, between, bounds, doubt, points,
        chance, statistic, wins, wrong_share, embedded_json,
    )
}  # fmt: skip
"""Functions for the templates, by name."""
