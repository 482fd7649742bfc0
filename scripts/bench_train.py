#!/usr/bin/env python
"""Times training: beside plain PyTorch, on two processes, and what its checkpoints cost.

plain        seqlabel's training loop and the same training in plain PyTorch (`plain_pytorch.py`),
             epoch by epoch in turn in one process: seconds per epoch, and to the same dev error
             rate. Same features, layers, initial weights, optimiser, rate, clipping and dropout, as
             many utterances per update on average. The cell becomes "lstm", the one torch has;
             augmentation, noise, averages and decay of the rate are off. seqlabel stacks frames in
             every epoch and writes checkpoints; plain PyTorch finds its frames ready in memory and
             writes nothing. "padded" lets nn.LSTM run over the padding: faster, and wrong there.
             Freed memory is kept and denormals are flushed for all (`seqlabel.lstm.runtime`), which
             torch does not do by itself; --denormals leaves plain PyTorch without the second.
processes    the configuration as it is on one process with one and with two threads, and on two
             processes under torchrun, in turn: seconds per epoch, of the parts of an epoch, and of
             processor time in the first process.
checkpoints  the configuration as it is: time inside the calls that write checkpoints and the best
             weights, and in fsync within them, as a share of all epochs. Two runs, with and
             without, would differ by chance more.

The first epoch of a run, which compiles, counts in the time to an error rate but in no median.
Processor time bears a busy machine; it means little where two threads wait for each other.

    C=recipes/an4/conf/characters.toml
    taskset -c 1 python scripts/bench_train.py plain $C --data DATA --cer 0.25 --json FILE
    python scripts/bench_train.py processes $C --data DATA
    python scripts/bench_train.py checkpoints $C --data DATA
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from plain_pytorch import Training, comparable, twin

from seqlabel.files import read_json, write_json
from seqlabel.lstm.runtime import settle
from seqlabel.training import loop
from seqlabel.training.clock import PARTS
from seqlabel.training.distribution import Workers, workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.monitor import Monitor
from seqlabel.training.phase_record import Run
from seqlabel.training.phases import run_phases
from seqlabel.training.precision import set_precision
from seqlabel.training.run import configure_torch
from seqlabel.training.run_directory import make_model
from seqlabel.training.setup import leave_out, load_datasets


class Enough(Exception):
    """All that was to be measured has been."""


@dataclass
class Way:
    """Epochs of one way to train: wall and processor seconds, and the dev error rate after each."""

    name: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    error_rates: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def stop(self, error_rate: float) -> None:
        self.seconds.append(time.perf_counter() - self.began[0])
        self.processor.append(time.process_time() - self.began[1])
        self.error_rates.append(error_rate)
        if os.environ.get("RANK", "0") == "0":
            text = f"epoch {len(self.seconds):3} {self.seconds[-1]:8.2f} s"
            print(f"{self.name:16} {text}  dev {error_rate:7.2%}", file=sys.stderr, flush=True)

    def epochs_to(self, error_rate: float) -> int | None:
        """Epochs until dev is as good as `error_rate`, None if it never is."""
        reached = [n for n, e in enumerate(self.error_rates, 1) if e <= error_rate]
        return reached[0] if reached else None


class Watch(Monitor):
    """Hands over to the benchmark after every epoch."""

    def __init__(self, folder: Path, speaks: bool, after: Callable[[float], None]) -> None:
        super().__init__(folder, "error", speaks)
        self.after = after

    def end_epoch(self, *arguments: Any) -> None:
        super().end_epoch(*arguments)
        self.after(arguments[2].error_rate)


def prepare(
    experiment: Experiment, args: argparse.Namespace, folder: Path, group: Workers, after: Callable
) -> Run:
    """A run about to start, as `seqlabel train` makes it; `after` gets the dev error rates."""
    configure_torch(experiment)
    front_end, train, dev = load_datasets(experiment, args.data, group)
    torch.manual_seed(experiment.seed)
    model = make_model(experiment, front_end, train.alphabet)
    usual = experiment.batches.usual_size(train.lengths)
    set_precision(model, experiment.training.bf16, usual, group)
    train, _ = leave_out(train, model, "train")
    if args.utterances:  # spread over the sets, and so over their speakers
        step = -(-len(train) // args.utterances)
        train, dev = (part.subset(range(0, len(part), step)) for part in (train, dev))
    return Run(experiment, model, train, dev, folder, group, Watch(folder, group.first, after))


def limited(args: argparse.Namespace, epochs: int) -> Experiment:
    """The configuration's first phase for so many epochs, with nothing after it."""
    experiment = Experiment.load(args.config, args.overrides)
    phase = replace(experiment.phases[0], epochs=epochs, patience=0, average=1)
    training = replace(experiment.training, threads=args.threads)
    return replace(experiment, phases=(phase,), training=training, initial="")


