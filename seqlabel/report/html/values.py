"""The HTML report of predicted values: a table of the systems, and lines over time."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from seqlabel.errors import inert
from seqlabel.files import whole_file
from seqlabel.report.html.charts import element
from seqlabel.report.values import NOT_COMPARABLE, extent, number, same_values
from seqlabel.scoring.values import ValueReport

PARTS = Path(__file__).parent
UTTERANCES, COLUMNS, POINTS = 6, 4, 400
"""Pictures of so many utterances, so many of their columns, and so many frames from the start."""

WIDTH, HEIGHT, LEFT, MARGIN = 800, 150, 60, 12


def write_value_page(
    reports: Sequence[ValueReport],
    baseline: ValueReport,
    lines: Mapping[str, Mapping[str, np.ndarray]],
    path: str | os.PathLike[str],
) -> None:
    """Write one self-contained page.

    lines: name ("true", then one for each system) -> utterance id -> (T, D). Shown are the
    utterances with the largest errors of the first system.
    """
    first = reports[0]
    worst = sorted(first.utterances, key=lambda key: (-first.utterances[key], key))[:UTTERANCES]
    pictures = [
        (key, first.utterances[key], [
            (column, series_chart({name: by_id[key][:POINTS, column]
                                   for name, by_id in lines.items() if key in by_id}))
            for column in range(min(COLUMNS, len(first.counts)))
        ])
        for key in worst
    ]  # fmt: skip
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PARTS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda v: inert(v) if isinstance(v, str) and not isinstance(v, Markup) else v,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "extent": extent}
    text = environment.get_template("values.html").render(
        reports=reports,
        baseline=baseline,
        pictures=pictures,
        names=list(lines),
        warning="" if same_values(reports) else f"{NOT_COMPARABLE}.",
        dimensions=first.dimensions()[:100],
        style=Markup((PARTS / "style.css").read_text("utf-8")),
    )
    with whole_file(path) as stream:
        stream.write(text)


def series_chart(lines: Mapping[str, np.ndarray]) -> Markup:
    """Lines over frames, on one scale; values that are not known leave gaps."""
    values = np.concatenate(list(lines.values()))
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    span = high - low or 1.0
    longest = max(map(len, lines.values()))
    parts = []
    for mark, y in ((high, MARGIN), (low, HEIGHT - MARGIN)):
        parts.append(element("line", class_="rule", x1=LEFT, x2=WIDTH, y1=y, y2=y))
        parts.append(element("text", f"{mark:.3g}", class_="tick y", x=LEFT - 6, y=y + 4))
    for n, (name, line) in enumerate(lines.items()):
        steps, pen = [], "M"
        for t, value in enumerate(line.tolist()):
            if not np.isfinite(value):
                pen = "M"
                continue
            x = LEFT + (WIDTH - LEFT) * t / max(1, longest - 1)
            y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / span
            steps.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        parts.append(element("path", d="".join(steps), class_=f"line c{n % 6}", data_tip=name))
    return element(
        "svg", *parts, class_="chart curve", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
        aria_label="true and predicted values over frames",
    )  # fmt: skip
