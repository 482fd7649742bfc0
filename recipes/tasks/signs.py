"""Sentences of a sign language from key points of two hands, labelled by CTC.

    python signs.py make OUT [--seed N]
    python signs.py judge DATA HYP

A sign combines a gesture of the right hand with one of the left, both from recipes/video
(`hands.py`). A frame has the palm and the five finger tips of both hands (24 coordinates). Size,
position, speed and jitter are random. At times tracking loses a hand for some frames, and its
points stay where they were. Most signs follow each other without a pause.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from common import Results, Rows, counts, read_hypotheses, read_sets, run
from rapidfuzz.distance import Levenshtein

from seqlabel.inputs.series import read_values

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "video"))
import hands

LEXICON = {
    "i": ("up", ""), "you": ("right", ""), "house": ("up", "up"), "tree": ("up", "wave"),
    "eat": ("close", ""), "drink": ("circle", ""), "go": ("right", "right"), "come": ("left", ""),
    "see": ("open", ""), "talk": ("wave", ""), "good": ("down", ""), "bad": ("down", "down"),
    "day": ("circle", "circle"), "night": ("close", "close"), "friend": ("left", "right"),
    "work": ("wave", "wave"), "new": ("open", "open"), "old": ("open", "close"),
    "rain": ("down", "wave"), "sun": ("circle", "open"),
}  # fmt: skip


def points(track: np.ndarray, radius: float, angle: float) -> np.ndarray:
    """(T, 12) palm and finger tips of a hand, from its position and number of fingers (T, 3)."""
    found = [track[:, :2]]
    for number in range(5):
        length = radius * 2.2 * np.clip(3 + track[:, 2] - number, 0.2, 1)
        direction = angle + (number - 2) * 0.45 - np.pi / 2
        tip = np.array([np.cos(direction), np.sin(direction)])
        found.append(track[:, :2] + length[:, None] * tip)
    return np.hstack(found)


def sentence(words: list[str], rng: np.random.Generator) -> np.ndarray:
    """(T, 24) key points; signs blend over two frames."""
    parts = [np.zeros((int(rng.integers(2, 5)), 6))]
    for word in words:
        frames = int(rng.integers(9, 16))
        still = np.zeros((frames, 3))
        both = [hands.path(g, frames, rng) if g else still for g in LEXICON[word]]
        parts.append(np.hstack(both))
        if rng.random() < 0.2:
            parts.append(np.zeros((int(rng.integers(2, 5)), 6)))
    track = np.concatenate(parts)
    kernel = np.array([0.25, 0.5, 0.25])
    track = np.stack([np.convolve(np.pad(c, 1, "edge"), kernel, "valid") for c in track.T], axis=1)
    radius, size = rng.uniform(1.6, 2.3), rng.uniform(0.8, 1.2)
    sides = []
    for side, place in ((track[:, :3], 4.0), (track[:, 3:], -4.0)):
        drift = np.cumsum(rng.normal(0, 0.1, (len(track), 2)), axis=0)
        drift += np.array([place, 0]) + rng.normal(0, 0.7, 2)
        moved = side + np.hstack([drift, np.zeros((len(track), 1))])
        sides.append(points(moved, radius, rng.uniform(-0.3, 0.3)))
    x = size * np.hstack(sides) + rng.normal(0, 0.25, (len(track), 24))
    for hand in (slice(0, 12), slice(12, 24)):
        if rng.random() < 0.3:
            start = int(rng.integers(1, len(x)))
            x[start : start + int(rng.integers(2, 5)), hand] = x[start - 1, hand]
    return x


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows of one to six signs."""
    rng = np.random.default_rng(args.seed)
    rows: Rows = {}
    for name, size in counts(args.scale, 1000, 150, 300).items():
        rows[name] = []
        for _ in range(size):
            words = list(map(str, rng.choice(list(LEXICON), rng.integers(1, 7))))
            rows[name].append({"source": sentence(words, rng), "text": " ".join(words)})
    return rows


def cut(x: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Movements, each resampled to (10, 24) offsets from its start.

    They are separated by frames where both palms are within `threshold` of their usual place.
    """
    palms = x[:, [0, 1, 12, 13]]
    away = np.abs(palms - np.median(palms, axis=0)).max(axis=1) > threshold
    borders = np.flatnonzero(np.diff(np.concatenate([[0], away, [0]])))
    found = []
    for start, end in zip(borders[::2], borders[1::2], strict=True):
        if end - start >= 3:
            places = np.linspace(max(0, start - 2), min(len(x) - 1, end + 1), 10)
            found.append(x[np.round(places).astype(int)] - np.median(x, axis=0))
    return found


def judge(data: Path, hyp: Path) -> Results:
    """Word error rate; the threshold of the baseline is chosen on dev."""
    sets = {n: [(u.id, u.labels, read_values(u.source)) for u in own]
            for n, own in read_sets(data).items()}  # fmt: skip

    def by_templates(name: str, threshold: float) -> float:
        """Word error rate of the baseline, which takes the sign with the nearest mean movement.

        Means come from sentences that are cut into as many movements as they have signs.
        """
        seen = defaultdict(list)
        for _, labels, x in sets["train"]:
            stretches = cut(x, threshold)
            if len(stretches) == len(labels):
                for label, stretch in zip(labels, stretches, strict=True):
                    seen[label].append(stretch)
        means = {label: np.mean(own, axis=0) for label, own in seen.items()}
        found = []
        for _, _, x in sets[name]:
            found.append([
                min(means, key=lambda w, s=s: float(((means[w] - s) ** 2).sum()))
                for s in cut(x, threshold) if means
            ])  # fmt: skip
        return error_rate([labels for _, labels, _ in sets[name]], found)

    threshold = min(np.arange(0.5, 4, 0.25), key=lambda t: by_templates("dev", t))
    true = [labels for _, labels, _ in sets["test"]]
    rows = read_hypotheses(hyp / "test" / "greedy.jsonl")
    return {
        "BLSTM, CTC": {"WER": error_rate(true, [rows[n]["labels"] for n, _, _ in sets["test"]])},
        "cut at pauses, nearest mean": {"WER": by_templates("test", threshold)},
    }


def error_rate(true, found) -> float:
    """Substituted, deleted and inserted signs per reference sign."""
    errors = sum(map(Levenshtein.distance, true, map(tuple, found)))
    return errors / sum(map(len, true))


if __name__ == "__main__":
    run(make, judge)
