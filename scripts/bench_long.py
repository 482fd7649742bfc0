"""An hour of speech in one file beside the same hour in files of a minute, read and aligned.

    python scripts/bench_long.py [EXP] [--corpus MANIFEST] [--quick] [--json FILE]

Utterances of a manifest are strung together to files of a minute or a little more, and these to the
hour (without --corpus, noise and harmonics, which are read and not aligned). `seqlabel decode` and
`seqlabel align` run over either; the transcript of the hour is that of all its utterances. Each
task runs in a process of its own with one thread: its peak memory is what counts against the goal
of 1 GB, its time that of a second round in the same process, after imports and compiled kernels
have been loaded. EXP: by default the model an4.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from seqlabel.cli import main as seqlabel
from seqlabel.corpora.manifest import Utterance, read_manifest, write_manifest
from seqlabel.files import write_json
from seqlabel.inputs import read_audio
from seqlabel.memory import peak_memory

RATE = 16000
GOAL_BYTES = 1e9
GOAL_SLOWER = 1.10

Minute = tuple[np.ndarray, tuple[str, ...]]
"""Samples (N,) float32 and the labels that are said in them."""


def made_minutes(count: int) -> Iterator[Minute]:
    """Noise and harmonics."""
    rng = np.random.default_rng(1)
    for n in range(count):
        t = n * 60 + np.arange(60 * RATE) / RATE
        pitch = 120 * t + 8 * np.sin(3 * t)
        voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 6))
        yield (0.05 * voice + 0.01 * rng.standard_normal(len(t))).astype(np.float32), ()


def spoken_minutes(corpus: Path, count: int) -> Iterator[Minute]:
    """Utterances of a manifest, over again where they are too few, at least a minute together."""
    samples: list[np.ndarray] = []
    labels: list[str] = []
    utterances = read_manifest(corpus)
    for n in range(10**9):
        utterance = utterances[n % len(utterances)]
        samples.append(read_audio(utterance.source, RATE).samples)
        labels += [" ", *utterance.labels] if labels else utterance.labels
        if sum(map(len, samples)) >= 60 * RATE:
            yield np.concatenate(samples), tuple(labels)
            samples, labels, count = [], [], count - 1
        if not count:
            return


def write_inputs(folder: Path, corpus: Path | None, count: int) -> float:
    """short.jsonl and long.jsonl with their recordings; returns their seconds."""
    minutes = list(spoken_minutes(corpus, count) if corpus else made_minutes(count))
    parts = [(f"short-{n:02d}", *minute) for n, minute in enumerate(minutes)]
    labels = list(minutes[0][1])
    for _, more in minutes[1:]:
        labels += [" ", *more] if more else []
    whole = ("long", np.concatenate([samples for samples, _ in minutes]), tuple(labels))
    for name, rows in (("short", parts), ("long", [whole])):
        utterances = []
        for id, samples, said in rows:
            soundfile.write(folder / f"{id}.wav", samples, RATE)
            duration = len(samples) / RATE
            text = "".join(said)
            utterances.append(
                Utterance(id, folder / f"{id}.wav", "speech", said, text=text, duration=duration)
            )
        write_manifest(folder / f"{name}.jsonl", utterances)
    return len(whole[1]) / RATE


def task(model: str, folder: Path, verb: str, name: str) -> None:
    """Run a verb twice; prints the seconds of the second round, peak memory and what it says."""
    out = folder / f"{verb}-{name}"
    rounds = []
    for _ in range(2):
        started, said = time.perf_counter(), io.StringIO()
        with contextlib.redirect_stdout(said):
            code = seqlabel([verb, model, str(folder / f"{name}.jsonl"), "--out", str(out)])
        if code:
            raise SystemExit(f"seqlabel {verb} ended with {code}")
        rounds.append(time.perf_counter() - started)
    print(
        json.dumps({"seconds": min(rounds), "peak": peak_memory(), "said": said.getvalue().strip()})
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="an4", help="model directory or name")
    parser.add_argument("--corpus", type=Path, help="manifest of speech to string together")
    parser.add_argument("--quick", action="store_true", help="six minutes in place of an hour")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument(
        "--task", nargs=3, metavar=("FOLDER", "VERB", "NAME"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.task:
        task(args.model, Path(args.task[0]), *args.task[1:])
        return 0
    count = 6 if args.quick else 60
    found: dict[str, dict[str, float]] = {}
    slower: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        seconds = write_inputs(Path(name), args.corpus, count)
        for verb in ("decode", "align") if args.corpus else ("decode",):
            for kind in ("short", "long"):
                command = [sys.executable, __file__, args.model, "--task", name, verb, kind]
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
                row = found[f"{verb} {kind}"] = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"{verb:<7} {kind:<6} {row['peak'] / 1e6:7.0f} MB  {row['seconds']:7.1f} s  "
                    f"{seconds / row['seconds']:6.1f} times real time",
                    flush=True,
                )
            slower[verb] = found[f"{verb} long"]["seconds"] / found[f"{verb} short"]["seconds"]
    for verb, ratio in slower.items():
        peak = found[f"{verb} long"]["peak"]
        print(
            f"{verb}: {seconds / 60:.1f} minutes in one file: {ratio:.2f} of the time of files of "
            f"a minute (goal {GOAL_SLOWER:.2f}), {peak / 1e6:.0f} MB (goal {GOAL_BYTES / 1e6:.0f})"
        )
    if args.json:
        write_json(args.json, {"minutes": seconds / 60, "slower": slower, "tasks": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
