"""Time of a layer over pixels, forward and with gradient, and memory kept for the gradient.

    python scripts/bench_mdlstm.py [--quick] [--threads N] [--json FILE]

The levels of the network of Graves & Schmidhuber 2009 and of the recipe for scanned lines, from all
four corners, on batches of maps of different sizes. Compared with the compiled layer:

    products    its matrix products alone: the input product of the whole map, the recurrent product
                of each diagonal over all maps, and those of the gradient, in the same shapes
    diagonals   the same layer in torch operations, diagonal by diagonal
    pixels      the same in torch operations, pixel by pixel, as in the equations; measured on one
                map of the batch and scaled to the pixels of the batch

The order of computation (`plan`) is computed once for a batch, for all directions and both passes;
it is measured separately. Medians of interleaved rounds. With one thread (the default)
processor time is measured, which depends little on other work; with more, wall time. Memory is what
autograd keeps for the backward pass.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqlabel.files import write_json
from seqlabel.lstm import MDLSTM
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.lstm.multidimensional.plan import plan_columns
from seqlabel.lstm.runtime import settle


class Task(NamedTuple):
    """A layer of `cells` over maps of about `size` pixels."""

    inputs: int
    cells: int
    size: tuple[int, int]
    maps: int


TASKS = {
    "2009, level 1": Task(12, 2, (120, 24), 8),
    "2009, level 2": Task(6, 10, (40, 6), 16),
    "2009, level 3": Task(20, 50, (20, 2), 32),
    "lines, level 1": Task(6, 8, (45, 8), 16),
    "lines, level 2": Task(24, 24, (45, 4), 16),
    "lines, level 3": Task(48, 48, (45, 2), 16),
    "wide": Task(48, 64, (60, 12), 16),
}


def ragged(task: Task, rng: np.random.Generator) -> np.ndarray:
    """(maps, 2) sizes up to a tenth smaller than the largest, as in batches sorted by length."""
    return np.ceil(np.array(task.size) * rng.uniform(0.9, 1.0, (task.maps, 2))).astype(int)


class Products:
    """The matrix products of a layer of four directions, and nothing else."""

    def __init__(self, task: Task, grid: Grid) -> None:
        first = plan_columns(grid)[0].first
        A, I, S, P = 5 * task.cells, task.inputs, 2 * task.cells, len(grid)
        self.w, self.r = torch.randn(A, I), torch.randn(A, S)
        self.x, self.a, self.da = torch.randn(I, P), torch.empty(A, P), torch.randn(A, P)
        self.s, self.dx = torch.randn(S, P), torch.empty(I, P)
        self.dw, self.dr = torch.empty(A, I), torch.empty(A, S)
        sizes = np.diff(first).tolist()
        self.sources = [torch.randn(S, n) for n in sizes]
        self.nets = [torch.empty(A, n) for n in sizes]

    def forward(self) -> None:
        for _ in range(4):
            torch.mm(self.w, self.x, out=self.a)
            for source, net in zip(self.sources, self.nets, strict=True):
                torch.addmm(net, self.r, source, out=net)

    def both(self) -> None:
        self.forward()
        for _ in range(4):
            for source, net in zip(self.sources, self.nets, strict=True):
                torch.mm(self.r.t(), net, out=source)
            torch.mm(self.da, self.x.t(), out=self.dw)
            torch.mm(self.da, self.s.t(), out=self.dr)
            torch.mm(self.w.t(), self.da, out=self.dx)


def layer_runs(layer: MDLSTM, x: Tensor, grid: Grid) -> dict[str, Callable[[], object]]:
    x = x.clone().requires_grad_()

    def forward() -> None:
        with torch.no_grad():
            layer.packed(x, grid)

    def both() -> None:
        y = layer.packed(x, grid)
        y.backward(torch.ones_like(y))

    return {"forward": forward, "both": both}


def kept_bytes(layer: MDLSTM, x: Tensor, grid: Grid) -> int:
    """Bytes of different tensors that autograd keeps for the backward pass, inputs included."""
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = layer.packed(x.clone().requires_grad_(), grid)
    del y
    return sum(sizes.values())


def measure(
    runs: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median seconds of each, taken in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            repeats = 1 if name.startswith(("pixels", "diagonals")) else 5
            started = clock()
            for _ in range(repeats):
                run()
            if number:  # the first round compiles
                seconds[name].append((clock() - started) / repeats)
    return {name: statistics.median(values) for name, values in seconds.items()}


def bench(task: Task, rounds: int, loop: bool, clock: Callable[[], float]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    grid = Grid.of(ragged(task, rng))
    layers = {
        name: MDLSTM(task.inputs, task.cells, forget="mean", backend=name)
        for name in ("fused", "diagonal", "reference")
    }
    x = torch.randn(len(grid), task.inputs)
    products = Products(task, grid)
    fused = layer_runs(layers["fused"], x, grid)
    runs: dict[str, Callable[[], object]] = {
        "forward": fused["forward"],
        "both": fused["both"],
        "products forward": products.forward,
        "products both": products.both,
        "diagonals both": layer_runs(layers["diagonal"], x, grid)["both"],
    }
    found = measure(runs, rounds, clock)
    find_plan = plan_columns.__wrapped__
    found |= measure({"plan": lambda: find_plan(Grid.of(grid.sizes))}, rounds, clock)
    one = Grid.of(grid.sizes[:1])
    if loop:
        few = layer_runs(layers["reference"], x[: len(one)], one)["both"]
        seconds = measure({"pixels": few}, 1, clock)["pixels"]
        found["pixels both"] = seconds * len(grid) / len(one)
    found["kept"] = kept_bytes(layers["fused"], x, grid) / len(grid)
    found["diagonals kept"] = kept_bytes(layers["diagonal"], x, grid) / len(grid)
    found["pixels"] = len(grid)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds, no loop over pixels")
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    settle()
    clock = time.process_time if args.threads == 1 else time.perf_counter
    results = {}
    print(f"{'':16}{'pixels':>8}{'ms':>9}{'/ products':>12}{'ms both':>9}{'/ products':>12}"
          f"{'plan ms':>9}{'diagonals':>11}{'pixel loop':>12}{'B/pixel':>9}")  # fmt: skip
    for name, task in TASKS.items():
        found = bench(task, 3 if args.quick else 9, not args.quick, clock)
        ratios = {
            "forward / products": found["forward"] / found["products forward"],
            "both / products": found["both"] / found["products both"],
            "diagonals / both": found["diagonals both"] / found["both"],
        }
        if "pixels both" in found:
            ratios["pixel loop / both"] = found["pixels both"] / found["both"]
        results[name] = {**task._asdict(), **found, **ratios}
        loop = f"{ratios['pixel loop / both']:.0f} x" if "pixel loop / both" in ratios else "-"
        print(
            f"{name:16}{found['pixels']:8}{1e3 * found['forward']:9.2f}"
            f"{ratios['forward / products']:12.2f}{1e3 * found['both']:9.2f}"
            f"{ratios['both / products']:12.2f}{1e3 * found['plan']:9.2f}"
            f"{ratios['diagonals / both']:9.0f} x{loop:>12}"
            f"{found['kept']:9.0f}",
            flush=True,
        )
    if args.json:
        write_json(args.json, {"threads": args.threads, "tasks": results})


if __name__ == "__main__":
    main()
