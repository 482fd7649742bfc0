#!/usr/bin/env python
"""Times the LSTM family compared with torch.nn.LSTM and with the matrix products alone.

Two shapes: TIMIT (123 inputs, 3 bidirectional layers of 250, batch 16, lengths 300 ± 80) and
handwriting (20 inputs, 3 x 128, batch 32, lengths 600 ± 150). All implementations run in turn in
one process, so that disturbances affect all of them; medians are reported. The "products" of a cell
are its matrix products alone, at their real shapes: the bound every way is compared with. The rows
"bf16", only on processors with instructions for bfloat16 (AMX, AVX-512 BF16), are compared with the
same cell in float32. The latency-controlled stack ("30 + 30 frames") computes its look-ahead twice:
at three layers 1.67 times the products that it is compared with.

The process keeps freed memory and flushes denormals (`seqlabel.lstm.runtime.settle`), for all.
Without the first everything takes 5 to 25 % longer; without the second the padded nn.LSTM takes 2.4
to 3.5 times as long in a training step, whose gradients fade along the padding.

    python scripts/bench_lstm.py                     # all presets, one core and all cores
    python scripts/bench_lstm.py --quick             # plain and peephole cells, few rounds
    python scripts/bench_lstm.py --shapes timit --cells FGR,gru --threads 1 --json times.json
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlabel.files import write_json
from seqlabel.lstm import LSTM, PRESETS
from seqlabel.lstm.cell import is_timed
from seqlabel.lstm.products import has_bf16
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.runtime import settle

LAYERS, DIRECTIONS, PROJECTION = 3, 2, 128
CHUNK = 30
"""Frames of a chunk and of its look-ahead, for the latency-controlled stack."""
PACKED, PADDED = "nn.LSTM packed", "nn.LSTM padded"


@dataclass(frozen=True)
class Shape:
    inputs: int
    cells: int
    batch: int
    mean: float  # frames
    deviation: float

    def lengths(self) -> Tensor:
        drawn = torch.randn(self.batch, generator=torch.Generator().manual_seed(1))
        return (self.mean + self.deviation * drawn).round().long().clamp(min=1)


SHAPES = {
    "timit": Shape(123, 250, 16, 300, 80),
    "handwriting": Shape(20, 128, 32, 600, 150),
    "tiny": Shape(5, 8, 4, 10, 3),  # to try the script
}


@dataclass(frozen=True)
class Way:
    """A step of one way to compute a stack: forward without, and forward and backward."""

    forward: Callable[[], object]
    both: Callable[[], object]


@dataclass
class Row:
    """A line of the table; times are medians in ms, ratios are to those of the way `bound`."""

    shape: str
    threads: int
    way: str
    bound: str
    forward: float
    both: float
    forward_ratio: float = 0.0
    both_ratio: float = 0.0
    peak_mb: float | None = None


def family(cell: str, shape: Shape, **options: Any) -> LSTM:
    projection = PROJECTION if cell == "lstmp" else 0
    return LSTM(
        shape.inputs, shape.cells, LAYERS, True, cell=cell, projection=projection, **options
    )


def products(cell: str, shape: Shape, large: torch.dtype = torch.float32) -> Way:
    """The matrix products of a cell, into memory laid out before.

    large: of the products over all frames; those of a single frame stay float32. With 16 bits it
    is what torch makes of them that is measured, which on a CPU asks oneDNN, or MKL.
    """
    lengths = shape.lengths().tolist()
    active = Rows.of(lengths, max(lengths)).active.tolist()
    layer, rows = family(cell, shape), sum(lengths)
    forward: list[tuple[Tensor, Tensor, Tensor]] = []
    backward: list[tuple[Tensor, Tensor, Tensor]] = []
    for number in range(LAYERS):
        width = layer.output_size if number else shape.inputs
        shapes = layer.cell.shapes(width, shape.cells)
        for _ in range(DIRECTIONS):
            for name in ("input", "recurrent", "gate_recurrent", "projection", "decay"):
                if name not in shapes:
                    continue
                w = torch.randn(shapes[name])
                w_t, dw = w.t().contiguous(), torch.empty_like(w)
                s, a = torch.randn(rows, w.shape[1]), torch.randn(rows, w.shape[0])
                if name == "input":
                    forward.append((s.to(large), w_t.to(large), a.to(large)))
                    if number:
                        backward.append((a.to(large), w.to(large), s.to(large)))
                else:
                    forward += [(s[:n], w_t, a[:n]) for n in active]
                    backward += [(a[:n], w, s[:n]) for n in active]
                backward.append((a.to(large).t(), s.to(large), dw.to(large)))

    def run(steps: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        for left, right, out in steps:
            torch.mm(left, right, out=out)

    return Way(partial(run, forward), partial(run, forward + backward))


def stack(layer: nn.Module, shape: Shape, kind: str = "lengths") -> Way:
    """A module with input by lengths, packed or padded, and a gradient that is 0 in the padding."""
    lengths = shape.lengths()
    x = torch.randn(shape.batch, int(lengths.max()), shape.inputs)
    inside = torch.arange(x.shape[1]) < lengths[:, None]
    width = layer.output_size if isinstance(layer, LSTM) else DIRECTIONS * shape.cells
    dy = torch.randn(*x.shape[:2], width) * inside[:, :, None]
    elapsed = None
    if isinstance(layer, LSTM) and is_timed(layer.cell):
        elapsed = 4 * torch.rand(x.shape[:2])

    def forward() -> Tensor:
        if kind == "lengths":
            return layer(x, lengths, elapsed=elapsed)[0]
        if kind == "padded":
            return layer(x)[0]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(layer(packed)[0], batch_first=True)[0]

    def both() -> None:
        layer.zero_grad()
        forward().backward(dy)

    return Way(torch.no_grad()(forward), both)


def ways(shape: Shape, cells: list[str], packed: bool) -> Iterator[tuple[str, str, Way]]:
    """Name, the products it is compared with, and the way itself."""
    for cell in cells:
        yield f"products {cell}", f"products {cell}", products(cell, shape)
        yield cell, f"products {cell}", stack(family(cell, shape), shape)
        if has_bf16() and cell != "gru-before":
            yield f"{cell} bf16", cell, stack(family(cell, shape, bf16=True), shape)
        if cell == "lstm":
            chunks = family(cell, shape, chunk=CHUNK, lookahead=CHUNK)
            yield f"lstm, {CHUNK} + {CHUNK} frames", f"products {cell}", stack(chunks, shape)
            for dtype in (torch.bfloat16, torch.float16):
                name = str(dtype).removeprefix("torch.")
                yield f"products lstm {name}", "products lstm", products(cell, shape, dtype)
    if "lstm" in cells:
        theirs = nn.LSTM(shape.inputs, shape.cells, LAYERS, batch_first=True, bidirectional=True)
        yield PADDED, "products lstm", stack(theirs, shape, "padded")
        if packed:
            yield PACKED, "products lstm", stack(theirs, shape, "packed")


def measure(name: str, threads: int, cells: list[str], rounds: int, packed: bool) -> list[Row]:
    """The table of one shape."""
    torch.set_num_threads(threads)
    everything = list(ways(SHAPES[name], cells, packed))
    times: dict[str, list[list[float]]] = {way: [[], []] for way, _, _ in everything}
    for number in range(rounds + 1):  # the first one compiles and warms up
        for way, _, steps in everything:
            if way == PACKED and number < rounds:
                continue  # once is enough: it takes up to two minutes a step
            for kind, step in enumerate((steps.forward, steps.both)):
                start = time.perf_counter()
                step()
                if number:
                    times[way][kind].append(1000 * (time.perf_counter() - start))
    rows = {
        way: Row(name, threads, way, bound, *(statistics.median(t) for t in times[way]))
        for way, bound, _ in everything
    }
    for row in rows.values():
        row.forward_ratio = row.forward / rows[row.bound].forward
        row.both_ratio = row.both / rows[row.bound].both
    return list(rows.values())


def peak_memory(name: str, cell: str) -> float:
    """MB that a forward and backward step takes in a fresh process, above what it holds before."""
    command = [sys.executable, __file__, "--peak", cell, "--shapes", name]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def report_peak(name: str, way: str) -> None:
    """In the fresh process: warms up at a tiny shape, then takes one step."""
    settle()
    for shape in (SHAPES["tiny"], SHAPES[name]):
        if way == PADDED:
            theirs = nn.LSTM(
                shape.inputs, shape.cells, LAYERS, batch_first=True, bidirectional=True
            )
            step = stack(theirs, shape, "padded").both
        else:
            step = stack(family(way, shape), shape).both
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = status("VmRSS")
        step()
        used = status("VmHWM") - before
    print(used)


def status(field: str) -> float:
    """A line of /proc/self/status in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def print_table(rows: list[Row]) -> None:
    first = rows[0]
    print(f"\n{first.shape}, {first.threads} thread{'s' if first.threads > 1 else ''}")
    print(f"{'':28}{'forward':>10}{'ratio':>7}{'both':>10}{'ratio':>7}{'peak MB':>9}")
    for row in rows:
        peak = f"{row.peak_mb:9.0f}" if row.peak_mb is not None else ""
        print(
            f"{row.way:28}{row.forward:10.1f}{row.forward_ratio:7.2f}"
            f"{row.both:10.1f}{row.both_ratio:7.2f}{peak}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="lstm and peephole, 3 rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--shapes", default="timit,handwriting", help=f"of {','.join(SHAPES)}")
    parser.add_argument("--cells", help="presets, all by default")
    parser.add_argument("--threads", help="numbers of threads, by default 1 and all cores")
    parser.add_argument("--rounds", type=int, help="11 by default")
    parser.add_argument("--packed", action="store_true", help="nn.LSTM packed at all shapes")
    parser.add_argument("--peak", metavar="CELL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        report_peak(options.shapes, options.peak)
        return
    settle()
    distinct = {cell: name for name, cell in reversed(PRESETS.items())}
    cells = options.cells.split(",") if options.cells else list(distinct.values())[::-1]
    if options.quick and not options.cells:
        cells = ["lstm", "peephole"]
    rounds = options.rounds or (3 if options.quick else 11)
    cores = len(os.sched_getaffinity(0))
    threads = [int(n) for n in options.threads.split(",")] if options.threads else [1, cores]
    table: list[Row] = []
    for name in options.shapes.split(","):
        for number in sorted(set(threads)):
            packed = options.packed or (number == 1 and not options.quick)
            rows = measure(name, number, cells, rounds, packed)
            if number == 1:
                for row in rows:
                    if row.way in (PADDED, "lstm", "peephole"):
                        row.peak_mb = peak_memory(name, row.way)
            print_table(rows)
            table += rows
    if options.json:
        write_json(options.json, {"rounds": rounds, "rows": [asdict(row) for row in table]})


if __name__ == "__main__":
    main()
