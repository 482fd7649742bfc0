#!/usr/bin/env python
"""Times training: beside plain PyTorch, on two processes, and what its checkpoints cost.

plain        seqlabel's training loop and the same training in plain PyTorch (`plain_pytorch.py`),
             epoch by epoch in turn in one process: seconds per epoch, and to the same dev error
             rate. Same prepared features, layers, initial weights, optimiser, rate, clipping and
             dropout, as many utterances per update on average. Of the configuration the cell is set
             to "lstm", the one torch has, and what plain PyTorch lacks is off: augmentation, noise,
             averages, decay of the rate. seqlabel normalises and stacks the frames in every epoch,
             and writes its checkpoints; plain PyTorch finds them ready in memory and writes none.
             "padded" lets nn.LSTM run over the padding, which is faster and wrong there.
             Freed memory is kept and denormals are flushed for all (`seqlabel.lstm.runtime`), which
             torch does not do by itself; --denormals leaves plain PyTorch without the second.
processes    the configuration as it is on two processes under torchrun, and on one with two
             threads, in turn: seconds per epoch.
checkpoints  the configuration as it is: the time inside the calls that write checkpoints and the
             best weights, as a share of the epochs. A run without them would show less: epochs
             differ by more than a write takes.

The first epoch of a run, which compiles, is left out of the medians, not of the time to an error
rate. Processor time, which a busy machine disturbs less, is given where the work has one thread.

    C=recipes/an4/conf/characters.toml
    taskset -c 1 python scripts/bench_train.py plain $C --data DATA --cer 0.25
    taskset -c 1 python scripts/bench_train.py plain $C --data DATA --ways padded --json FILE
    python scripts/bench_train.py processes $C --data DATA
    python scripts/bench_train.py checkpoints $C --data DATA --quick
"""

import argparse
import json
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
from plain_pytorch import Network, Options, Training

from seqlabel.data import make_batches
from seqlabel.files import write_json
from seqlabel.lstm.runtime import settle
from seqlabel.models.network import ModelOptions
from seqlabel.training import loop
from seqlabel.training.distribution import Workers, workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.loop import Run, rng_of, run_phases
from seqlabel.training.monitor import Monitor
from seqlabel.training.options import AugmentationOptions, Phase, TrainingOptions
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
        done, last = len(self.seconds), self.seconds[-1]
        text = f"{self.name:16} epoch {done:3} {last:8.2f} s  dev {100 * error_rate:6.2f} %"
        print(text, file=sys.stderr, flush=True)

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
    train, _ = leave_out(train, model, "train")
    return Run(experiment, model, train, dev, folder, group, Watch(folder, group.first, after))


def limited(experiment: Experiment, epochs: int, threads: int) -> Experiment:
    """The first phase for so many epochs, with nothing after it."""
    phase = replace(experiment.phases[0], epochs=epochs, patience=0, average=1)
    training = replace(experiment.training, threads=threads)
    return replace(experiment, phases=(phase,), training=training, initial="")


def comparable(experiment: Experiment) -> Experiment:
    """The configuration without what plain PyTorch does not have."""
    shape, first = experiment.model, experiment.phases[0]
    kept = ("hidden", "layers", "bidirectional", "dropout", "init", "initial_range", "forget_bias")
    update = ("epochs", "optimiser", "learning_rate", "warmup", "momentum", "weight_decay")
    return replace(
        experiment,
        model=ModelOptions(cell="lstm", **{name: getattr(shape, name) for name in kept}),
        criterion={"kind": "ctc"},
        augmentation=AugmentationOptions(),
        training=TrainingOptions(threads=experiment.training.threads),
        phases=(
            Phase(
                patience=0,
                clip_norm=first.clip_norm,
                **{name: getattr(first, name) for name in update},
            ),
        ),
    )


