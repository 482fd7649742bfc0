"""Reports of predicted values: text and JSON, and predictions as files."""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.errors import InputError, one_line
from seqlabel.files import read_jsonl, whole_file, write_json
from seqlabel.scoring.values import Prediction, ValueReport

ROWS = 20
"""Maximum number of columns and utterances in the text; score.json has all columns."""

NOT_COMPARABLE = (
    "The systems are scored on different utterances, persistence on those of the first: their "
    "errors are not comparable"
)


def prediction_row(name: str, frames: np.ndarray, gaussian: bool) -> dict[str, Any]:
    """A line of a prediction file, from outputs (T, D), or (T, 2D): means, then deviations."""
    size = frames.shape[1] // 2 if gaussian else frames.shape[1]
    row = {"id": name, "values": _rows(frames[:, :size])}
    return {**row, "deviations": _rows(frames[:, size:])} if gaussian else row


def _rows(values: np.ndarray) -> list[list[float]]:
    """Numbers with the fewest digits that identify a float32."""
    return [[float(str(value)) for value in row] for row in values.astype(np.float32)]


def read_header(path: Path) -> dict[str, Any] | None:
    """The header of a prediction file; None for any other file."""
    if path.suffix != ".jsonl" or not path.is_file():
        return None
    first = next(iter(read_jsonl(path)), (0, {}))[1]
    return first if isinstance(first.get("values"), dict) and "id" not in first else None


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Predictions by id; InputError names file and line of a malformed entry."""
    found: dict[str, Prediction] = {}
    for number, row in _without_header(path):
        where = f"{path}:{number}"
        key = row.get("id")
        if not isinstance(key, str) or key in found:
            raise InputError(
                f"{where}: no id, or one that occurs twice; write the file with seqlabel decode"
            )
        arrays = []
        for name in ("values", "deviations"):
            try:
                array = np.array(row[name], np.float64) if name in row else None
            except (TypeError, ValueError, OverflowError):
                array = np.zeros(0)
            if (array is None and name == "values") or (array is not None and array.ndim != 2):
                raise InputError(f"{where}: {name} of {key!r} are not rows of numbers")
            arrays.append(array)
        assert arrays[0] is not None
        found[key] = Prediction(arrays[0], arrays[1])
    return found


def _without_header(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = iter(read_jsonl(path))
    next(rows, None)
    return rows


def values_to_text(
    reports: Sequence[ValueReport], baseline: ValueReport, details: bool = True
) -> str:
    """The text report: every system, then persistence."""
    lines = []
    for report in (*reports, baseline):
        nats = (
            "" if report.nats_per_frame is None else f", {report.nats_per_frame:.4g} nats per frame"
        )
        lines.append(
            f"{one_line(report.name)}: RMSE {report.rmse:.4g}, MAE {report.mae:.4g}, "
            f"R² {number(report.r2, '.4f')}{nats}"
        )
    first = reports[0]
    if same_values(reports):
        lines.append(f"  {extent(first)}")
    else:
        lines += [f"  {one_line(report.name)}: {extent(report)}" for report in reports]
        lines.append(f"  {NOT_COMPARABLE}")
    for report in reports:
        if report.decoder:
            lines.append(f"  {one_line(report.name)}: {one_line(report.decoder)}")
    for fingerprint in dict.fromkeys(report.reference_fingerprint for report in reports):
        lines.append(f"  references {fingerprint}")
    if details and len(first.counts) > 1:
        lines += ["", "By column", "  column  RMSE        MAE         R²"]
        for n, row in enumerate(first.dimensions()[:ROWS]):
            rmse, mae, r2 = number(row["rmse"]), number(row["mae"]), number(row["r2"], ".4f")
            lines.append(f"  {n:<6}  {rmse:<10}  {mae:<10}  {r2}")
        if len(first.counts) > ROWS:
            lines.append(f"  ... {len(first.counts) - ROWS} more")
    if details:
        lines += ["", "Largest errors"]
        worst = sorted(first.utterances.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {one_line(key)}: RMSE {rmse:.4g}" for key, rmse in worst[:ROWS]]
    return "\n".join(lines) + "\n"


def same_values(reports: Sequence[ValueReport]) -> bool:
    """Whether all systems are scored on the same values."""
    return len({report.reference_fingerprint for report in reports}) == 1


def extent(report: ValueReport) -> str:
    """What a system is scored on, and what it lacks."""
    return (
        f"{int(report.counts.sum())} values in {report.frames} frames of "
        f"{len(report.utterances)} utterances; {len(report.missing)} without a prediction left out"
    )


def number(value: float, form: str = ".4g") -> str:
    """A number in a format; a dash if it is not defined."""
    return format(value, form) if math.isfinite(value) else "–"


def values_to_json(reports: Sequence[ValueReport], baseline: ValueReport) -> dict[str, Any]:
    """The totals of the first system, of all systems if there are several, and of persistence.

    "same_values" is whether several systems are scored on the same values.
    """
    value = reports[0].to_json()
    if len(reports) > 1:
        value["systems"] = [report.to_json() for report in reports]
        value["same_values"] = same_values(reports)
    value["persistence"] = {
        key: value for key, value in baseline.to_json().items() if key in _BASELINE
    }
    return value


_BASELINE = ("rate", "rmse", "mae", "r2")


def write_values(
    reports: Sequence[ValueReport], baseline: ValueReport, folder: str | os.PathLike[str]
) -> None:
    """Write score.txt and score.json into a folder, each whole or not at all."""
    folder = Path(folder)
    with whole_file(folder / "score.txt") as stream:
        stream.write(values_to_text(reports, baseline))
    write_json(folder / "score.json", values_to_json(reports, baseline))
