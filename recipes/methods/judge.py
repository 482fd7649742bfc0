"""Test results of trained networks.

python judge.py sines DATA EXP...       NRMSE of a free run of 300 steps, after 400 steps of signal
python judge.py counting DATA EXP...    the largest n up to which all strings are right
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

import seqlabel
from seqlabel.cli.failures import run_command
from seqlabel.corpora.manifest import read_manifest
from seqlabel.errors import InputError
from seqlabel.inputs.series import read_series, read_values
from seqlabel.models.free_run import Feedback, free_run
from seqlabel.training.run_directory import load_model

STEPS = 300


def free_error(data: Path, folder: Path) -> float:
    """Root mean squared error of the free run over the standard deviation of the signal."""
    _, _, front_end, model = load_model(folder)
    (utterance,) = read_manifest(data / "test.jsonl")
    signal = read_series(utterance.source).values
    x = torch.from_numpy(front_end.normalise(signal[:-STEPS]))[None]
    found = free_run(model, Feedback.of(model, front_end), x, STEPS)[0]
    values = (found * model.criterion.std + model.criterion.mean).numpy()
    squares = np.square(values - signal[-STEPS:], dtype=np.float64)
    return math.sqrt(squares.mean()) / float(signal.std())


def largest(data: Path, folder: Path) -> int:
    """The largest n such that the predicted set is right at every step of the strings 1 ... n."""
    recognizer = seqlabel.load(folder)
    utterances = read_manifest(data / "test.jsonl")
    for n, (utterance, output) in enumerate(recognizer.outputs(utterances)):
        legal = read_values(utterance.target) > 0.5
        if not np.array_equal(np.asarray(output.frames) > 0.5, legal):
            return n
    return len(utterances)


TASKS = {"sines": free_error, "counting": largest}


def main() -> None:
    if len(sys.argv) < 4 or sys.argv[1] not in TASKS:
        raise InputError("usage: judge.py sines|counting DATA EXP...")
    judge = TASKS[sys.argv[1]]
    for folder in map(Path, sys.argv[3:]):
        print(folder, f"{judge(Path(sys.argv[2]), folder):.4g}", flush=True)


if __name__ == "__main__":
    sys.exit(run_command("judge.py", main))