def plain_training(run: Run, packed: bool) -> Training:
    """The training of `run` in plain PyTorch, from the same weights."""
    model, phase, shape = run.model, run.experiment.phases[0], run.experiment.model
    data = [
        [
            (torch.tensor(dataset.frames(n).x), torch.tensor(dataset.targets[n]))
            for n in range(len(dataset))
        ]
        for dataset in (run.train, run.dev)
    ]
    network = Network(
        run.train.front_end.dim,
        len(run.train.alphabet),
        shape.hidden,
        shape.layers,
        shape.bidirectional,
        shape.dropout,
        packed,
    )
    network.lstm.load_state_dict(model.encoder.lower.torch_state_dict())
    network.output.load_state_dict(model.criterion.output.state_dict())
    drawn = make_batches(run.train.lengths, run.experiment.batches, rng_of((1,)))
    options = Options(
        max(1, round(len(run.train) / len(drawn))),
        phase.optimiser,
        phase.learning_rate,
        phase.weight_decay,
        phase.momentum,
        phase.clip_norm,
        phase.warmup,
        run.experiment.seed,
    )
    check_equal(run, network)
    return Training(network, *data, options)


@torch.no_grad()
def check_equal(run: Run, network: Network) -> None:
    """Both must compute the same before training starts, of one utterance, which has no padding."""
    batch = run.dev.batch([0])
    ours, _ = run.model.eval().outputs(batch.x, batch.lengths)
    difference = float((ours - network.eval()(batch.x, batch.lengths)).abs().max())
    if not difference < 1e-3:
        raise SystemExit(f"the networks differ by {difference:g} before training")


def measure_plain(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All ways in turn until each is at --cer or has used its time; seqlabel runs to the end."""
    settle()
    epochs = args.epochs or (2 if args.quick else 40)
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
        if all(finished(way) for way in (own, *(way for way, _ in others))):
            raise Enough
        own.start()

    experiment = Experiment.load(args.config, args.overrides)
    experiment = comparable(limited(experiment, epochs, args.threads))
    run = prepare(experiment, args, folder, Workers(), after)
    for name in args.ways.split(","):
        others.append((Way(f"nn.LSTM {name}"), plain_training(run, packed=name == "packed")))
    own.start()
    with suppress(Enough):
        run_phases(run)
    ways = [own, *(way for way, _ in others)]
    target = args.cer or max(min(way.error_rates) for way in ways)
    rows = [summary(way, own, target) for way in ways]
    print(f"{others[0][1].options.batch} utterances per update, dev error rate {target:.4f}")
    print(f"{'':16}{'s/epoch':>9}{'ratio':>7}{'cpu s':>9}{'ratio':>7}{'best':>8}", end="")
    print(f"{'epochs':>8}{'s to it':>9}{'ratio':>7}{'cpu s':>9}{'ratio':>7}")
    for way, row in zip(ways, rows, strict=True):
        cells = [f"{row[key]:{width}}" if row[key] else f"{'-':>6}" for key, width in COLUMNS]
        print(f"{way.name:16}", *cells, sep="")
    return {"target": target, "denormals": args.denormals, "rows": rows}


COLUMNS = (
    ("epoch_seconds", "9.2f"),
    ("epoch_seconds_ratio", "7.2f"),
    ("epoch_processor", "9.2f"),
    ("epoch_processor_ratio", "7.2f"),
    ("best", "8.4f"),
    ("epochs_to_target", "8"),
    ("target_seconds", "9.1f"),
    ("target_seconds_ratio", "7.2f"),
    ("target_processor", "9.1f"),
    ("target_processor_ratio", "7.2f"),
)


def summary(way: Way, own: Way, target: float) -> dict[str, Any]:
    """A line of the table; ratios are to seqlabel, None where either never gets to `target`."""
    epochs, ours = way.epochs_to(target), own.epochs_to(target)
    row: dict[str, Any] = asdict(way) | {"best": min(way.error_rates), "epochs_to_target": epochs}
    for kind in ("seconds", "processor"):
        theirs, base = getattr(way, kind), getattr(own, kind)
        row[f"epoch_{kind}"] = typical(theirs)
        row[f"epoch_{kind}_ratio"] = typical(theirs) / typical(base)
        row[f"target_{kind}"] = spent = sum(theirs[:epochs]) if epochs else None
        row[f"target_{kind}_ratio"] = spent / sum(base[:ours]) if spent and ours else None
    return row


def typical(seconds: list[float]) -> float:
    """The median without the first epoch, which compiles."""
    return statistics.median(seconds[1:] or seconds)


def epochs_of(args: argparse.Namespace, folder: Path, group: Workers, epochs: int) -> list[float]:
    """Seconds of the epochs of the configuration as it is, their checkpoints included."""
    way = Way("seqlabel")

    def after(error_rate: float) -> None:
        way.stop(error_rate)
        way.start()

    experiment = Experiment.load(args.config, args.overrides)
    run = prepare(limited(experiment, epochs, args.threads), args, folder, group, after)
    way.start()
    run_phases(run)
    return way.seconds


def measure_processes(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Two processes with a thread each and one with two, started in turn."""
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        raise SystemExit("two processes need two cores; run this without taskset")
    rounds, epochs = (1, 2) if args.quick else (3, args.epochs or 4)
    kinds = {"one process, two threads": (1, 2), "two processes": (2, 1)}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds):
        for name, (processes, threads) in kinds.items():
            out = folder / f"{number}-{processes}"
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
            command = [sys.executable, *(launcher if processes > 1 else []), __file__, "worker"]
            command += [str(args.config), "--data", str(args.data), "--folder", str(out)]
            command += ["--threads", str(threads), "--epochs", str(epochs)]
            command += [word for setting in args.overrides for word in ("--set", setting)]
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            subprocess.run(command, check=True, env=environment)
            seconds[name] += json.loads((out / "seconds.json").read_text())[1:]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = medians["one process, two threads"]
    for name, value in medians.items():
        spread = f"{min(seconds[name]):.2f} to {max(seconds[name]):.2f}"
        print(f"{name:26}{value:9.2f} s/epoch{base / value:7.2f} x   ({spread})")
    return {"seconds": seconds, "medians": medians, "speedup": base / medians["two processes"]}


