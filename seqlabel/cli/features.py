"""seqlabel features: extract the features of a prepared corpus once for all later runs."""

import argparse
from pathlib import Path

HELP = "extract and store the features of a configuration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML configuration")
    parser.add_argument("--data", type=Path, required=True, help="folder made by seqlabel prepare")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override an option of the configuration, as in train",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.training.distribution import workers
    from seqlabel.training.experiment import Experiment
    from seqlabel.training.setup import load_datasets

    experiment = Experiment.load(args.config, args.overrides)
    with workers() as group:
        front_end, train, dev = load_datasets(experiment, args.data, group)
        if group.first:
            for name, dataset in (("train", train), ("dev", dev)):
                print(
                    f"{name}: {len(dataset)} utterances, {dataset.lengths.sum()} frames of "
                    f"{front_end.dim} features"
                )
    return 0
