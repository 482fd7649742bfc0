"""Whether a run that is to be resumed is the one that began in a folder."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.config import build
from seqlabel.errors import InputError
from seqlabel.features.normalisation import Statistics
from seqlabel.files import read_json
from seqlabel.training.checkpoint import Progress, load_checkpoint
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import (
    ALPHABET,
    CHECKPOINTS,
    LOG,
    RUN,
    STATISTICS,
    differences,
    read_log,
)

log = logging.getLogger("seqlabel")


def earlier_run(
    experiment: Experiment, folder: Path, workers: Workers, resume: bool
) -> tuple[dict[str, Any], Progress] | None:
    """The last checkpoint of a run in the folder, None to begin one.

    Raises InputError if there is a run that is not to be resumed, or that cannot be.
    """
    if not resume:
        if (folder / LOG).exists() or any((folder / CHECKPOINTS).glob("*.pt")):
            raise InputError(
                f"{folder}: already has a run; add --resume to continue it, or choose another --out"
            )
        return None
    checkpoint = load_checkpoint(folder / CHECKPOINTS)
    if checkpoint is None:
        if len(read_log(folder / LOG)) > 1:  # the first epoch may be logged and not yet kept
            raise InputError(
                f"{folder}: has a run without a checkpoint; train into another "
                "--out, or remove this folder"
            )
        return None
    check_same(experiment, checkpoint[0], folder, workers)
    if checkpoint[1].finished:
        log.info("%s: training is already finished", folder)
    return checkpoint


def check_same(
    experiment: Experiment, state: dict[str, Any], folder: Path, workers: Workers
) -> None:
    """Check that a resumed run has the same configuration; the number of processes may differ."""
    # options that are new in this version have their defaults
    before = build(Experiment, state.pop("config"), str(folder)).to_table()
    changed = differences(before, experiment.to_table())
    if changed:
        raise InputError(
            f"{folder}: the run was started with another configuration ({'; '.join(changed)}); "
            "resume with the old one, or train into another --out"
        )
    world = state.pop("world")
    if world != workers.world:
        log.warning(
            "resuming a run of %d processes with %d: batches and updates stay the same, "
            "rounding and dropout masks do not",
            world,
            workers.world,
        )


def check_same_data(alphabet: Alphabet, content: str, data: Path, folder: Path) -> None:
    """Check that a resumed run has the same utterances and symbols.

    Raises InputError if they differ or are not known.
    """
    run = read_json(folder / RUN)
    began_with = run.get("data_fingerprint") if isinstance(run, dict) else None
    if (began_with, Alphabet.load(folder / ALPHABET)) != (content, alphabet):
        raise InputError(
            f"{data}: not the utterances, labels and symbols of the run in {folder}; "
            "resume with those, or train into another --out"
        )


def check_same_signals(statistics: Statistics | None, data: Path, folder: Path) -> None:
    """Check that a resumed run has features of the same mean and deviation.

    They differ if signals were edited in the meantime.
    """
    if statistics is None:
        return
    began_with = Statistics.load(folder / STATISTICS)
    for now, then in ((statistics.mean, began_with.mean), (statistics.std, began_with.std)):
        if now.shape != then.shape or not np.allclose(now, then, rtol=1e-3, atol=1e-5):
            raise InputError(
                f"{data}: the signals have changed since the run in {folder} began; put "
                "them back, or train into another --out"
            )
