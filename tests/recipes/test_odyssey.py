"""recipes/odyssey: the draws of the search, workers that come and go, the scripts."""

import csv
import math
import os
import subprocess
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.files import sole_writer
from seqlabel.lstm import PRESETS
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.monitor import Monitor
from seqlabel.training.run import train

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "odyssey"

CONFIG = """
seed = 1
[features]
kind = "ink_delta"
[model]
cell = "V"
layers = 1
init = "graves"
[training]
threads = 1
[[phases]]
epochs = 2
patience = 0
optimiser = "nesterov"
clip_norm = 0.0
"""


# The draws


def test_a_trial_follows_from_seed_and_number_alone(load):
    space = load("space")
    assert space.trial(1, 3) == space.Trial(
        3, "NOG", 1.13835e-06, 27, 0.455955, 0.333153, 282895399
    )
    backwards = [space.trial(7, number) for number in reversed(range(50))]
    assert backwards[::-1] == [space.trial(7, number) for number in range(50)]
    assert len({replace(space.trial(seed, 4), number=0) for seed in range(20)}) == 20


def test_trials_are_spread_evenly_over_the_ranges_and_variants(load):
    space = load("space")
    drawn = [space.trial(1, number) for number in range(1800)]
    for name, spread in space.SPACE.items():
        values = np.array([getattr(trial, name) for trial in drawn])
        low, high = sorted((spread.low, spread.high))
        if spread.complement:
            low, high = 1 - high, 1 - low
        assert low <= values.min() <= values.max() <= high
        places = np.sort([spread.place(value) for value in values])
        steps = np.arange(1, len(places) + 1) / len(places)
        # Kolmogorov-Smirnov at 1 in 1000, and the rounding of the number of cells
        assert np.abs(places - steps).max() < 1.95 / math.sqrt(len(places)) + 0.006
    assert [trial.variant for trial in drawn[:18]] == 2 * list(space.VARIANTS)
    assert set(space.VARIANTS) <= set(PRESETS)
    rates = np.array([trial.learning_rate for trial in drawn])
    assert np.median(rates) == pytest.approx(1e-4, rel=0.3)
    assert np.median([trial.momentum for trial in drawn]) == pytest.approx(0.9, abs=0.02)
    assert np.median([trial.hidden for trial in drawn]) == pytest.approx(math.sqrt(4000), rel=0.1)


def test_places_and_values_are_inverse(load):
    for spread in load("space").SPACE.values():
        for place in (0.0, 0.1, 0.5, 0.93, 1.0):
            assert spread.place(spread.value(place)) == pytest.approx(place, abs=1e-5)


@pytest.mark.parametrize("name", ["speech", "timit", "ink", "iam_ondb", "an4"])
def test_every_trial_fits_every_configuration(load, name):
    space = load("space")
    for number in range(9):
        trial = space.trial(1, number)
        experiment = Experiment.load(RECIPE / "conf" / f"{name}.toml", trial.settings())
        (phase,) = experiment.phases
        assert experiment.model.cell == trial.variant
        assert experiment.model.hidden == trial.hidden
        assert phase.momentum == trial.momentum
        rate = trial.learning_rate * (1 - trial.momentum)
        assert phase.learning_rate == pytest.approx(rate, rel=1e-5)
        assert (phase.optimiser, phase.clip_norm) == ("nesterov", 0)


# Workers


@pytest.fixture
def options(tiny_corpus, tmp_path):
    """Of a worker: one trial of each variant, small networks, on a few lines of ink."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    return Namespace(
        data=tiny_corpus, config=config, out=tmp_path / "exp", trials=1, seed=1, share=(0, 1),
        overrides=[],
    )  # fmt: skip


@pytest.fixture
def quick(load, monkeypatch):
    """The recipe's search with few cells."""
    space, search = load("space"), load("search")
    spread = replace(space.SPACE["hidden"], low=3, high=9)
    monkeypatch.setitem(space.SPACE, "hidden", spread)
    return search


def rows_of(load, out, tmp_path):
    analyse = load("analyse")
    analyse.write_trials(tmp_path / "trials.csv", load("outcome").read_results(out))
    return (tmp_path / "trials.csv").read_text()


