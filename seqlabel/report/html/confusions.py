"""The confusion matrix as an interactive picture."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from seqlabel.alphabet.phones import PHONE_CLASSES
from seqlabel.report.html.charts import element
from seqlabel.report.html.wording import label as shown_label
from seqlabel.scoring.results import Report

MATRIX_LABELS = 110
"""A matrix shows at most this many labels, those with the most errors."""
MATRIX_WIDTH = 640
"""Pixels of a matrix, as long as its fields stay between 9 and 18 pixels wide."""
SHADES = 6
"""Steps of the confusion matrix from one error to the most frequent confusion."""


@dataclass(frozen=True)
class Confusions:
    """picture; data: its counts, for the script; most: errors of the darkest field;
    omitted: labels that are not shown.
    """

    picture: Markup
    data: dict[str, Any]
    most: int
    omitted: int


def confusions(report: Report) -> Confusions:
    """Picture and counts of the confusions of a report, phones ordered by their class."""
    errors: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for (reference, read), count in report.confusions.items():
        totals[reference] += count
        errors[reference] += count * (reference != read)
        errors[read] += count * (reference != read)
    labels = sorted(errors.keys() - {""}, key=lambda label: (-errors[label], label))
    classes = list(dict.fromkeys(PHONE_CLASSES.values())) if report.unit == "phone" else []

    def group(label: str) -> int:
        name = PHONE_CLASSES.get(label)
        return classes.index(name) if name in classes else len(classes)

    shown = [*sorted(labels[:MATRIX_LABELS], key=lambda label: (group(label), label)), ""]
    places = {label: n for n, label in enumerate(shown)}
    matrix = np.zeros((len(shown), len(shown)), np.int64)
    for (reference, read), count in report.confusions.items():
        if reference in places and read in places:
            matrix[places[reference], places[read]] = count
    groups = [*map(group, shown[:-1]), -1]
    breaks = [n for n in range(1, len(shown)) if groups[n] != groups[n - 1]]
    row_totals = [totals[label] for label in shown]
    cells = [[int(r), int(c), int(matrix[r, c])] for r, c in np.argwhere(matrix)]
    return Confusions(
        matrix_chart(shown, matrix, row_totals, breaks),
        {"labels": shown, "cells": cells, "totals": row_totals},
        max((count for row, column, count in cells if row != column), default=0),
        len(labels) + 1 - len(shown),
    )


def matrix_chart(
    labels: Sequence[str],
    matrix: np.ndarray,
    totals: Sequence[int],
    breaks: Sequence[int] = (),
) -> Markup:
    """A confusion matrix: rows reference, columns hypothesis; darker fields are more frequent.

    labels: L names, "" for no label; matrix: (L, L) counts; totals: occurrences of each label in
    the references; breaks: positions where a new class of labels begins. Agreements are grey, by
    the share of the row; errors have SHADES steps, logarithmic in count. One path per shade keeps a
    matrix of 100 labels small; the script looks up the field under the pointer in the counts.
    """
    cell = max(9, min(18, MATRIX_WIDTH // len(labels)))
    names = [shown_label(label) for label in labels]
    margin = 10 + max(7 * min(6, max(map(len, names), default=1)), 14)
    size = len(labels) * cell
    fields: dict[str, list[str]] = {}
    top = max(1, int((matrix - np.diag(np.diag(matrix))).max(initial=0)))
    for row, column in np.argwhere(matrix).tolist():
        count = int(matrix[row, column])
        if row == column:
            shade = f"agree a{min(3, 4 * count // max(1, totals[row]))}"
        else:
            shade = f"confused e{_shade(count, top)}"
        x, y = margin + column * cell, margin + row * cell
        fields.setdefault(shade, []).append(f"M{x} {y}h{cell - 1}v{cell - 1}h-{cell - 1}z")
    parts = [element("rect", x=margin, y=margin, width=size, height=size, class_="ground")]
    parts += [element("path", d="".join(d), class_=shade) for shade, d in sorted(fields.items())]
    for n, name in enumerate(names):
        middle = margin + n * cell + cell / 2
        short = name if len(name) <= 6 else name[:5] + "…"
        parts.append(element("text", short, x=margin - 5, y=middle, class_="row", data_place=n))
        parts.append(
            element(
                "text", short, class_="column", data_place=n,
                transform=f"translate({middle:g} {margin - 5}) rotate(-90)",
            )
        )  # fmt: skip
    for place in breaks:
        at = margin + place * cell - 0.5
        parts.append(
            element("path", d=f"M{margin} {at}h{size}M{at} {margin}v{size}", class_="break")
        )
    parts.append(element("path", class_="cross", d=""))
    full = margin + size + 2
    return element(
        "svg", *parts, class_="chart matrix", width=full, height=full,
        viewBox=f"0 0 {full} {full}", tabindex="0", role="img", data_cell=cell,
        data_margin=margin, style=f"--label:{min(12, cell):g}px",
        aria_label="Confusion matrix: rows reference, columns hypothesis; use the arrow keys",
    )  # fmt: skip


def _shade(count: int, top: int) -> int:
    """0 for a single error up to SHADES - 1 for `top` errors, in equal ratios."""
    return 0 if top == 1 else round((SHADES - 1) * math.log(count) / math.log(top))
