"""The learning curves of a run, from the log.csv of its model directory."""

import csv
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from seqlabel.errors import InputError
from seqlabel.files import read_text


@dataclass(frozen=True)
class Curves:
    """Columns of a log by name, each with one number an epoch; NaN where a field is empty."""

    epochs: tuple[float, ...]
    columns: Mapping[str, tuple[float, ...]]

    def some(self, **wanted: str) -> dict[str, tuple[float, ...]]:
        """{title: values} for the columns named as keys that hold any number."""
        return {
            title: self.columns[name]
            for name, title in wanted.items()
            if any(map(math.isfinite, self.columns.get(name, ())))
        }


def read_curves(path: str | os.PathLike[str]) -> Curves:
    """Read a log.csv: a header with `epoch`, then one line an epoch; InputError names the line."""
    rows = list(csv.reader(read_text(path).splitlines()))
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