def test_workers_in_any_order_killed_and_started_again_give_one_table(
    load, quick, options, tmp_path, monkeypatch, capsys
):
    quick.main(options)
    table = rows_of(load, options.out, tmp_path)
    assert [row["variant"] for row in csv.DictReader(table.splitlines())] == [
        *load("space").VARIANTS
    ]
    assert not list(options.out.glob("trials/*/model/checkpoints"))
    assert len(list(options.out.glob("trials/*/model/log.csv"))) == 9

    options.out = tmp_path / "again"
    options.share = (1, 2)
    end_epoch, epochs = Monitor.end_epoch, []

    def killed(self, *args):
        end_epoch(self, *args)
        epochs.append(args)
        if len(epochs) in (4, 9):  # in the second epoch of a trial, and in the first of one
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "end_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        quick.main(options)
    assert len(list(options.out.glob("trials/*/result.json"))) == 1
    options.share = (0, 2)
    with pytest.raises(KeyboardInterrupt):
        quick.main(options)
    for share in ((2, 3), (0, 1)):
        options.share = share
        quick.main(options)
    assert rows_of(load, options.out, tmp_path) == table
    capsys.readouterr()
    quick.main(options)
    assert capsys.readouterr().out == ""  # nothing is left to do


def test_a_trial_of_another_worker_is_left_alone(load, quick, options):
    other = options.out / "trials" / load("space").trial(1, 2).name
    with sole_writer(other):
        (other / "held").touch()
        quick.main(options)
    assert len(list(options.out.glob("trials/*/result.json"))) == 8
    assert not (other / "result.json").exists()


def test_a_trial_that_diverges_is_in_the_table(load, quick, options, tmp_path, monkeypatch):
    space = load("space")
    monkeypatch.setitem(space.SPACE, "learning_rate", space.Range(1e30, 1e36, logarithmic=True))
    options.overrides = ["training.nonfinite_limit=2", "batches.utterances=2"]
    quick.main(options)
    rows = list(csv.DictReader(rows_of(load, options.out, tmp_path).splitlines()))
    lost = [row for row in rows if row["diverged"]]
    assert len(rows) == 9
    assert lost
    for row in lost:
        assert "not finite" in row["diverged"] or "finite dev" in row["diverged"]
        if row["epochs"] == "0":
            assert row["test_error"] == "1.0"


def test_a_search_goes_on_as_it_was_begun(quick, options, tiny_corpus):
    settings = Experiment.load(options.config)
    quick.begin_study(options.out, settings, tiny_corpus, 1)
    quick.begin_study(options.out, settings, tiny_corpus, 1)
    with pytest.raises(InputError, match=r"begun with other settings \(seed: 1 -> 2\)"):
        quick.begin_study(options.out, settings, tiny_corpus, 2)
    options.overrides = ["model.layers=2"]
    with pytest.raises(InputError, match=r"config.model.layers: 1 -> 2"):
        quick.main(options)


@pytest.mark.parametrize("text", ["2/2", "1", "a/2", "-1/2", "0/0"])
def test_shares_that_are_none(load, text):
    with pytest.raises(Exception, match="I/N with I from 0 to N - 1"):
        load("search").share_of(text)


# The scripts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "voices"], "--corpus voices: must be speech, ink, timit"),
        (["--trials", "0"], "must be at least 1"),
        (["--workers", "x"], "must be at least 1"),
        (["--seed"], "--seed needs a value"),
        (["--dance"], "unknown option --dance"),
        (["--corpus", "timit", "--source", "/nowhere"], "/nowhere: no such folder"),
    ],
)
def test_run_refuses_in_one_line(arguments, message, tmp_path):
    command = ["bash", str(RECIPE / "run.sh"), "--exp", str(tmp_path / "exp"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_task_of_a_slurm_array_takes_its_share(tmp_path):
    for name in ("python", "srun"):  # stand-ins: one shows its arguments, one runs its command
        body = 'exec "$@"' if name == "srun" else 'echo "$@"'
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    recipe = tmp_path / "repository" / "recipes"
    recipe.mkdir(parents=True)
    (recipe / "odyssey").symlink_to(RECIPE)  # beside no .venv
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_ARRAY_TASK_ID": "3",
        "SLURM_ARRAY_TASK_MAX": "15",
    }
    command = [
        "bash", str(ROOT / "scripts" / "train_slurm.sh"), "--run", "bash",
        str(recipe / "odyssey" / "run.sh"), "--trials", "7", "--exp", "/exp",
        "--set", "phases.0.epochs=1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip().endswith(
        "--data /exp/data --config "
        f"{recipe}/odyssey/conf/speech.toml --out /exp --trials 7 --seed 1 "
        "--set phases.0.epochs=1 --share 3/16"
    )


def test_one_that_diverges_is_told_from_bad_input(tiny_corpus, options, tmp_path):
    from seqlabel.training.diagnosis import Diverged

    experiment = Experiment.load(
        options.config, ["model.hidden=4", "phases.0.learning_rate=1e35", "batches.utterances=2",
                         "training.nonfinite_limit=2"],
    )  # fmt: skip
    with pytest.raises(Diverged):
        train(experiment, tiny_corpus, tmp_path / "model", Workers())
