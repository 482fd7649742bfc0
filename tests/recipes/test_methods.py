"""recipes/methods: the data of the tasks, what a network is worth, and the runs at a tiny size."""

import importlib
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlabel.cli import main
from seqlabel.corpora.manifest import read_manifest
from seqlabel.inputs.series import read_values
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import load_model, read_log

RECIPE = Path(__file__).parents[2] / "recipes" / "methods"


@pytest.fixture
def load(monkeypatch):
    """Imports a module of the recipe as its script does, from its own folder."""
    monkeypatch.syspath_prepend(RECIPE)
    for name in ("series", "judge"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module


def prepared(series, task, count, folder) -> Path:
    series.write(task, count, folder / "lists")
    assert main(["prepare", "manifest", str(folder / "lists"), str(folder / "data")]) == 0
    return folder / "data"


def trained(name, data, out, *changes) -> Path:
    sets = [text for change in changes for text in ("--set", change)]
    config = str(RECIPE / "conf" / f"{name}.toml")
    assert main(["train", config, "--data", str(data), "--out", str(out), *sets]) == 0
    return out


@pytest.fixture
def strings(load, monkeypatch, tmp_path) -> Path:
    """a^n b^n, prepared: n up to 3 to train on, up to 5 in the test."""
    series = load("series")
    monkeypatch.setattr(series, "LONGEST_TRAINED", 3)
    monkeypatch.setattr(series, "LONGEST_TESTED", 5)
    return prepared(series, "counting", 2, tmp_path)


# Data


@pytest.mark.parametrize("letters", [2, 3])
def test_what_may_follow_is_what_some_string_of_the_language_has_there(letters, load):
    """The slow twin: all strings of the language that begin like this one, up to a length."""
    language = ["".join(c * n for c in "abc"[:letters]) + "T" for n in range(1, 12)]
    series = load("series")
    for n in range(1, 9):
        x, legal = series.string(letters, n)
        read = "".join(("S" + "abc"[:letters])[place] for place in x.argmax(axis=1))
        assert x.sum(axis=1).tolist() == [1] * len(read)
        assert read == "S" + language[n - 1][:-1]
        for t in range(len(read)):
            begun = read[1 : t + 1]
            expected = {word[t] for word in language if word.startswith(begun)}
            found = {("abc"[:letters] + "T")[place] for place in np.flatnonzero(legal[t])}
            assert found == expected, (n, t)


def test_sets_of_sines_are_stretches_of_one_signal(load, tmp_path):
    series = load("series")
    series.write("sines", 3, tmp_path)
    for name, start in (("train", 0), ("dev", 1000), ("test", 2000)):
        values = read_values(tmp_path / f"{name}.npy")
        for t in (0, 17, len(values) - 1):
            expected = sum(math.sin((start + t) * f) for f in (0.2, 0.311, 0.42))
            assert values[t, 0] == pytest.approx(expected, abs=1e-5)


# What a network is worth


def test_the_largest_n_is_the_last_before_the_first_wrong_string(load, strings, monkeypatch):
    judge = load("judge")
    utterances = read_manifest(strings / "test.jsonl")
    right = [read_values(u.target) for u in utterances]
    assert [len(legal) for legal in right] == [3, 5, 7, 9, 11]

    def worth(outputs):
        def pairs(given):
            return zip(given, (SimpleNamespace(frames=o) for o in outputs), strict=True)

        monkeypatch.setattr(judge.seqlabel, "load", lambda folder: SimpleNamespace(outputs=pairs))
        return judge.largest(strings, Path("model"))

    outputs = [np.where(legal > 0.5, 0.51, 0.49) for legal in right]
    assert worth(outputs) == 5
    for wrong in range(5):  # one symbol of one step, and all that is longer is right again
        outputs = [np.where(legal > 0.5, 0.51, 0.49) for legal in right]
        outputs[wrong][-1, 0] = 0.51
        assert worth(outputs) == wrong


def test_the_error_of_the_free_run_is_that_of_reading_its_own_predictions(load, tmp_path):
    """The slow twin: each step reads the signal and all predictions so far from the start."""
    data = prepared(load("series"), "sines", 1, tmp_path)
    exp = trained("sines_gradient", data, tmp_path / "exp", "phases.0.epochs=150", "model.hidden=3")
    _, _, front_end, model = load_model(exp)
    signal = read_values(tmp_path / "lists" / "test.npy")
    values = signal[:400]
    with torch.inference_mode():
        for _ in range(300):
            x = torch.from_numpy(front_end.normalise(values))[None]
            y, _ = model.encoder(x, torch.tensor([len(values)]))
            last = model.criterion.output(y)[0, -1]
            value = last * model.criterion.std + model.criterion.mean
            values = np.concatenate([values, value.numpy()[None]])
    errors = values[400:] - signal[400:]
    expected = math.sqrt((errors.astype(float) ** 2).mean()) / signal.std()
    assert load("judge").free_error(data, exp) == pytest.approx(expected, rel=1e-4)


def test_evolino_runs_a_sine_on_by_itself(load, tmp_path):
    data = prepared(load("series"), "sines", 1, tmp_path)
    exp = trained("sines_evolino", data, tmp_path / "exp", "phases.0.epochs=1")
    assert load("judge").free_error(data, exp) < 1e-3


# Runs


@pytest.mark.parametrize("method", ["kalman", "annealed", "gradient"])
def test_counting_from_data_to_figures(method, load, strings, tmp_path, capsys, monkeypatch):
    exp = trained(f"counting_{method}", strings, tmp_path / "exp", "phases.0.epochs=3")
    losses = [float(row["dev_loss"]) for row in read_log(exp / "log.csv")]
    assert losses[-1] < losses[0]
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["judge.py", "counting", str(strings), str(exp)])
    load("judge").main()
    folder, number = capsys.readouterr().out.split()
    assert folder == str(exp)
    assert 0 <= int(number) <= 5


