"""A worker of the random search: trains the trials that are not done yet, one after another.

    python search.py --data DATA --config FILE --out EXP --trials N [--seed S] [--share I/N]

Any number of workers may run at once, on one machine or on several with a shared file system. A
worker that was killed continues its trial when it is started again with the same command. Settings
and result of a trial do not depend on the worker or the time.

    EXP/study.json               seed, data and configuration of the search
    EXP/trials/NUMBER-VARIANT/   model/ (configuration, log, weights), and at the end result.json
"""

import argparse
import json
import logging
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from space import VARIANTS, Trial, trial

from seqlabel.cli.failures import run_command
from seqlabel.data.dataset import Dataset
from seqlabel.errors import InputError
from seqlabel.files import Busy, fingerprint, read_json, read_text, sole_writer, write_json
from seqlabel.scoring.protocols import get_protocol
from seqlabel.training.diagnosis import Diverged
from seqlabel.training.distribution import Workers
from seqlabel.training.evaluation import DevScore, evaluate
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import configure_torch, train
from seqlabel.training.run_directory import (
    CHECKPOINTS,
    LOG,
    WEIGHTS,
    differences,
    load_model,
    read_log,
)

STUDY, TRIALS, RESULT = "study.json", "trials", "result.json"
UNTRAINED = 1.0
"""Error rate of a trial that diverged before it kept any weights."""


def begin_study(out: Path, experiment: Experiment, data: Path, seed: int) -> None:
    """Write what the search depends on; InputError if it was begun with something else."""
    sets = [read_text(data / f"{name}.jsonl") for name in ("train", "dev", "test")]
    study = {"seed": seed, "data": fingerprint(sets), "config": experiment.to_table()}
    study = json.loads(json.dumps(study))
    if not (out / STUDY).exists():
        write_json(out / STUDY, study)
    elif changed := differences(read_json(out / STUDY), study):
        raise InputError(
            f"{out}: the search was begun with other settings ({'; '.join(changed)}); use these, "
            "or choose another --exp"
        )


def run_trial(
    folder: Path, settings: Trial, config: Path, overrides: list[str], data: Path
) -> dict[str, Any]:
    """Train a trial, or continue it, and write its result."""
    model_folder = folder / "model"
    experiment = Experiment.load(config, [*overrides, *settings.settings()])
    started, fault = time.monotonic(), ""
    try:
        train(experiment, data, model_folder, Workers(), resume=True)
    except Diverged as error:
        fault = str(error)
    log = read_log(model_folder / LOG)
    errors = dict.fromkeys(("dev", "test"), UNTRAINED)
    if (model_folder / WEIGHTS).is_file():
        errors = {name: error_rate(score) for name, score in scores(model_folder, data)}
    seconds = 60 * float(log[-1]["minutes"]) if log else time.monotonic() - started
    result = {
        **asdict(settings),
        "weights": read_json(model_folder / "run.json")["weights"],
        "epochs": len(log),
        "dev_error": errors["dev"],
        "test_error": errors["test"],
        "diverged": fault,
        "seconds": round(seconds, 1),
    }
    write_json(folder / RESULT, result)
    shutil.rmtree(model_folder / CHECKPOINTS, ignore_errors=True)
    return result


def scores(folder: Path, data: Path) -> Iterator[tuple[str, DevScore]]:
    """Dev and test scores of a model directory's best weights, with greedy decoding."""
    experiment, alphabet, front_end, model = load_model(folder)
    framewise = experiment.criterion.get("kind") == "framewise"
    protocol = get_protocol(experiment.training.protocol)
    for name in ("dev", "test"):
        path = data / f"{name}.jsonl"
        dataset = Dataset.read(path, alphabet, front_end, framewise, unseen=True)
        yield name, evaluate(model, dataset, experiment.batches, protocol, Workers())


def error_rate(score: DevScore) -> float:
    """The frame error rate in framewise training, otherwise the label error rate."""
    return score.error_rate if score.frame_error_rate is None else score.frame_error_rate


def share_of(text: str) -> tuple[int, int]:
    """I/N as numbers, 0 <= I < N."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise argparse.ArgumentTypeError(f"{text}: must be I/N with I from 0 to N - 1")
    return int(part), int(parts)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder made by seqlabel prepare")
    parser.add_argument("--config", type=Path, required=True, help="shared by all trials")
    parser.add_argument("--out", type=Path, required=True, metavar="EXP")
    parser.add_argument("--trials", type=int, default=200, help="per variant (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the search (%(default)s)")
    parser.add_argument("--share", type=share_of, default=(0, 1), metavar="I/N",
                        help="only the trials whose number is I modulo N")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    return parser.parse_args()


def main(options: argparse.Namespace) -> None:
    logging.getLogger("seqlabel").setLevel(logging.ERROR)  # a line for each trial is enough
    experiment = Experiment.load(options.config, options.overrides)
    if len(experiment.phases) != 1:
        raise InputError(f"{options.config}: the search varies one phase; leave one [[phases]]")
    if options.trials < 1 or options.seed < 0:
        raise InputError(
            f"--trials {options.trials} --seed {options.seed}: must be at least 1 and 0"
        )
    begin_study(options.out, experiment, options.data, options.seed)
    configure_torch(experiment)
    part, parts = options.share
    count = options.trials * len(VARIANTS)
    for number in range(part, count, parts):
        settings = trial(options.seed, number)
        folder = options.out / TRIALS / settings.name
        result = claimed(folder, settings, options)
        if result is not None:
            remark = ", diverged" if result["diverged"] else ""
            print(
                f"{settings.name} ({number + 1} of {count}): test error "
                f"{100 * result['test_error']:.2f} % after {result['epochs']} epochs, "
                f"{result['seconds']:.0f} s{remark}",
                flush=True,
            )


def claimed(folder: Path, settings: Trial, options: argparse.Namespace) -> dict[str, Any] | None:
    """The result of a trial if this worker takes it; None if it is done or taken."""
    if (folder / RESULT).exists():
        return None
    try:
        with sole_writer(folder):
            if (folder / RESULT).exists():
                return None
            return run_trial(folder, settings, options.config, options.overrides, options.data)
    except Busy:
        return None


if __name__ == "__main__":
    chosen = arguments()
    sys.exit(run_command("search.py", lambda: main(chosen)))