def measure_plain(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All ways in turn until each is at --cer or has used its time; seqlabel runs to the end."""
    settle()
    args.threads = args.threads or 1
    epochs = args.epochs or 40
    own = Way("seqlabel")
    others: list[tuple[Way, Training]] = []

    def finished(way: Way) -> bool:
        reached = args.cer is not None and way.epochs_to(args.cer) is not None
        used = sum(way.seconds) >= 60 * args.minutes
        return len(way.seconds) >= (2 if reached or used else epochs)

    def after(error_rate: float) -> None:
        own.stop(error_rate)
        for way, training in others:
            if not finished(way):
                torch.set_flush_denormal(not args.denormals)
                way.start()
                way.stop(training.epoch())
                torch.set_flush_denormal(True)
        if finished(own) and all(finished(way) for way, _ in others):
            raise Enough
        own.start()

    run = prepare(comparable(limited(args, epochs)), args, folder, Workers(), after)
    for name in args.ways.split(","):
        others.append((Way(f"nn.LSTM {name}"), twin(run, packed=name == "packed")))
    own.start()
    with suppress(Enough, KeyboardInterrupt):  # Ctrl-C: what there is will do
        run_phases(run)
    ways = [way for way in (own, *(way for way, _ in others)) if way.seconds]
    target = args.cer or max(min(way.error_rates) for way in ways)
    rows = [summary(way, own, target) for way in ways]
    print(f"{others[0][1].options.batch} utterances per update, to dev error rate {target:.4f}")
    titles = ("s/epoch", "ratio", "cpu", "ratio", "best", "epochs", "s", "ratio", "cpu", "ratio")
    print(f"{'':16}", *(f"{title:>9}" for title in titles), sep="")
    for way, row in zip(ways, rows, strict=True):
        cells = ("-" if value is None else f"{value:.4g}" for value in row.values())
        print(f"{way.name:16}", *(f"{cell:>9}" for cell in cells), sep="")
    rows = [asdict(way) | row for way, row in zip(ways, rows, strict=True)]
    return {"target": target, "denormals": args.denormals, "rows": rows}


def summary(way: Way, own: Way, target: float) -> dict[str, Any]:
    """The cells of a line; ratios are to seqlabel. None where `target` is never reached."""
    epochs, ours = way.epochs_to(target), own.epochs_to(target)
    row: dict[str, Any] = {}
    for kind in ("seconds", "processor"):
        theirs, base = typical(getattr(way, kind)), typical(getattr(own, kind))
        row |= {f"epoch_{kind}": theirs, f"epoch_{kind}_ratio": theirs / base}
    row |= {"best": min(way.error_rates), "epochs_to_target": epochs}
    for kind in ("seconds", "processor"):
        spent = sum(getattr(way, kind)[:epochs]) if epochs else None
        ratio = spent / sum(getattr(own, kind)[:ours]) if spent and ours else None
        row |= {f"target_{kind}": spent, f"target_{kind}_ratio": ratio}
    return row


def typical(seconds: list[float]) -> float:
    """The median without the first epoch, which compiles."""
    return statistics.median(seconds[1:] or seconds)


def epochs_of(args: argparse.Namespace, folder: Path, group: Workers, epochs: int) -> Way:
    """The epochs of the configuration as it is, their checkpoints included."""
    way = Way("seqlabel")

    def after(error_rate: float) -> None:
        way.stop(error_rate)
        way.start()

    run = prepare(limited(args, epochs), args, folder, group, after)
    way.start()
    run_phases(run)
    return way


def measure_processes(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One process with one and with two threads, and two with one each, started in turn."""
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two processes need two cores; run this without taskset")
    rounds, epochs = 1 if args.quick else 3, args.epochs or 4
    kinds = {
        "one process, one thread": (1, 1),
        "one process, two threads": (1, 2),
        "two processes": (2, 1),
    }
    columns = ("seconds", "processor", *(f"{part}_seconds" for part in PARTS))
    found: dict[str, dict[str, list[float]]] = {
        name: {column: [] for column in columns} for name in kinds
    }
    for number in range(rounds):
        for name, (processes, threads) in kinds.items():
            out = folder / f"{number}-{processes}-{threads}"
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
            command = [sys.executable, *(launcher if processes > 1 else []), __file__, "worker"]
            command += [str(args.config), "--data", str(args.data), "--folder", str(out)]
            command += ["--threads", str(threads), "--epochs", str(epochs)]
            command += ["--utterances", str(args.utterances or 0)]
            command += [f"--set={setting}" for setting in args.overrides]
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            subprocess.run(command, check=True, env=environment)
            for column, values in read_json(out / "seconds.json").items():
                found[name][column] += values[1:]
    medians = {
        name: {column: statistics.median(values) for column, values in columns.items()}
        for name, columns in found.items()
    }
    base = medians["one process, one thread"]["seconds"]
    titles = ("s/epoch", "speed-up", "cpu", *PARTS)
    print(f"{'':26}", *(f"{title:>11}" for title in titles), sep="")
    for name, row in medians.items():
        seconds, *others = row.values()
        cells = (seconds, base / seconds, *others)
        print(f"{name:26}", *(f"{cell:11.3f}" for cell in cells), sep="")
    threads, processes = (medians[name]["seconds"] for name in list(kinds)[1:])
    print(f"two processes are {threads / processes:.2f} times as fast as two threads")
    return {"epochs": found, "medians": medians, "processes_to_threads": threads / processes}


def work(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One of the processes that `measure_processes` starts."""
    with workers() as group:
        way = epochs_of(args, folder, group, args.epochs)
        if group.first:
            with open(folder / "log.csv", newline="") as stream:
                log = list(csv.DictReader(stream))
            parts = {f"{part}_seconds": [float(row[f"{part}_seconds"]) for row in log]
                     for part in PARTS}  # fmt: skip
            times = {"seconds": way.seconds, "processor": way.processor, **parts}
            write_json(folder / "seconds.json", times)
    return {}


def timed(function: Callable, times: list[float]) -> Callable:
    """The function, with the seconds of every call put down."""

    def call(*arguments: Any) -> Any:
        began = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - began)
        return result

    return call


def measure_checkpoints(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time inside the writing functions, and of fsync, of whatever file, which waits for a disk."""
    args.threads = args.threads or len(os.sched_getaffinity(0))
    spent: dict[str, list[float]] = {"checkpoints": [], "best weights": [], "fsync": []}
    written = ((loop, "save_checkpoint"), (loop, "save_weights"), (os, "fsync"))
    with ExitStack() as stack:
        for (owner, name), times in zip(written, spent.values(), strict=True):
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), times)))
        seconds = epochs_of(args, folder, Workers(), args.epochs or 6).seconds
    size = (folder / "checkpoints" / "last.pt").stat().st_size / 1e6
    epoch = typical(seconds)
    print(f"{epoch:.2f} s an epoch on {args.threads} threads, checkpoints of {size:.0f} MB")
    shares = {}
    for kind, times in spent.items():
        shares[kind] = sum(times) / sum(seconds)
        each = 1e3 * statistics.median(times) if times else 0.0
        print(f"{kind:14}{len(times):4} x {each:7.1f} ms{shares[kind]:9.2%} of the time")
    return {"seconds": seconds, "writing": spent, "shares": shares, "megabytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = {"plain": measure_plain, "processes": measure_processes, "worker": work}
    verbs["checkpoints"] = measure_checkpoints
    parser.add_argument("verb", choices=verbs, metavar="plain|processes|checkpoints")
    parser.add_argument("config", type=Path, help="TOML configuration")
    parser.add_argument("--data", type=Path, required=True, help="folder made by seqlabel prepare")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--quick", action="store_true", help="two epochs, 128 utterances")
    parser.add_argument("--epochs", type=int, help="at most 40 (plain), 4 and 6 by default")
    parser.add_argument("--utterances", type=int, help="about so many, and dev in proportion")
    parser.add_argument("--minutes", type=float, default=1e9, help="for each way at most (plain)")
    parser.add_argument("--cer", type=float, help="dev error rate to reach, 0.25 for 25 %%")
    parser.add_argument("--ways", default="packed,padded", help="of plain PyTorch")
    parser.add_argument("--denormals", action="store_true", help="do not flush them in plain")
    parser.add_argument("--threads", type=int, help="1 by default, all cores for checkpoints")
    parser.add_argument("--folder", type=Path, help="for the runs; a temporary one by default")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.quick:
        args.utterances, args.epochs = args.utterances or 128, args.epochs or 2
    with tempfile.TemporaryDirectory() as temporary:
        result = verbs[args.verb](args, args.folder or Path(temporary))
    if args.json:
        about = {"torch": torch.__version__, "threads": args.threads, "command": sys.argv}
        write_json(args.json, about | result)


if __name__ == "__main__":
    main()
