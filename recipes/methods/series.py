"""Makes the data of the tasks: lists of arrays for `seqlabel prepare manifest`.

    python series.py sines K OUT       the sum of K sines
    python series.py counting K OUT    a^n b^n (K = 2) or a^n b^n c^n (K = 3)

sines (Schmidhuber et al. 2007): the first K of five frequencies, whose common period is longer than
the data. The sets are consecutive parts of one signal.
counting (Gers & Schmidhuber 2001): the inputs are S, a, b, ... (one-hot), the targets a, b, ..., T,
with 1 for each symbol that may follow. Training and dev have n = 1 ... 10, the test 1 ... 500.
"""

import sys
from pathlib import Path

import numpy as np

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.files import write_jsonl
from seqlabel.inputs.series import write_values

FREQUENCIES = (0.2, 0.311, 0.42, 0.51, 0.74)  # radians a step
STRETCHES = {"train": (0, 1000), "dev": (1000, 1700), "test": (2000, 2700)}
LONGEST_TRAINED, LONGEST_TESTED = 10, 500


def sines(count: int, start: int, end: int) -> np.ndarray:
    """(T, 1) values of the steps start ... end - 1."""
    t = np.arange(start, end)[:, None]
    return np.sin(t * np.array(FREQUENCIES[:count])).sum(axis=1, keepdims=True)


def string(letters: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs S, a, b, ... (1 + n * letters, 1 + letters), and targets a, b, ..., T.

    With n = 1 the sets of a^n b^n are {a}, {a, b}, {T}.
    """
    steps = 1 + n * letters
    x, legal = np.zeros((2, steps, 1 + letters), np.float32)
    place = np.arange(1, steps)
    x[0, 0] = 1
    x[place, 1 + (place - 1) // n] = 1
    legal[: n + 1, 0] = 1  # a may always be followed by another a
    legal[1 : n + 1, 1] = 1
    later = np.arange(n + 1, steps)  # from the first b on, only one symbol may follow
    legal[later, later // n] = 1
    return x, legal


def write(task: str, count: int, out: Path) -> None:
    """Write the arrays and lists of the sets of a task."""
    out.mkdir(parents=True, exist_ok=True)
    for name, (start, end) in STRETCHES.items():
        rows = []
        if task == "sines":
            write_values(out / f"{name}.npy", sines(count, start, end))
            rows.append({"kind": "series", "source": f"{name}.npy"})
        else:
            for n in range(1, (LONGEST_TESTED if name == "test" else LONGEST_TRAINED) + 1):
                x, legal = string(count, n)
                write_values(out / f"{name}{n}.npy", x)
                write_values(out / f"{name}{n}-next.npy", legal)
                files = {"source": f"{name}{n}.npy", "target": f"{name}{n}-next.npy"}
                rows.append({"id": f"{name}{n}", "kind": "series", **files})
        write_jsonl(out / f"{name}.jsonl", rows)


def main() -> None:
    tasks = {"sines": range(1, 6), "counting": range(2, 4)}
    match sys.argv[1:]:
        case [task, number, out] if task in tasks and number in map(str, tasks[task]):
            write(task, int(number), Path(out))
        case _:
            raise InputError("usage: series.py sines 1..5 OUT, or series.py counting 2..3 OUT")


if __name__ == "__main__":
    sys.exit(run_command("series.py", main))
