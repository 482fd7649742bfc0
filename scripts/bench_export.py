#!/usr/bin/env python
"""Exported models compared with the package's kernels: speed, start, memory, environment size.

Networks: TIMIT (123 inputs, 3 bidirectional layers of 250 cells, 300 frames) and handwriting (25
inputs, 3 x 128, 600 frames), frames in, log-probabilities out, batches of 1 and 16 of equal length
on one core. "kernels" is seqlabel.load of a model directory, "onnxruntime" of its export. Both take
turns; times are processor time, which depends little on other work on the machine.

Start: a separate process loads a model and reads one file. Reported are its processor time, wall
time and peak resident memory (VmHWM of /proc/self/status), as medians of rounds. "directory" needs
torch; "frames" and "samples" are exports without and with --front-end.

Environment: megabytes of the installed distributions needed for reading, by their lists of
files. "torch" adds torch and what it requires.

    python scripts/bench_export.py [--quick] [--json FILE]
    python scripts/bench_export.py --model EXP --file FILE     # start of another model
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch and numpy read it

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import soundfile
import torch
from packaging.requirements import Requirement

from seqlabel.alphabet import Alphabet
from seqlabel.config import build
from seqlabel.export.runtime import load_onnx
from seqlabel.export.writer import export
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.files import write_json
from seqlabel.models.inference import TorchNetwork
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import (
    WEIGHTS,
    load_model,
    make_model,
    save_weights,
    write_description,
)

SPEECH = {"kind": "fbank", "filters": 40, "energy": True, "deltas": 2}
SHAPES = {
    "timit": (SPEECH, 250, 62, 300),
    "handwriting": ({"kind": "ink_25"}, 128, 80, 600),
}
"""Name -> features, cells of a direction, labels with the blank, frames."""

CELLS = ("lstm", "peephole", "CIFG", "gru", "FGR")
"""The last one is a loop in ONNX, the others are operators."""

READING = ("numpy", "soundfile", "safetensors", "regex", "tqdm")
NEEDED = {
    "front end in the graph, greedy": [*READING, "onnxruntime"],
    "any exported model and decoder": [*READING, "onnxruntime", "numba"],
    "torch": [*READING, "numba", "torch"],
}
"""Dependencies needed for reading."""


def random_model(folder: Path, features: dict, cells: int, labels: int, cell: str) -> Path:
    """A model directory with random weights."""
    table = {
        "features": features,
        "front_end": {"normalise": "train"},
        "model": {"hidden": cells, "layers": 3, "cell": cell},
    }
    experiment = build(Experiment, table, "bench")
    extractor = make_extractor(experiment.features)
    statistics_ = Statistics(np.zeros(extractor.dim, "f"), np.ones(extractor.dim, "f"))
    front_end = FrontEnd(extractor, experiment.front_end, statistics_)
    alphabet = Alphabet([f"s{n}" for n in range(labels - 1)])
    folder.mkdir()
    write_description(folder, experiment, alphabet, front_end, {})
    save_weights(folder / WEIGHTS, make_model(experiment, front_end, alphabet).state_dict())
    return folder


def networks(folder: Path, rounds: int, frames_share: float) -> list[dict]:
    """A row for each shape, cell and batch: milliseconds, and the largest difference."""
    rows = []
    for name, (features, cells, labels, frames) in SHAPES.items():
        for cell in CELLS:
            made = random_model(folder / f"{name}-{cell}", features, cells, labels, cell)
            export(made, made / "model.onnx")
            *_, front_end, model = load_model(made)
            ways = {
                "kernels": TorchNetwork(model),
                "onnxruntime": load_onnx(made / "model.onnx")[0],
            }
            for batch in (1, 16):
                T = int(frames * frames_share)
                rng = np.random.default_rng(0)
                x = rng.standard_normal((batch, T, front_end.dim)).astype(np.float32)
                lengths = np.full(batch, T)
                times: dict[str, list[float]] = {way: [] for way in ways}
                outputs = {}
                for _ in range(rounds + 1):  # the first one compiles and warms up
                    for way, run in ways.items():
                        start = time.process_time()
                        outputs[way] = run(x, lengths)[0]
                        times[way].append(1000 * (time.process_time() - start))
                ms = {way: statistics.median(values[1:]) for way, values in times.items()}
                difference = np.abs(np.exp(outputs["kernels"]) - np.exp(outputs["onnxruntime"]))
                row = {"shape": name, "cell": cell, "batch": batch}
                row |= {f"{way}_ms": round(value, 2) for way, value in ms.items()}
                row["ratio"] = round(ms["onnxruntime"] / ms["kernels"], 2)
                row["largest_difference"] = float(difference.max())
                rows.append(row)
                print(
                    f"{name:<12} {cell:<9} batch {batch:>2}   kernels {ms['kernels']:8.1f} ms   "
                    f"onnxruntime {ms['onnxruntime']:8.1f} ms   x {row['ratio']:<5} differ by "
                    f"{row['largest_difference']:.0e}"
                )
    return rows


END = """
from seqlabel.memory import peak_memory
peak = peak_memory() / 2**20
print(loaded, peak, time.process_time(), "torch" in sys.modules, "numba" in sys.modules)
"""

READ = f"""
import sys, time
start = time.perf_counter()
import seqlabel
model = seqlabel.load(sys.argv[1])
loaded = time.perf_counter() - start
model.read(sys.argv[2])
{END}"""

IMPORT = f"""
import sys, time
start = time.perf_counter()
import seqlabel.decoding
loaded = time.perf_counter() - start
{END}"""


def starts(models: dict[str, Path], file: Path, rounds: int) -> list[dict]:
    """A row for each way to begin."""
    commands = {"import seqlabel.decoding": [IMPORT]}
    commands |= {name: [READ, str(path), str(file)] for name, path in models.items()}
    found: dict[str, list[list[float]]] = {name: [] for name in commands}
    for _ in range(rounds + 1):  # the first one compiles and fills the caches
        for name, command in commands.items():
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", *command], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            *numbers, with_torch, with_numba = done.stdout.split()
            clock = time.perf_counter() - started
            found[name].append([*map(float, numbers), clock, with_torch == "True",
                                with_numba == "True"])  # fmt: skip
    rows = []
    for name, values in found.items():
        loaded, memory, processor, clock, with_torch, with_numba = (
            statistics.median(column) for column in zip(*values[1:], strict=True)
        )
        rows.append(
            {"start": name, "imported_and_loaded_s": round(loaded, 3),
             "processor_s": round(processor, 3), "clock_s": round(clock, 3),
             "most_memory_mb": round(memory), "torch": bool(with_torch), "numba": bool(with_numba)}
        )  # fmt: skip
        print(
            f"{name:<26} loaded in {loaded:5.2f} s   process {processor:5.2f} s of processor, "
            f"{clock:5.2f} s of clock, {memory:4.0f} MB   torch {bool(with_torch)}, "
            f"numba {bool(with_numba)}"
        )
    return rows


def distributions(names: list[str]) -> set[str]:
    """Installed distributions that some require, these included."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another platform
        if name in found:
            continue
        found.add(name)
        for text in required:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def environment() -> list[dict]:
    """A row for each way to read: megabytes of the packages."""
    rows = []
    for name, needed in NEEDED.items():
        sizes = {}
        for distribution in sorted(distributions(needed)):
            files = metadata.files(distribution) or []
            sizes[distribution] = sum(f.size or 0 for f in files) / 1e6
        total = sum(sizes.values())
        largest = sorted(sizes, key=lambda d: -sizes[d])[:4]
        row = {"reading": name, "megabytes": round(total), "packages": len(sizes)}
        rows.append(row | {"largest": {d: round(sizes[d]) for d in largest}})
        parts = ", ".join(f"{d} {sizes[d]:.0f}" for d in largest)
        print(f"{name:<32} {total:6.0f} MB in {len(sizes):>2} packages ({parts})")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, metavar="EXP", help="model of speech to start")
    parser.add_argument("--file", type=Path, metavar="FILE", help="recording that it reads")
    parser.add_argument("--quick", action="store_true", help="2 rounds, a tenth of the frames")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 2 if args.quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = {"networks": networks(folder, rounds, 0.1 if args.quick else 1.0)}
        model, file = args.model or folder / "timit-peephole", args.file
        if file is None:
            file = folder / "noise.wav"
            noise = 0.1 * np.random.default_rng(0).standard_normal(3 * 16000)
            soundfile.write(file, noise, 16000)
        models = {"directory": model}
        for way, front_end in (("frames", False), ("samples", True)):
            models[way] = folder / f"{way}.onnx"
            export(model, models[way], front_end)
        results["starts"] = starts(models, file, rounds)
    results["environment"] = environment()
    if args.json:
        write_json(args.json, results)
    else:
        print(json.dumps(results["environment"][0]["largest"]))


if __name__ == "__main__":
    main()
