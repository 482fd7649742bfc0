"""seqlabel train: train the model of a configuration on a prepared corpus."""

import argparse
import logging
from pathlib import Path

HELP = "train a network and write a model directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="TOML configuration (seqlabel keys)"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder made by seqlabel prepare")
    parser.add_argument("--out", type=Path, required=True, metavar="EXP", help="model directory")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override an option, for example --set seed=2 --set model.hidden=100",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print network, batches, time and memory without training",
    )
    parser.add_argument("--tensorboard", action="store_true", help="also write EXP/tensorboard")


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.training.distribution import workers
    from seqlabel.training.dry_run import dry_run
    from seqlabel.training.experiment import Experiment
    from seqlabel.training.phase_record import Interrupted
    from seqlabel.training.run import train

    log = logging.getLogger("seqlabel")
    experiment = Experiment.load(args.config, args.overrides)
    with workers() as group:
        if args.dry_run:
            print(dry_run(experiment, args.data, group))
            return 0
        try:
            run = train(experiment, args.data, args.out, group, args.resume, args.tensorboard)
        except Interrupted:
            log.warning("%s: stopped after a checkpoint; continue with --resume", args.out)
            return 130
        if group.first:
            progress = run.progress
            log.info(
                "%s: %d epochs in %.1f minutes, best dev %s %.2f %%",
                args.out,
                progress.epochs_done,
                progress.seconds / 60,
                run.monitor.metric,
                100 * run.best_error_rate(),
            )
    return 0
