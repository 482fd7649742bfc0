"""Prediction of polyphonic music: which of 88 keys sound in the next frame.

    python music.py make OUT [--file JSB.json] [--seed N]
    python music.py judge DATA HYP

Synthetic counterpoint: phrases of eight chords in a key (common progressions, a cadence at the end)
in four voices, which move to the nearest notes of the chord, with suspensions and passing notes.
FILE has the format of the JSB chorales: {"train": [[[pitch, ...], ...], ...], "valid": ...,
"test": ...}.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from common import SETS, Results, Rows, counts, read_hypotheses, read_sets, run

from seqlabel.errors import InputError
from seqlabel.files import read_json
from seqlabel.inputs.series import read_values

LOWEST, KEYS = 21, 88
MAJOR = (0, 2, 4, 5, 7, 9, 11)
FOLLOWING = {0: (3, 4, 5, 1), 1: (4, 6), 2: (5, 3), 3: (4, 0, 1), 4: (0, 5), 5: (3, 1), 6: (0,)}
"""Degree of a chord -> degrees of the chords that may follow."""
RANGES = ((40, 60), (48, 67), (55, 72), (62, 81))
"""Lowest and highest pitch of bass, tenor, alto and soprano."""


def piece(rng: np.random.Generator) -> list[list[int]]:
    """Pitches of each frame: two frames per chord, eight chords per phrase."""
    key = int(rng.integers(0, 12))
    voices = [float(np.mean(r)) for r in RANGES]
    frames: list[list[int]] = []
    degree = 0
    for phrase in range(int(rng.integers(3, 6))):
        for place in range(8):
            if place == 6:
                degree = 4
            elif place == 7 or (place == 0 and not phrase):
                degree = 0
            else:
                degree = int(rng.choice(FOLLOWING[degree]))
            tones = [(key + MAJOR[(degree + step) % 7]) % 12 for step in (0, 2, 4)]
            before, voices = voices, []
            for number, (low, high) in enumerate(RANGES):
                allowed = tones[:1] if number == 0 else tones
                notes = [p for p in range(low, high) if p % 12 in allowed]
                cost = [abs(p - before[number]) + rng.uniform(0, 3) for p in notes]
                voices.append(notes[int(np.argmin(cost))])
            first = [int(v) for v in voices]
            if frames and rng.random() < 0.3:  # a suspension
                late = int(rng.integers(1, 4))
                first[late] = int(before[late])
            frames += [sorted(set(first)), sorted({int(v) for v in voices})]
    return frames


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows with 0 or 1 for each key: whether it sounds."""
    if args.file:
        found = read_json(args.file)
        names = dict(zip(SETS, ("train", "valid", "test"), strict=True))
        if not isinstance(found, dict) or any(name not in found for name in names.values()):
            raise InputError(f"{args.file}: an object with train, valid and test is expected")
        sets = {name: found[own] for name, own in names.items()}
    else:
        rng = np.random.default_rng(args.seed)
        sizes = counts(args.scale, 150, 40, 60)
        sets = {name: [piece(rng) for _ in range(size)] for name, size in sizes.items()}
    return {name: [{"source": roll(frames, args.file)} for frames in own]
            for name, own in sets.items()}  # fmt: skip


def roll(frames: list[list[int]], path: Path | None = None) -> np.ndarray:
    """(T, 88) piano roll of MIDI pitches."""
    keys = np.zeros((len(frames), KEYS))
    try:
        for t, pitches in enumerate(frames):
            for pitch in pitches:
                if not LOWEST <= int(pitch) < LOWEST + KEYS:
                    raise ValueError
                keys[t, int(pitch) - LOWEST] = 1
    except (TypeError, ValueError):
        raise InputError(
            f"{path}: {json.dumps(frames[t])[:40]} are no pitches 21 ... 108"
        ) from None
    return keys


def nats(predicted: list[np.ndarray], true: list[np.ndarray]) -> float:
    """Mean -ln p per frame."""
    total = frames = 0.0
    for p, x in zip(predicted, true, strict=True):
        p = np.clip(p, 1e-7, 1 - 1e-7)
        total -= float((x * np.log(p) + (1 - x) * np.log(1 - p)).sum())
        frames += len(x)
    return total / frames


def bigram(train: list[np.ndarray], weight: float) -> np.ndarray:
    """(2, 88) p(key sounds next | it sounds now or not), smoothed towards p(key) by `weight`."""
    now, after = np.concatenate([x[:-1] for x in train]), np.concatenate([x[1:] for x in train])
    share = (after.sum(axis=0) + 0.1) / (len(after) + 1)
    found = []
    for state in (0, 1):
        here = now == state
        found.append(((after * here).sum(axis=0) + weight * share) / (here.sum(axis=0) + weight))
    return np.array(found)


def judge(data: Path, hyp: Path) -> Results:
    """Nats per frame, without first frames; the weight of the bigram is chosen on dev."""
    sets = {name: [read_values(u.source) for u in own] for name, own in read_sets(data).items()}
    ids = [u.id for u in read_sets(data)["test"]]
    rows = read_hypotheses(hyp / "test" / "values.jsonl")
    true = {name: [x[1:] for x in own] for name, own in sets.items()}

    def following(name: str, weight: float) -> float:
        table = bigram(sets["train"], weight)
        predicted = [np.where(x[:-1] > 0, table[1], table[0]) for x in sets[name]]
        return nats(predicted, true[name])

    weight = min((0.1, 1, 3, 10, 30, 100), key=lambda w: following("dev", w))
    share = np.concatenate(true["train"]).mean(axis=0).clip(1e-4)
    return {
        "LSTM": {"nats": nats([np.array(rows[i]["values"])[:-1] for i in ids], true["test"])},
        "bigram of each key": {"nats": following("test", weight)},
        "share of each key": {"nats": nats([np.tile(share, (len(x), 1)) for x in true["test"]],
                                           true["test"])},
        "uniform": {"nats": KEYS * float(np.log(2))},
    }  # fmt: skip


if __name__ == "__main__":
    run(make, judge, "JSB chorales as JSON")
