"""The HTML report: one file that shows scores, errors and evidence, and loads nothing.

Everything that comes from data is escaped by the template engine or set as text by the page's
script; a content security policy in the page lets only that one script run.
"""

import base64
import functools
import hashlib
import json
import os
import string
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from seqlabel.alphabet.phones import PHONE_CLASSES
from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.scoring.comparison import Comparison, compare
from seqlabel.scoring.evidence import Evidence
from seqlabel.scoring.html import charts
from seqlabel.scoring.html.aligned import Column, columns
from seqlabel.scoring.html.curves import Curves, read_curves
from seqlabel.scoring.html.panels import panel
from seqlabel.scoring.results import Report, UtteranceScore
from seqlabel.scoring.statistics import PairedTest, Spread

PARTS = Path(__file__).with_name("html")

EVIDENCE_UTTERANCES = 200
EVIDENCE_BYTES = 8_000_000
"""Evidence is shown for this many utterances at most, as long as it fits into this many bytes."""
ALIGNED_UTTERANCES = 1000
LISTED_UTTERANCES = 5000
"""So many utterances are shown with their alignment, and so many more by id and errors only."""
MATRIX_LABELS = 110
"""A confusion matrix shows at most this many labels, those with the most errors."""
LONG_TABLE = 200
"""Rows of the tables of confusions and of utterances that systems read differently."""

SHOWS = {
    "speech": "Sound, spectrogram and posteriors",
    "ink": "Ink and posteriors",
}
NAMES = {"PER": "Phone", "CER": "Character", "WER": "Word", "SER": "Symbol"}


@dataclass(frozen=True)
class Row:
    """One utterance as every system read it.

    scores: None where a system lacks the utterance; panel, shows: its evidence, and what that is.
    """

    id: str
    scores: tuple[UtteranceScore | None, ...]
    panel: Markup | None = None
    shows: str = ""

    @property
    def first(self) -> UtteranceScore:
        """The score of the first system that has the utterance."""
        return next(score for score in self.scores if score is not None)

    @property
    def errors(self) -> int:
        """Errors of the system that fared worst."""
        return max(score.counts.errors for score in self.scores if score is not None)

    @property
    def rate(self) -> float:
        """Error rate of the system that fared worst."""
        return max(score.counts.rate for score in self.scores if score is not None)

    @property
    def differs(self) -> bool:
        """Whether the systems read it differently."""
        return len({score and score.hypothesis for score in self.scores}) > 1

    @property
    def spread(self) -> int:
        """By how many errors the systems differ."""
        errors = [score.counts.errors for score in self.scores if score is not None]
        return max(errors) - min(errors)

    def columns(self) -> list[Column]:
        """The aligned labels."""
        return columns([None if score is None else score.ops for score in self.scores])


def write_html(
    reports: Sequence[Report],
    path: str | os.PathLike[str],
    evidence: Sequence[Mapping[str, Evidence] | None] = (),
    curves: Sequence[str | os.PathLike[str] | None] = (),
    comparisons: Sequence[Comparison] | None = None,
    runs: Spread | None = None,
    title: str = "",
) -> None:
    """Write one self-contained HTML page about one system, or about several compared.

    reports: the systems, the baseline first.
    evidence: per report, id -> what `seqlabel decode --evidence` kept; shown for the
        EVIDENCE_UTTERANCES worst utterances that have it.
    curves: per report, the log.csv of its run.
    comparisons: of each further system with the baseline; None computes them, () shows none.
    runs: mean and spread, when the reports are runs of one recipe.
    title: defaults to the names of the reports.
    Raises InputError for an unreadable log, for more evidence or logs than reports, and for
    reports that `compare` finds not comparable.
    """
    reports = tuple(reports)
    for what, given in (("evidence", evidence), ("log", curves)):
        if len(given) > len(reports):
            raise InputError(f"{len(given)} {what} files for {len(reports)} reports; give one each")
    logs = [read_curves(log) if log is not None else None for log in curves]
    if comparisons is None:
        comparisons = [compare(reports[0], other) for other in reports[1:]]
    rows = _rows(reports, [found or {} for found in evidence])
    title = title or " · ".join(report.name for report in reports)
    text = _page(reports, rows, logs, comparisons, runs, title)
    with whole_file(path) as stream:
        stream.write(text)


