"""The learning curves of a run, from the log.csv of its model directory."""

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from seqlabel.errors import InputError
from seqlabel.files import read_text
from seqlabel.report.html.charts import curve_chart


@dataclass(frozen=True)
class Curves:
    """Columns of a log by name, each with one number per epoch; NaN for empty fields."""

    epochs: tuple[float, ...]
    columns: Mapping[str, tuple[float, ...]]

    def some(self, **wanted: str) -> dict[str, tuple[float, ...]]:
        """{title: values} for the columns named as keys that have any number."""
        return {
            title: self.columns[name]
            for name, title in wanted.items()
            if any(map(math.isfinite, self.columns.get(name, ())))
        }


def read_curves(path: str | os.PathLike[str]) -> Curves:
    """Read a log.csv: a header with `epoch`, then one line per epoch; InputError names the line."""
    try:
        rows = list(csv.reader(read_text(path).splitlines()))
    except csv.Error as error:
        raise InputError(f"{path}: not a table of values ({error}); copy the log again") from None
    if not rows or "epoch" not in rows[0]:
        raise InputError(f"{path}: no column 'epoch'; expected the log.csv of a model directory")
    header = rows[0]
    values: dict[str, list[float]] = {name: [] for name in header}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(header):
            raise InputError(
                f"{path}:{number}: {len(row)} fields, the header has {len(header)}; was it cut off?"
            )
        for name, field in zip(header, row, strict=True):
            values[name].append(_number(field))
    if not all(map(math.isfinite, values["epoch"])):
        raise InputError(f"{path}: an epoch is not a number")
    epochs = tuple(values.pop("epoch"))
    return Curves(epochs, {name: tuple(column) for name, column in values.items()})


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return math.nan


@dataclass(frozen=True)
class CurveFigure:
    """A chart, its heading, and its values, which the script finds as `id`."""

    id: str
    label: str
    picture: Markup
    data: dict[str, Any]


def curve_figures(
    metric: str, names: Sequence[str], logs: Sequence[Curves | None]
) -> Iterator[CurveFigure]:
    """Losses and error rate of one run, or error rates and losses of several runs together.

    names: of the runs; logs: of the runs, None if there is none.
    """
    known = {name: log for name, log in zip(names, logs, strict=False) if log is not None}
    rate = f"{metric} on development data"
    if len(known) == 1:
        (log,) = known.values()
        plots = [
            ("Loss", log.epochs, log.some(train_loss="training", dev_loss="development")),
            (rate, log.epochs, log.some(dev_error_rate=metric)),
        ]
    else:
        epochs = tuple(sorted({epoch for log in known.values() for epoch in log.epochs}))
        plots = [
            (rate, epochs, _joined(known, "dev_error_rate", epochs)),
            ("Loss on development data", epochs, _joined(known, "dev_loss", epochs)),
            ("Loss on training data", epochs, _joined(known, "train_loss", epochs)),
        ]
    for n, (label, epochs, series) in enumerate(plots):
        if not series:
            continue
        share = label == rate
        values = {
            name: [round(100 * v if share else v, 4) if math.isfinite(v) else None for v in line]
            for name, line in series.items()
        }
        yield CurveFigure(
            f"curve{n}",
            label,
            curve_chart(f"curve{n}", label, epochs, series, share),
            {"epochs": epochs, "series": values, "unit": "\u00a0%" if share else ""},
        )


def _joined(
    logs: Mapping[str, Curves], column: str, epochs: Sequence[float]
) -> dict[str, tuple[float, ...]]:
    """One column of several logs over all their epochs, NaN if a run has none."""
    series = {}
    for name, log in logs.items():
        for values in log.some(**{column: name}).values():
            by_epoch = dict(zip(log.epochs, values, strict=True))
            series[name] = tuple(by_epoch.get(epoch, math.nan) for epoch in epochs)
    return series
