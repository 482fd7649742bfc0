"""seqlabel features: extracts the features of the sets train and dev for all later runs."""

import argparse
from pathlib import Path

HELP = "extract and store the features of a configuration (sets train and dev)"


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
    from seqlabel.training.setup import load_datasets, load_training_set

    experiment = Experiment.load(args.config, args.overrides)
    sets = {}
    with workers() as group:
        if (args.data / "train.jsonl").is_file() and not (args.data / "dev.jsonl").is_file():
            front_end, sets["train"] = load_training_set(experiment, args.data, group)
        else:
            front_end, sets["train"], sets["dev"] = load_datasets(experiment, args.data, group)
        if group.first:
            for name, dataset in sets.items():
                print(
                    f"{name}: {len(dataset)} utterances, {dataset.lengths.sum()} frames of "
                    f"{front_end.dim} features"
                )
            if "dev" not in sets:
                print(f"dev: no file {args.data / 'dev.jsonl'}; seqlabel train will need one")
    return 0
