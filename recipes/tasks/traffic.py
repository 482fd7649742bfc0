"""Traffic prediction: vehicle counts of four roads, an hour ahead.

    python traffic.py make OUT [--file COUNTS.csv] [--seed N]
    python traffic.py judge DATA HYP

Counts are taken every 15 minutes. Synthetic roads have two rush hours on weekdays and another
pattern at weekends, disturbances that fade within hours and reach the next road half an hour later,
and noise. Frames are the counts, and sines and cosines of the time of day and week; a sequence is
two weeks. A CSV file has one row every 15 minutes, from a Monday at 0:00, and one column per road.
"""

import argparse
from pathlib import Path

import numpy as np
from common import Results, Rows, counts, read_hypotheses, read_sets, run

from seqlabel.errors import InputError
from seqlabel.inputs.series import read_values

DAY, WEEK, AHEAD = 96, 672, 4
LENGTH = 2 * WEEK


def roads(steps: int, rng: np.random.Generator, count: int = 4) -> np.ndarray:
    """(steps, count) counts, never negative."""
    t = np.arange(steps)
    hour, weekend = t % DAY / 4, t % WEEK >= 5 * DAY
    rush = np.exp(-((hour - 8) ** 2) / 3) + 1.2 * np.exp(-((hour - 17.5) ** 2) / 5)
    calm = 0.8 * np.exp(-((hour - 14) ** 2) / 20)
    profile = 0.15 + np.where(weekend, calm, rush)
    shock = rng.normal(0, 1, steps) * (rng.random(steps) < 0.06) * 0.5
    flow = np.zeros(steps)
    for n in range(1, steps):
        flow[n] = 0.93 * flow[n - 1] + shock[n]
    found = []
    for road in range(count):
        late = np.concatenate([np.zeros(2 * road), flow])[:steps]
        size = 400 - 60 * road
        day = 1 + 0.1 * np.repeat(rng.normal(0, 1, -(-steps // DAY)), DAY)[:steps]
        found.append(size * profile * day * np.exp(0.5 * late) + rng.normal(0, 8, steps))
    return np.maximum(np.stack(found, axis=1), 0)


def read_counts(path: Path) -> np.ndarray:
    """(steps, roads) from a CSV file with or without header; InputError if it is not a table."""
    try:
        found = np.genfromtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no table of counts ({str(error).splitlines()[0]})") from None
    found = found[1:] if len(found) and np.isnan(found[0]).all() else found
    if np.isnan(found).any() or len(found) < 6 * LENGTH:
        raise InputError(f"{path}: at least {6 * LENGTH} rows of numbers (12 weeks) are expected")
    return found


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows of two weeks with the counts an hour later as target; sets are consecutive in time."""
    sizes = counts(args.scale, 20, 4, 6)
    if args.file:
        series = read_counts(args.file)
        whole = len(series) // LENGTH
        part = max(1, whole // 6)
        sizes = {"train": whole - 2 * part, "dev": part, "test": part}
    else:
        series = roads(LENGTH * sum(sizes.values()), np.random.default_rng(args.seed))
    later = np.concatenate([series[AHEAD:], np.full((AHEAD, series.shape[1]), np.nan)])
    t = np.arange(len(series))
    angles = 2 * np.pi * np.stack([t / DAY, t / WEEK], axis=1)
    frames = np.hstack([series, np.sin(angles), np.cos(angles)])
    rows: Rows = {}
    start = 0
    for name, size in sizes.items():
        cuts = [slice(start + n * LENGTH, start + (n + 1) * LENGTH) for n in range(size)]
        rows[name] = [{"source": frames[cut], "target": later[cut]} for cut in cuts]
        start += size * LENGTH
    return rows


def judge(data: Path, hyp: Path) -> Results:
    """RMSE, MAE and R² of the network and the baselines; parameters are chosen on dev."""
    sets = {}
    for name, own in read_sets(data).items():
        pairs = [(read_values(u.source), read_values(u.target)) for u in own]
        width = pairs[0][1].shape[1]
        sets[name] = [(x[:, :width].astype(float), y.astype(float)) for x, y in pairs]
    profile = np.mean([x.reshape(-1, WEEK, width).mean(axis=0) for x, _ in sets["train"]], axis=0)

    def at(x: np.ndarray, back: int) -> np.ndarray:
        """The count `back` steps before the predicted time; the usual count where there is none."""
        usual = np.resize(np.roll(profile, -AHEAD, axis=0), x.shape)
        found = usual.copy()
        shift = back - AHEAD
        found[shift:] = x[: len(x) - shift]
        return found

    def usual(x: np.ndarray, share: float) -> np.ndarray:
        """The usual count at that hour plus a share of the current difference from it."""
        now = np.resize(profile, x.shape)
        return np.resize(np.roll(profile, -AHEAD, axis=0), x.shape) + share * (x - now)

    share = min(np.linspace(0, 1, 21), key=lambda s: rmse(sets["dev"], lambda x: usual(x, s)))
    back = min((DAY, WEEK), key=lambda b: rmse(sets["dev"], lambda x: at(x, b)))
    rows = read_hypotheses(hyp / "test" / "values.jsonl")
    values = iter([np.array(rows[u.id]["values"]) for u in read_sets(data)["test"]])
    return {
        "LSTM": errors(sets["test"], lambda x: next(values)),
        f"usual count + {share:.2f} of the difference": errors(
            sets["test"], lambda x: usual(x, share)
        ),
        f"same hour a {'day' if back == DAY else 'week'} ago": errors(
            sets["test"], lambda x: at(x, back)
        ),
        "now (persistence)": errors(sets["test"], lambda x: at(x, AHEAD)),
    }


def errors(pairs, predict) -> dict[str, float]:
    """RMSE, MAE and R² over all known counts."""
    difference = np.concatenate([predict(x) - y for x, y in pairs])
    true = np.concatenate([y for _, y in pairs])
    known = np.isfinite(true)
    spread = np.where(known, true - np.nanmean(true, axis=0), 0)
    squares = np.where(known, difference, 0) ** 2
    return {"RMSE": float(np.sqrt(squares.sum() / known.sum())),
            "MAE": float(np.abs(difference[known]).mean()),
            "R²": float(1 - squares.sum() / (spread**2).sum())}  # fmt: skip


def rmse(pairs, predict) -> float:
    """RMSE over all known counts."""
    return errors(pairs, predict)["RMSE"]


if __name__ == "__main__":
    run(make, judge, "counts as CSV, one column per road")