def _rows(reports: Sequence[Report], evidence: Sequence[Mapping[str, Evidence]]) -> list[Row]:
    """Utterances of all systems: those that systems read differently first, then the worst."""
    by_id = [{score.id: score for score in report.utterances} for report in reports]
    rows = [_row(key, by_id) for key in dict.fromkeys(key for scores in by_id for key in scores)]
    rows.sort(key=lambda row: (-row.spread, -row.rate, -row.errors, row.id))
    with_evidence = [
        (n, found)
        for n, row in enumerate(rows[:ALIGNED_UTTERANCES])
        if any(found := [kept.get(row.id) for kept in evidence])
    ][:EVIDENCE_UTTERANCES]
    with ThreadPoolExecutor() as pool:  # most of the time goes into sound and picture coding
        panels = pool.map(lambda job: _json(panel(job[1])), with_evidence)
        room = EVIDENCE_BYTES
        for (n, found), data in zip(with_evidence, panels, strict=True):
            if len(data) <= room:
                kind = next(item.kind for item in found if item is not None)
                rows[n] = replace(rows[n], panel=data, shows=SHOWS[kind])
                room -= len(data)
    return rows


def _row(key: str, by_id: Sequence[Mapping[str, UtteranceScore]]) -> Row:
    """One utterance; a system that was scored on another reference of it counts as without it."""
    scores = [scores.get(key) for scores in by_id]
    reference = next(score.reference for score in scores if score is not None)
    return Row(
        key, tuple(s if s is not None and s.reference == reference else None for s in scores)
    )


