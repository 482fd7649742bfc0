"""Charts of the report as inline SVG: escaped text, colours by CSS class, nothing loaded.

Elements with `data-tip` have a tooltip, which the page's script shows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from seqlabel.errors import inert
from seqlabel.report.html.wording import between, percent
from seqlabel.scoring.results import Counts, Interval


def element(name: str, *children: str, **attributes: object) -> Markup:
    """An SVG element; attribute `class_` is written class, `stroke_width` stroke-width."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(str(_number(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{Markup().join(map(_text, children))}</{name}>")


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def ticks(top: float, count: int = 5) -> list[float]:
    """Round numbers from 0 to `top` or beyond, about `count` of them."""
    if not top > 0:
        return [0.0, 1.0]
    rough = top / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def _text(child: str) -> Markup:
    return child if isinstance(child, Markup) else escape(inert(child))


def stacked_bar(counts: Counts, top: float) -> Markup:
    """S, D and I of a table row as one bar; `top` is the rate that fills the width."""
    length = 100.0 / (max(top, 1e-9) * max(1, counts.reference_tokens))
    parts, x = [], 0.0
    for kind, number in _kinds(counts):
        if number:
            parts.append(element("rect", class_=kind, x=x, width=number * length, height=8))
            x += number * length
    return element(
        "svg", *parts, class_="bar", viewBox="0 0 100 8", preserveAspectRatio="none",
        aria_hidden="true",
    )  # fmt: skip


def _kinds(counts: Counts) -> tuple[tuple[str, int], ...]:
    return ("s", counts.substitutions), ("d", counts.deletions), ("i", counts.insertions)


def rate_chart(rows: Sequence[tuple[str, Counts, Interval | None]]) -> Markup:
    """One bar per system: substitutions, deletions and insertions, with the interval of the rate.

    Horizontal positions are percentages of the width, so that text keeps its size on a phone.
    """
    scale = ticks(max(max(c.rate, sure.high if sure else 0.0) for _, c, sure in rows))
    named = len(rows) > 1
    row_height = 46 if named else 30
    height = row_height * len(rows) + 6

    def x(rate: float) -> str:
        return f"{96 * rate / scale[-1]:.3f}%"

    parts = [
        part
        for tick in scale
        for part in (
            element("line", class_="rule", x1=x(tick), x2=x(tick), y1=0, y2=height),
            element(
                "text", f"{100 * tick:g}" + ("\u00a0%" if tick == scale[-1] else ""),
                x=x(tick), y=height + 14, class_="tick" + (" first" if tick == 0 else ""),
            ),
        )
    ]  # fmt: skip
    for n, (name, counts, interval) in enumerate(rows):
        y = n * row_height + (22 if named else 6)
        if named:
            parts.append(element("text", name, x=0, y=y - 6, class_="name"))
        start = 0.0
        for (kind, number), noun in zip(
            _kinds(counts), ("substitutions", "deletions", "insertions"), strict=True
        ):
            share = number / max(1, counts.reference_tokens)
            parts.append(
                element(
                    "rect", class_=f"mark {kind}", x=x(start), width=x(share), y=y, height=18,
                    data_tip=f"{number} {noun}, {percent(share)} of the reference",
                )
            )  # fmt: skip
            start += share
        if interval:
            low, high = x(interval.low), x(interval.high)
            strokes = ((low, high, 9, 9), (low, low, 4, 14), (high, high, 4, 14))
            parts += [
                element("line", x1=left, x2=right, y1=y + top, y2=y + bottom, class_=class_, **tip)
                for class_, tip in (("halo", {}), ("whisker", {"data_tip": between(interval)}))
                for left, right, top, bottom in strokes
            ]
    return element(
        "svg", *parts, class_="chart rates", width="100%", height=height + 20, role="img",
        aria_label="Error rates with their intervals",
    )  # fmt: skip


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 220, 42, 10, 12, 34


def curve_chart(
    identifier: str,
    label: str,
    epochs: Sequence[float],
    series: Mapping[str, Sequence[float]],
    as_percent: bool = False,
) -> Markup:
    """Lines over epochs. Values that are not finite leave gaps.

    identifier: names the chart for the script, which finds the values under the same name.
    Losses that span more than a factor of five are drawn on a logarithmic scale.
    """
    values = np.array([v for line in series.values() for v in line], np.float64)
    values = values[np.isfinite(values)]
    if not len(values) or not len(epochs):
        return Markup()
    low, high = float(values.min()), float(values.max())
    logarithmic = not as_percent and low > 0 and high / low > 5
    if logarithmic:
        marks = _log_ticks(low, high)
        bottom, top = math.log(min(low, marks[0])), math.log(max(high, marks[-1]))
    else:
        marks = ticks(high)
        bottom, top = 0.0, marks[-1]
    first, last = float(min(epochs)), float(max(epochs))

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - first) / max(1e-9, last - first)

    def y(value: float) -> float:
        value = math.log(value) if logarithmic else value
        return TOP + (HEIGHT - TOP - BOTTOM) * (top - value) / max(1e-9, top - bottom)

    parts = []
    for mark in marks:
        parts.append(
            element("line", class_="rule", x1=LEFT, x2=WIDTH - RIGHT, y1=y(mark), y2=y(mark))
        )
        text = f"{100 * mark:g}" if as_percent else f"{mark:g}"
        parts.append(element("text", text, class_="tick y", x=LEFT - 6, y=y(mark) + 4))
    for mark in ticks(last):
        if first <= mark <= last and mark == int(mark):
            parts.append(
                element("text", f"{mark:g}", class_="tick", x=x(mark), y=HEIGHT - BOTTOM + 16)
            )
    parts.append(element("text", "epoch", class_="tick", x=(LEFT + WIDTH) / 2, y=HEIGHT - 3))
    for n, (name, line) in enumerate(series.items()):
        parts.append(element("path", d=_path(epochs, line, x, y), class_=f"line c{n % 6}"))
        if as_percent and np.isfinite(line).any():
            best = int(np.nanargmin(np.where(np.isfinite(line), line, np.nan)))
            tip = f"{name}: best {percent(line[best])} in epoch {epochs[best]:g}"
            parts.append(
                element(
                    "circle", cx=x(epochs[best]), cy=y(line[best]), r=4, class_=f"mark c{n % 6}",
                    data_tip=tip,
                )
            )  # fmt: skip
    parts.append(element("line", class_="cursor", y1=TOP, y2=HEIGHT - BOTTOM))
    return element(
        "svg", *parts, class_="chart curve", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
        aria_label=f"{label} over epochs", data_curve=identifier,
        data_frame=f"{LEFT},{WIDTH - RIGHT},{first:g},{last:g}",
    )  # fmt: skip


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    return [m for m in marks if low * 0.8 <= m <= high * 1.25] or [low, high]


def _path(epochs: Sequence[float], line: Sequence[float], x: Any, y: Any) -> str:
    steps, pen = [], "M"
    for epoch, value in zip(epochs, line, strict=True):
        if math.isfinite(value):
            steps.append(f"{pen}{x(epoch):.1f} {y(value):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(steps)