def work(args: argparse.Namespace, folder: Path) -> None:
    """One of the processes that `measure_processes` starts."""
    with workers() as group:
        seconds = epochs_of(args, folder, group, args.epochs)
        if group.first:
            write_json(folder / "seconds.json", seconds)


def measure_checkpoints(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Time inside the writing functions and, of it, waiting for the disk."""
    spent: dict[str, list[float]] = {"checkpoints": [], "best weights": [], "fsync": []}

    def timed(function: Callable, times: list[float]) -> Callable:
        def call(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                times.append(time.perf_counter() - began)

        return call

    began = time.perf_counter()
    with ExitStack() as stack:
        for owner, name, kind in (
            (loop, "save_checkpoint", "checkpoints"),
            (loop, "save_weights", "best weights"),
            (os, "fsync", "fsync"),
        ):
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), spent[kind])))
        seconds = epochs_of(args, folder, Workers(), args.epochs or (2 if args.quick else 6))
    size = (folder / "checkpoints" / "last.pt").stat().st_size / 1e6
    epoch = typical(seconds)
    print(f"{epoch:.2f} s an epoch, {len(seconds)} epochs in {time.perf_counter() - began:.0f} s,")
    print(f"checkpoints of {size:.0f} MB, --threads {args.threads}")
    shares = {}
    for kind, times in spent.items():
        # Per epoch: the last checkpoint of a phase is written once more for its end.
        once = statistics.median(times) if times else 0.0
        shares[kind] = once / epoch
        print(f"{kind:16}{len(times):4} times{1e3 * once:9.1f} ms{100 * shares[kind]:8.2f} %")
    return {"seconds": seconds, "writing": spent, "shares": shares, "megabytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = {
        "plain": measure_plain,
        "processes": measure_processes,
        "checkpoints": measure_checkpoints,
        "worker": work,
    }
    parser.add_argument("verb", choices=verbs, metavar="plain|processes|checkpoints")
    parser.add_argument("config", type=Path, help="TOML configuration")
    parser.add_argument("--data", type=Path, required=True, help="folder made by seqlabel prepare")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--quick", action="store_true", help="two epochs of each")
    parser.add_argument("--epochs", type=int, help="at most 40 (plain), 4 and 6 by default")
    parser.add_argument("--minutes", type=float, default=1e9, help="for each way at most (plain)")
    parser.add_argument("--cer", type=float, help="dev error rate to reach, 0.25 for 25 %%")
    parser.add_argument("--ways", default="packed,padded", help="of plain PyTorch")
    parser.add_argument("--denormals", action="store_true", help="do not flush them in plain")
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--folder", type=Path, help="for the runs; a temporary one by default")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        result = verbs[args.verb](args, args.folder or Path(temporary))
    if args.json:
        about = {"torch": torch.__version__, "threads": args.threads, "command": sys.argv}
        write_json(args.json, about | result)


if __name__ == "__main__":
    main()
