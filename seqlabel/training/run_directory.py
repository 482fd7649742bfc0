"""The model directory, which `seqlabel.load` reads.

config.toml            the resolved configuration        alphabet.json   symbols, index of the blank
normalisation.safetensors   statistics of the training set (normalise = "train", "running")
weights.safetensors    the best weights so far           metrics.json    their dev scores
run.json               command, versions, data, host     log.csv         one line per epoch
checkpoints/           for --resume; during a phase with `average` its best weights
"""

import csv
import io
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save
from torch import Tensor

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.files import read_json, read_text, whole_file, write_json
from seqlabel.models.model import Model
from seqlabel.quantisation import restore
from seqlabel.training.experiment import Experiment

FORMAT = 1
"""Version of the directory's layout; others cannot be read."""

CONFIG, ALPHABET, STATISTICS = "config.toml", "alphabet.json", "normalisation.safetensors"
WEIGHTS, METRICS, RUN, LOG = "weights.safetensors", "metrics.json", "run.json", "log.csv"
CHECKPOINTS = "checkpoints"

LONGEST_CONFIG, LONGEST_ALPHABET = 1 << 20, 1 << 24
"""Maximum bytes of files."""


def make_model(experiment: Experiment, front_end: FrontEnd, alphabet: Alphabet) -> Model:
    """The untrained network of a configuration."""
    sizes = [*(len(below) for _, below in alphabet.levels), len(alphabet)]
    return network_of_sizes(experiment, front_end, sizes)


def network_of_sizes(experiment: Experiment, front_end: FrontEnd, sizes: Sequence[int]) -> Model:
    """The same for numbers of labels: K of the levels below, the finest first, then K."""
    *levels, labels = sizes
    return Model(front_end.dim, labels, experiment.model, experiment.criterion, levels)


def write_description(
    folder: Path,
    experiment: Experiment,
    alphabet: Alphabet,
    front_end: FrontEnd,
    facts: Mapping[str, Any],
) -> None:
    """Write everything but weights and metrics."""
    experiment.save(folder / CONFIG)
    alphabet.save(folder / ALPHABET)
    if front_end.statistics is not None:
        front_end.statistics.save(folder / STATISTICS)
    packages = ("torch", "numpy", "numba", "safetensors")
    run = {
        "format": FORMAT,
        "seqlabel": seqlabel.__version__,
        "command": sys.argv,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "host": platform.node(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        **facts,
    }
    write_json(folder / RUN, run)


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all."""
    plain = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    with whole_file(path, "wb") as stream:
        stream.write(save(plain))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read the output of `save_weights`, or the same in 8 bits (`seqlabel.quantisation`).

    Raises InputError that names the file for anything else.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; the model directory is incomplete, copy it or train again"
        )
    try:
        arrays = restore(load_file(path))
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); copy or train it again") from None


def load_model(folder: Path) -> tuple[Experiment, Alphabet, FrontEnd, Model]:
    """Rebuild a trained model from its directory; InputError for missing or unsuitable files."""
    if folder.is_file():
        raise InputError(f"{folder}: a file, not a model directory; seqlabel train writes one")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such model directory; seqlabel train writes one")
    if not (folder / RUN).exists():
        raise InputError(
            f"{folder}: not a model directory (no {RUN}); seqlabel train writes one, with all of "
            "its files"
        )
    _check_length(folder / RUN, LONGEST_ALPHABET)
    run = read_json(folder / RUN)
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        found = run.get("format") if isinstance(run, dict) else None
        raise InputError(
            f"{folder / RUN}: model format {found!r}, but this version reads {FORMAT}; "
            "use the version of seqlabel named there, or train again"
        )
    for name, limit in ((CONFIG, LONGEST_CONFIG), (ALPHABET, LONGEST_ALPHABET)):
        _check_length(folder / name, limit)
    experiment = Experiment.load(folder / CONFIG, bases=False)
    alphabet = Alphabet.load(folder / ALPHABET)
    statistics = None
    if experiment.front_end.needs_statistics:
        statistics = Statistics.load(folder / STATISTICS)
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end, statistics)
    weights = load_weights(folder / WEIGHTS)
    try:
        if experiment.model.layers > len(weights):
            raise RuntimeError(f"{experiment.model.layers} layers in {len(weights)} arrays")
        # Compare shapes first, so that the network takes no more memory than its weights on disk.
        with torch.device("meta"):
            make_model(experiment, front_end, alphabet).load_state_dict(weights, assign=True)
        model = make_model(experiment, front_end, alphabet)
        model.load_state_dict(weights)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise InputError(
            f"{folder / WEIGHTS}: does not fit {CONFIG}: {detail}; both must come from one run"
        ) from None
    return experiment, alphabet, front_end, model.eval()


def _check_length(path: Path, limit: int) -> None:
    """InputError for anything but a plain file (pipes and devices never end) of limited length."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a plain file; copy the model directory again")
    if path.is_file() and path.stat().st_size > limit:
        raise InputError(f"{path}: longer than {limit} bytes; copy it again")


def write_log(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the table of epochs."""
    text = io.StringIO()
    if rows:
        # Rows before a resumption may be of another version, with other columns.
        columns = list(dict.fromkeys(key for row in rows for key in row if key))
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with whole_file(path) as stream:
        stream.write(text.getvalue())


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log, values as text; empty if there is none."""
    if not path.exists():
        return []
    try:
        return list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise InputError(f"{path}: not a table of values ({error}); copy the log again") from None


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Keys whose values differ between two configurations, as `key: before -> now`.

    Entries of lists of one length are numbered from 0: `phases.0.epochs: 4 -> 9`.
    """
    lines = []
    for key in [*before, *(key for key in now if key not in before)]:
        old, new = before.get(key), now.get(key)
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            old, new = (dict(zip(map(str, range(len(x))), x, strict=True)) for x in (old, new))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {json.dumps(old)} -> {json.dumps(new)}")
    return lines
