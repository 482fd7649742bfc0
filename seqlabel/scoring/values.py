"""Scores of predicted values: root mean squared error, mean absolute error, R²."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import fingerprint

METRIC = "RMSE"


@dataclass(frozen=True, eq=False)
class Prediction:
    """values: (T, D) predicted. deviations: (T, D) standard deviations, if known."""

    values: np.ndarray
    deviations: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ValueReport:
    """Errors of one system over all known values, for each of the D columns.

    counts: (D,) number of known values. squared, absolute: (D,) sums of errors. scatter: (D,) sums
    of the squared distances of the true values from their mean. nats: total -ln p of the values,
    None if the system gives no probabilities. frames: number of frames with a known value.
    missing: ids without a prediction, which are left out.
    """

    name: str
    counts: np.ndarray
    squared: np.ndarray
    absolute: np.ndarray
    scatter: np.ndarray
    nats: float | None
    frames: int
    utterances: Mapping[str, float]
    """Root mean squared error of each utterance."""
    reference_fingerprint: str
    decoder: str = ""
    missing: tuple[str, ...] = ()
    system: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rmse(self) -> float:
        """Root of the mean squared error of all values, in their units."""
        return math.sqrt(self.squared.sum() / self.counts.sum())

    @property
    def mae(self) -> float:
        """Mean absolute error of all values."""
        return float(self.absolute.sum() / self.counts.sum())

    @property
    def r2(self) -> float:
        """1 - squared errors / scatter, both summed over the D; NaN for constant values."""
        return _r2(float(self.squared.sum()), float(self.scatter.sum()))

    @property
    def rate(self) -> float:
        """Root mean squared error over the standard deviation of the true values, √(1 - R²)."""
        return math.sqrt(1 - self.r2) if self.scatter.sum() else math.nan

    @property
    def nats_per_frame(self) -> float | None:
        """Mean -ln p per frame."""
        return None if self.nats is None else self.nats / self.frames

    def dimensions(self) -> list[dict[str, float]]:
        """Root mean squared error, mean absolute error and R² of each of the D columns.

        NaN in a column without a known value.
        """
        return [
            {
                "rmse": math.sqrt(squared / count) if count else math.nan,
                "mae": float(absolute / count) if count else math.nan,
                "r2": _r2(squared, scatter),
            }
            for count, squared, absolute, scatter in zip(
                self.counts, self.squared, self.absolute, self.scatter, strict=True
            )
        ]

    def to_json(self) -> dict[str, Any]:
        """The totals, for `score.json`; undefined values are null."""
        return {
            "name": self.name,
            "metric": METRIC,
            "rate": _finite(self.rate),
            "rmse": self.rmse,
            "mae": self.mae,
            "r2": _finite(self.r2),
            "nats_per_frame": self.nats_per_frame,
            "values": int(self.counts.sum()),
            "frames": self.frames,
            "utterances": len(self.utterances),
            "dimensions": [
                {key: _finite(value) for key, value in row.items()} for row in self.dimensions()
            ],
            "skipped": list(self.missing),
            "reference_fingerprint": self.reference_fingerprint,
            "decoder": self.decoder,
            **({"system": dict(self.system)} if self.system else {}),
        }


def score_values(
    targets: Mapping[str, np.ndarray],
    predictions: Mapping[str, Prediction],
    name: str = "",
    loss: str = "squared",
    allow_missing: bool = False,
    decoder: str = "",
    system: Mapping[str, Any] | None = None,
) -> ValueReport:
    """Score predictions against true values (T, D) of each utterance; NaN marks unknown values.

    loss: "bernoulli" treats predictions as probabilities of values in 0 ... 1, "gaussian" uses
    their deviations; both give nats. allow_missing: leave out utterances without a prediction.
    Raises InputError naming the utterance for a prediction that is missing, superfluous, of another
    shape, or not finite, and if no value is known.
    """
    superfluous = next((key for key in predictions if key not in targets), None)
    if superfluous is not None:
        raise InputError(
            f"{superfluous}: predicted, but not in the references; give the manifest that was "
            "decoded"
        )
    missing = tuple(key for key in targets if key not in predictions)
    if missing and not allow_missing:
        raise InputError(
            f"{missing[0]}: no prediction ({len(missing)} of {len(targets)} have none); "
            "--allow-missing leaves these out"
        )
    scored = {key: values for key, values in targets.items() if key in predictions}
    mean = mean_of(scored)
    counts, squared, absolute, scatter = (np.zeros(len(mean)) for _ in range(4))
    nats, frames = 0.0, 0
    each: dict[str, float] = {}
    for key, values in scored.items():
        found = predictions[key]
        _check(key, values, found)
        known = np.isfinite(values)
        error = np.where(known, found.values.astype(np.float64) - values, 0.0)
        counts += known.sum(axis=0)
        squared += (error**2).sum(axis=0)
        absolute += np.abs(error).sum(axis=0)
        scatter += (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
        frames += int(known.any(axis=1).sum())
        if known.any():
            each[key] = math.sqrt((error**2).sum() / known.sum())
        nats += float(_nats(values, found, loss)[known].sum())
    deviating = all(found.deviations is not None for found in predictions.values())
    stated = loss == "bernoulli" or (loss == "gaussian" and deviating)
    return ValueReport(
        name,
        counts,
        squared,
        absolute,
        scatter,
        nats if stated else None,
        frames,
        each,
        fingerprint(f"{key} {values.tobytes().hex()}" for key, values in scored.items()),
        decoder,
        missing,
        system or {},
    )


def mean_of(targets: Mapping[str, np.ndarray]) -> np.ndarray:
    """(D,) mean of the known values, 0 in a column without any.

    Raises InputError if no column has a known value, and if D varies.
    """
    width = None
    count = total = np.zeros(0)
    for key, values in targets.items():
        if width is None:
            width = values.shape[1]
            count, total = np.zeros(width), np.zeros(width)
        if values.shape[1] != width:
            raise InputError(f"{key}: {values.shape[1]} values a frame, others have {width}")
        known = np.isfinite(values)
        count = count + known.sum(axis=0)
        total = total + np.where(known, values, 0.0).sum(axis=0, dtype=np.float64)
    if not count.sum():
        raise InputError("the references have no known value; check the targets")
    return np.asarray(total / np.maximum(count, 1))


def persistence(
    targets: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray]
) -> dict[str, Prediction]:
    """Prediction by persistence: the last known values, or the mean if there are none."""
    mean = mean_of(targets)
    return {key: Prediction(np.where(np.isfinite(x), x, mean)) for key, x in before.items()}


def _check(key: str, values: np.ndarray, found: Prediction) -> None:
    for what, given in (("values", found.values), ("deviations", found.deviations)):
        if given is None:
            continue
        if given.shape != values.shape:
            raise InputError(
                f"{key}: {what} of shape {given.shape} predicted, the true ones have {values.shape}"
            )
        if not np.isfinite(given).all():
            raise InputError(f"{key}: predicted {what} that are NaN or infinite")
    if found.deviations is not None and not (found.deviations > 0).all():
        raise InputError(f"{key}: predicted deviations that are not positive")


def _nats(values: np.ndarray, found: Prediction, loss: str) -> np.ndarray:
    """(T, D) -ln p of each value under the prediction; zeros if the loss gives no probability."""
    x, predicted = values.astype(np.float64), found.values.astype(np.float64)
    if loss == "bernoulli":
        p = predicted.clip(1e-7, 1 - 1e-7)
        return np.asarray(-x * np.log(p) - (1 - x) * np.log(1 - p))
    if loss == "gaussian" and found.deviations is not None:
        std = found.deviations.astype(np.float64)
        return np.asarray(
            0.5 * ((x - predicted) / std) ** 2 + np.log(std) + 0.5 * math.log(2 * math.pi)
        )
    return np.zeros(x.shape)


def _r2(squared: float, scatter: float) -> float:
    return 1 - squared / scatter if scatter else math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
