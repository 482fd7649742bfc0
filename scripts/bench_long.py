"""An hour of speech in one file beside the same hour in files of a minute.

    python scripts/bench_long.py [EXP] [--corpus MANIFEST] [--quick] [--json FILE]

Utterances of a manifest are strung together to the length asked for (without --corpus, noise and
harmonics). Each task runs in a process of its own with one thread: its peak memory is what counts
against the goal of 1 GB, its time that of a second round in the same process, after imports and
compiled kernels have been loaded; rounds of the two take turns. EXP: by default the model an4.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import seqlabel
from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.files import write_json
from seqlabel.inputs import read_audio

RATE = 16000
GOAL_BYTES = 1e9
GOAL_SLOWER = 1.10


def strung(corpus: Path | None, seconds: int) -> np.ndarray:
    """Speech of the length asked for, (N,) float32."""
    total = seconds * RATE
    if corpus is None:
        rng = np.random.default_rng(1)
        t = np.arange(total) / RATE
        pitch = 120 * t + 8 * np.sin(3 * t)
        voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 6))
        return (0.05 * voice + 0.01 * rng.standard_normal(total)).astype(np.float32)
    parts: list[np.ndarray] = []
    count = 0
    utterances = read_manifest(corpus)
    while count < total:
        for utterance in utterances:
            parts.append(read_audio(utterance.source, RATE).samples)
            count += len(parts[-1])
            if count >= total:
                break
    return np.concatenate(parts)[:total]


def task(model: str, folder: Path, name: str) -> None:
    """Read the files of a task twice; prints seconds of the second round, memory, labels."""
    recognizer = seqlabel.load(model)
    files = sorted(folder.glob(f"{name}-*.wav"))
    utterances = [Utterance(path.stem, path, "speech", ()) for path in files]
    rounds = []
    for _ in range(2):
        started, labels = time.perf_counter(), 0
        for _, output in recognizer.outputs(utterances):
            labels += len(recognizer.decode([output])[0].labels)
        rounds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": min(rounds), "peak": peak, "labels": labels}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="an4", help="model directory or name")
    parser.add_argument("--corpus", type=Path, help="manifest of speech to string together")
    parser.add_argument("--quick", action="store_true", help="six minutes in place of an hour")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--task", nargs=2, metavar=("FOLDER", "NAME"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        task(args.model, Path(args.task[0]), args.task[1])
        return 0
    minutes = 6 if args.quick else 60
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = strung(args.corpus, 60 * minutes)
        soundfile.write(folder / "long-0.wav", samples, RATE)
        for n, part in enumerate(np.split(samples, minutes)):
            soundfile.write(folder / f"short-{n:02d}.wav", part, RATE)
        del samples
        for kind in ("short", "long"):
            command = [sys.executable, __file__, args.model, "--task", name, kind]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            found[kind] = json.loads(done.stdout)
    slower = found["long"]["seconds"] / found["short"]["seconds"]
    for kind, row in found.items():
        print(
            f"{kind:<6} {row['peak'] / 1e6:7.0f} MB  {row['seconds']:7.1f} s  "
            f"{60 * minutes / row['seconds']:6.1f} times real time  {row['labels']:.0f} labels"
        )
    print(
        f"{minutes} minutes in one file: {slower:.2f} of the time of files of a minute (goal "
        f"{GOAL_SLOWER:.2f}), {found['long']['peak'] / 1e6:.0f} MB (goal {GOAL_BYTES / 1e6:.0f})"
    )
    if args.json:
        write_json(args.json, {"minutes": minutes, "slower": slower, "tasks": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