def test_labels_by_evolution_begin_where_ctc_ended(tiny_corpus, tmp_path):
    start = trained("labels", tiny_corpus, tmp_path / "start", "phases.0.epochs=1",
                    "model.hidden=4", "batches.utterances=8")  # fmt: skip
    before = load_model(start)[3].state_dict()
    for name in ("evolution", "gradient"):
        more = ["phases.0.population=4"] if name == "evolution" else []
        changes = ["phases.0.epochs=1", "model.hidden=4", "batches.utterances=8"]
        exp = trained(f"labels_{name}", tiny_corpus, tmp_path / name, f"initial={start}",
                      *changes, *more)  # fmt: skip
        after = load_model(exp)[3].state_dict()
        changed = {key for key in before if not torch.equal(before[key], after[key])}
        output = {key for key in before if key.startswith("criterion.output")}
        assert changed == output if name == "evolution" else changed > output
        hyp = tmp_path / f"{name}.jsonl"
        test = str(tiny_corpus / "test.jsonl")
        assert main(["decode", str(exp), test, "--out", str(hyp)]) == 0
        assert main(["score", test, str(hyp)]) == 0


def test_run_gives_the_program_settings_that_it_takes(tmp_path):
    for name in ("python", "seqlabel"):  # stand-ins show their arguments
        (tmp_path / name).write_text('#!/bin/bash\necho "$@"\n')
        (tmp_path / name).chmod(0o755)
    recipe = tmp_path / "repository" / "recipes"
    recipe.mkdir(parents=True)
    (recipe / "methods").symlink_to(RECIPE)  # beside no .venv
    command = ["bash", str(recipe / "methods" / "run.sh"), "--exp", "/exp", "--seeds", "2"]
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = [line.split() for line in done.stdout.splitlines()]
    trainings = [line for line in lines if line[0] == "train"]
    assert len(trainings) == 2 * (5 * 3 + 2 * 4 + 3)
    assert len({line[line.index("--out") + 1] for line in trainings}) == len(trainings)
    for line in trainings:
        sets = [value for key, value in pairwise(line) if key == "--set"]
        experiment = Experiment.load(line[1], sets)
        assert experiment.seed in (1, 2)
        assert line[line.index("--out") + 1].endswith(f"/{experiment.seed}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dance"], "unknown task dance; usage: "),
        (["--seeds"], "--seeds needs a value"),
        (["--seeds", "0"], "--seeds 0: must be at least 1"),
    ],
)
def test_run_refuses_in_one_line(arguments, message):
    command = ["bash", str(RECIPE / "run.sh"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("series", ["sines", "6", "out"]), ("series", ["counting", "1", "out"]), ("judge", ["x"])],
)
def test_scripts_refuse_what_they_do_not_know(name, arguments, load, monkeypatch):
    from seqlabel.errors import InputError

    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(InputError, match=rf"^usage: {name}\.py "):
        load(name).main()
