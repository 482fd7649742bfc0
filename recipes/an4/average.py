"""One model whose weights are the mean of those of several.

    python recipes/an4/average.py EXP EXP... --out OUT

They must have begun with the same trained weights (`initial`), so that they lie in one valley of
the loss; the mean of independent trainings reads nothing. It costs as much to read with as one.
Wortsman et al., "Model soups", ICML 2022.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd
from seqlabel.files import whole_folder
from seqlabel.training.run_directory import WEIGHTS, load_model, save_weights, write_description


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="EXP", help="model directories")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()
    if options.out.exists():
        raise InputError(f"{options.out}: there already; name a new folder")
    average(options.models, options.out)


def average(models: list[Path], out: Path) -> None:
    """Write the model; InputError for models that differ in more than their weights."""
    first, alphabet, front_end, network = load_model(models[0])
    weights = network.state_dict()
    for path in models[1:]:
        experiment, labels, other, network = load_model(path)
        same = (labels, experiment.model, experiment.criterion) == (
            alphabet,
            first.model,
            first.criterion,
        )
        if not same or not alike(front_end, other):
            raise InputError(f"{path}: has other labels, features or layers than {models[0]}")
        for name, weight in network.state_dict().items():
            weights[name] = weights[name] + weight
    with whole_folder(out) as folder:
        write_description(folder, first, alphabet, front_end, {"mean_of": list(map(str, models))})
        save_weights(folder / WEIGHTS, {name: w / len(models) for name, w in weights.items()})


def alike(one: FrontEnd, other: FrontEnd) -> bool:
    """Whether two front ends give the same frames."""
    if (one.extractor, one.options) != (other.extractor, other.options):
        return False
    if one.statistics is None or other.statistics is None:
        return one.statistics is other.statistics
    return np.array_equal(one.statistics.mean, other.statistics.mean) and np.array_equal(
        one.statistics.std, other.statistics.std
    )


if __name__ == "__main__":
    sys.exit(run_command("average.py", main))
