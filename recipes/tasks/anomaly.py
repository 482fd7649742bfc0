"""Anomaly detection in time series, by the prediction error of a network.

    python anomaly.py make OUT [--seed N]
    python anomaly.py judge DATA HYP

After Malhotra et al. 2015: the network is trained on normal series only, and improbable frames are
anomalies. The series are two sensors of a machine with cycles of varying length. Anomalies are an
interrupted cycle, one sensor lagging behind the other, a wrong amplitude, a frozen sensor, and
spikes.
"""

import argparse
from pathlib import Path

import numpy as np
from common import Results, Rows, counts, frame_labels, read_hypotheses, read_sets, run, segments

from seqlabel.inputs.series import read_values

KINDS = ("break", "lag", "height", "frozen", "spike")
NOISE = 0.08


def machine(steps: int, rng: np.random.Generator, anomalies: int = 0):
    """(steps, 2) values, and (steps,) whether a step is anomalous."""
    speed = 2 * np.pi / rng.uniform(22, 34)
    drift = np.cumsum(rng.normal(0, 0.02, steps))
    phase = speed * np.arange(steps) + drift + rng.uniform(0, 6)
    lag, height = np.full(steps, 0.9), np.ones(steps)
    wrong = np.zeros(steps, bool)
    places = (np.arange(anomalies) + rng.uniform(0.3, 0.7, anomalies)) * steps / max(1, anomalies)
    frozen, spikes = [], []
    for start in places.astype(int):
        kind = str(rng.choice(KINDS))
        length = int(rng.integers(12, 30)) if kind != "spike" else 3
        cut = slice(start, start + length)
        if kind == "break":
            phase[start:] += rng.uniform(2, 4)
            cut = slice(start, start + 6)
        elif kind == "lag":
            lag[cut] = 0.9 + rng.choice([-1, 1]) * rng.uniform(0.7, 1.2)
        elif kind == "height":
            height[cut] = rng.choice([0.5, 1.5])
        elif kind == "frozen":
            frozen.append((cut, int(rng.integers(2))))
        else:
            spikes.append((cut, int(rng.integers(2))))
        wrong[cut] = True
    x = np.stack([
        height * (np.sin(phase) + 0.5 * np.sin(2 * phase)), np.cos(phase - lag) ** 3
    ], axis=1) + rng.normal(0, NOISE, (steps, 2))  # fmt: skip
    for cut, sensor in frozen:
        x[cut, sensor] = x[cut.start, sensor]
    for cut, sensor in spikes:
        x[cut, sensor] += rng.choice([-1, 1]) * 1.0
    return x, wrong


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows of normal series for train and dev, and of series with anomalies, as segments, for test.

    Thresholds are chosen on the first half of the test rows (tag `part`: choose); the others are
    scored (score).
    """
    rng = np.random.default_rng(args.seed)
    rows: Rows = {}
    for name, size in counts(args.scale, 40, 10, 60).items():
        rows[name] = []
        for number in range(size):
            x, wrong = machine(500, rng, 4 if name == "test" else 0)
            row = {"source": x}
            if name == "test":
                row["segments"] = segments(["anomaly" if w else "normal" for w in wrong])
                row["tags"] = {"part": "choose" if number < size // 2 else "score"}
            rows[name].append(row)
    return rows


def surprise(row, x: np.ndarray) -> np.ndarray:
    """(T,) -ln p of each frame under the prediction from the previous frame; 0 for the first."""
    mean, std = np.array(row["values"])[:-1], np.array(row["deviations"])[:-1]
    nats = 0.5 * ((x[1:] - mean) / std) ** 2 + np.log(std)
    return np.concatenate([[nats.sum(axis=1).mean()], nats.sum(axis=1)])


def z_score(x: np.ndarray, window: int) -> np.ndarray:
    """(T,) largest z-score of a sensor relative to the previous `window` values.

    0 if there are fewer than five of them.
    """
    found = np.zeros(len(x))
    for t in range(5, len(x)):
        past = x[max(0, t - window) : t]
        found[t] = (np.abs(x[t] - past.mean(axis=0)) / (past.std(axis=0) + NOISE / 4)).max()
    return found


def linear_surprise(train: list[np.ndarray], x: np.ndarray, order: int) -> np.ndarray:
    """(T,) normalised squared errors of a linear prediction from the previous `order` frames.

    Fitted by least squares; 0 for the first frames.
    """
    before = [past(series, order) for series in train]
    after = [series[order:] for series in train]
    weights = np.linalg.lstsq(np.concatenate(before), np.concatenate(after), rcond=None)[0]
    error = [b @ weights - a for b, a in zip(before, after, strict=True)]
    found = (past(x, order) @ weights - x[order:]) / np.concatenate(error).std(axis=0)
    return np.concatenate([np.zeros(order), (found**2).sum(axis=1)])


def past(x: np.ndarray, order: int) -> np.ndarray:
    """(T - order, order * D + 1) the `order` frames before each frame, and a column of ones."""
    windows = [x[order - n - 1 : len(x) - n - 1] for n in range(order)]
    return np.hstack([*windows, np.ones((len(x) - order, 1))])


def smooth(x: np.ndarray, frames: int) -> np.ndarray:
    """Centred moving average."""
    padded = np.pad(x, (frames // 2, frames - 1 - frames // 2), "edge")
    return np.convolve(padded, np.ones(frames) / frames, "valid")


def f1(score: np.ndarray, true: np.ndarray, threshold: float) -> float:
    """F1 of the frames above a threshold."""
    found = score > threshold
    return float(2 * (found & true).sum() / max(1, found.sum() + true.sum()))


def auc(score: np.ndarray, true: np.ndarray) -> float:
    """Area under the ROC curve: how often an anomalous frame scores above a normal one."""
    order = np.sort(score[~true])
    below = np.searchsorted(order, score[true], "left") + np.searchsorted(
        order, score[true], "right"
    )
    return float(below.mean() / 2 / len(order))


def judge(data: Path, hyp: Path) -> Results:
    """F1 and AUC of frames; windows and thresholds maximise F1 on the part `choose`."""
    scores: dict[str, dict[str, list[np.ndarray]]] = {}
    true = {}
    windows, orders = [15, 30, 60, 120], [10, 30]
    train = [read_values(u.source).astype(float) for u in read_sets(data)["train"]]
    rows = read_hypotheses(hyp / "test" / "values.jsonl")
    for name in ("choose", "score"):
        own = [u for u in read_sets(data)["test"] if u.tags["part"] == name]
        series = [read_values(u.source).astype(float) for u in own]
        pairs = list(zip(own, series, strict=True))
        true[name] = np.concatenate(
            [frame_labels(u.segments, len(x)) == "anomaly" for u, x in pairs]
        )
        scores[name] = {"LSTM": [surprise(rows[u.id], x) for u, x in pairs]}
        for window in windows:
            scores[name][f"z-score over {window}"] = [z_score(x, window) for x in series]
        for order in orders:
            found = [linear_surprise(train, x, order) for x in series]
            scores[name][f"linear prediction from {order}"] = found
    results = {}
    linear = [f"linear prediction from {order}" for order in orders]
    for systems in (["LSTM"], linear, [f"z-score over {w}" for w in windows]):
        best = (-1.0, "", 1, 0.0)
        for system in systems:
            for width in (1, 3, 5, 9):
                score = np.concatenate([smooth(x, width) for x in scores["choose"][system]])
                for threshold in np.quantile(score, np.linspace(0.5, 0.995, 100)):
                    found = f1(score, true["choose"], threshold)
                    best = max(best, (found, system, width, float(threshold)))
        _, system, width, threshold = best
        score = np.concatenate([smooth(x, width) for x in scores["score"][system]])
        results[f"{system}, smoothed over {width}"] = {
            "F1": f1(score, true["score"], threshold), "AUC": auc(score, true["score"])
        }  # fmt: skip
    share = true["score"].mean()
    results["always"] = {"F1": float(2 * share / (1 + share)), "AUC": 0.5}
    return results


if __name__ == "__main__":
    run(make, judge)