def _json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no `<` ends it early."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _matrix(report: Report) -> dict[str, Any]:
    """Picture and counts of the confusions, phones ordered by their class."""
    labels, matrix = report.confusion_matrix()
    wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    names = list(dict.fromkeys(PHONE_CLASSES.values())) if report.unit == "phone" else []

    def place(k: int) -> tuple[int, str]:
        group = PHONE_CLASSES.get(labels[k], "")
        return names.index(group) if group in names else len(names), labels[k]

    kept = sorted(range(len(labels) - 1), key=lambda k: -wrong[k])[:MATRIX_LABELS]
    order = [*sorted(kept, key=place), len(labels) - 1]
    shown = matrix[np.ix_(order, order)]
    cells = [[int(r), int(c), int(shown[r, c])] for r, c in zip(*np.nonzero(shown), strict=True)]
    shown_labels = [labels[k] for k in order]
    groups = [place(k)[0] for k in order[:-1]] + [-1]
    breaks = [n for n in range(1, len(order)) if groups[n] != groups[n - 1]]
    cell = max(9, min(18, 640 // len(order)))
    return {
        "picture": charts.matrix_chart(shown_labels, shown, cell, breaks),
        "data": {"labels": shown_labels, "cells": cells},
        "most": int(max((count for r, c, count in cells if r != c), default=0)),
        "omitted": len(labels) - len(order),
    }


def _curve_charts(reports: Sequence[Report], logs: Sequence[Curves | None]) -> Iterator[dict]:
    """Charts of one run's losses and error rate, or of several runs' error rates and losses."""
    metric = reports[0].metric
    known = [(r.name, log) for r, log in zip(reports, logs, strict=False) if log is not None]
    if len(known) == 1:
        log = known[0][1]
        plots = [
            ("Loss", False, log.epochs, log.some(train_loss="training", dev_loss="development")),
            (f"{metric} on development data", True, log.epochs, log.some(dev_error_rate=metric)),
        ]
    else:
        epochs = tuple(sorted({epoch for _, log in known for epoch in log.epochs}))
        plots = [
            (label, share, epochs, _joined(known, column, epochs))
            for label, share, column in (
                (f"{metric} on development data", True, "dev_error_rate"),
                ("Loss on development data", False, "dev_loss"),
                ("Loss on training data", False, "train_loss"),
            )
        ]
    for n, (label, share, epochs, series) in enumerate(plots):
        picture = charts.curve_chart(f"curve{n}", label, epochs, series, share) if series else ""
        if picture:
            scale = 100 if share else 1
            values = {
                name: [round(scale * v, 4) if np.isfinite(v) else None for v in line]
                for name, line in series.items()
            }
            data = {"epochs": epochs, "series": values, "unit": "\u00a0%" if share else ""}
            yield {"id": f"curve{n}", "label": label, "picture": picture, "data": data}


def _joined(
    known: Sequence[tuple[str, Curves]], column: str, epochs: Sequence[float]
) -> dict[str, tuple[float, ...]]:
    """One column of several logs over all their epochs, NaN where a run has none."""
    series = {}
    for name, log in known:
        for values in log.some(**{column: name}).values():
            by_epoch = dict(zip(log.epochs, values, strict=True))
            series[name] = tuple(by_epoch.get(epoch, float("nan")) for epoch in epochs)
    return series


def _page(
    reports: Sequence[Report],
    rows: list[Row],
    logs: Sequence[Curves | None],
    comparisons: Sequence[Comparison],
    runs: Spread | None,
    title: str,
) -> str:
    script = "".join((PARTS / name).read_text("utf-8") for name in ("page.js", "evidence.js"))
    bars = [
        (f"{string.ascii_uppercase[n % 26]} {report.name}", report.counts, report.interval)
        for n, report in enumerate(reports)
    ]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(
        title=title,
        reports=reports,
        alike=len({(r.reference_fingerprint, r.protocol, r.costs) for r in reports}) == 1,
        names=NAMES,
        comparisons=comparisons,
        runs=runs,
        rates=charts.rate_chart(bars),
        curves=list(_curve_charts(reports, logs)),
        matrices=[_matrix(report) for report in reports],
        aligned=rows[:ALIGNED_UTTERANCES],
        listed=rows[ALIGNED_UTTERANCES : ALIGNED_UTTERANCES + LISTED_UTTERANCES],
        unlisted=max(0, len(rows) - ALIGNED_UTTERANCES - LISTED_UTTERANCES),
        panels=sum(row.panel is not None for row in rows),
        total=len(rows),
        places={row.id: n for n, row in enumerate(rows[:ALIGNED_UTTERANCES])},
        confusion_rows=LONG_TABLE,
        differing_rows=LONG_TABLE,
        style=Markup((PARTS / "style.css").read_text("utf-8")),
        script=Markup(script),
        script_digest=digest,
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PARTS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = charts.percent
    environment.filters["thousands"] = lambda number: f"{number:,}".replace(",", "\u202f")
    environment.filters["between"] = charts.between
    environment.filters["bounds"] = charts.bounds
    environment.filters["wrong_share"] = lambda r: r.sentence_errors / max(1, len(r.utterances))
    environment.filters["points"] = lambda rate: f"{100 * rate:+.2f}".replace("-", "−")
    environment.filters["chance"] = lambda p: f"{p:.3f}" if p >= 0.001 else "< 0.001"
    environment.filters["statistic"] = _statistic
    environment.filters["wins"] = _wins
    environment.filters["json"] = _json
    environment.globals["stacked_bar"] = charts.stacked_bar
    return environment.get_template("report.html")


def _statistic(test: PairedTest) -> str:
    """What the test measured, with what it is."""
    if test.name == "bootstrap":
        return f"{100 * test.statistic:+.2f} points".replace("-", "−")
    if test.name == "sign":
        return f"{test.statistic:g} for A"
    return f"Z = {test.statistic:.2f}".replace("-", "−")


def _wins(pair: Comparison) -> int:
    """Utterances that the second system read with fewer errors."""
    return sum(one.second_errors < one.first_errors for one in pair.differing)
