"""Phases by other methods: resumed, in several processes, on criteria they can take or cannot."""

import csv
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import seqlabel
from seqlabel.cli import main
from seqlabel.corpora.manifest import read_manifest
from seqlabel.errors import InputError
from seqlabel.files import write_jsonl
from seqlabel.inputs.series import read_series
from seqlabel.models.framewise import Framewise
from seqlabel.models.free_run import Feedback, free_run
from seqlabel.models.regression import Regression
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.phase_record import Interrupted, PhaseRecord
from seqlabel.training.run import train
from seqlabel.training.run_directory import load_model, load_weights, read_log

CONFIG = """
seed = 2
[features]
kind = "series"
size = 1
[model]
cell = "peephole"
hidden = 5
layers = 1
bidirectional = false
[criterion]
kind = "regression"
target = "next"
[batches]
utterances = 2
[training]
threads = 1
checkpoint_minutes = 0
[[phases]]
name = "evolino"
method = "evolino"
epochs = 3
population = 4
burst = 2
washout = 8
free_run = 10
[[phases]]
name = "kalman"
method = "kalman"
epochs = 2
frames = 12
annealing = 8
[[phases]]
name = "evolution"
method = "evolution"
objective = "loss"
epochs = 2
population = 6
[[phases]]
name = "gradient"
epochs = 1
"""


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> Path:
    """Seven sines of two lengths to train on, two for dev."""
    folder = tmp_path_factory.mktemp("lists")
    rng = np.random.default_rng(0)
    for name, count in (("train", 7), ("dev", 2)):
        rows = []
        for n in range(count):
            t = np.arange(40 if n % 2 else 44) + rng.uniform(0, 6)
            np.save(folder / f"{name}{n}.npy", np.sin(t * 0.6))
            rows.append({"kind": "series", "source": f"{name}{n}.npy"})
        write_jsonl(folder / f"{name}.jsonl", rows)
    out = tmp_path_factory.mktemp("series") / "data"
    assert main(["prepare", "manifest", str(folder), str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def methods(tmp_path_factory) -> Path:
    """A configuration with a phase of every method."""
    path = tmp_path_factory.mktemp("methods") / "methods.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory, series, methods) -> Path:
    """The run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "exp"
    train(Experiment.load(methods), series, folder, Workers())
    return folder


def assert_same_run(a: Path, b: Path) -> None:
    names = ("epoch", "phase", "updates", "learning_rate", "train_loss", "dev_loss")
    logs = [[[row[name] for name in names] for row in read_log(f / "log.csv")] for f in (a, b)]
    assert logs[0] == logs[1]
    for file in ("weights.safetensors", None):
        first, second = (
            load_weights(f / file)
            if file
            else torch.load(f / "checkpoints" / "last.pt", weights_only=True)["model"]
            for f in (a, b)
        )
        for name, weight in first.items():
            assert torch.equal(weight, second[name]), name


def test_each_method_makes_the_network_better(whole):
    rows = read_log(whole / "log.csv")
    assert [row["phase"] for row in rows] == (
        ["evolino"] * 3 + ["kalman"] * 2 + ["evolution"] * 2 + ["gradient"]
    )
    error = [float(row["dev_error_rate"]) for row in rows]
    assert error[2] < 0.2  # of the free run; guessing the mean costs 1
    loss = [float(row["dev_loss"]) for row in rows]
    assert max(loss[3:]) < loss[2]
    assert seqlabel.load(whole).values is not None


def test_stopped_after_any_update_and_resumed(whole, series, methods, tmp_path, monkeypatch):
    folder, end, calls = tmp_path / "exp", PhaseRecord.end_update, 0

    def stop_sometimes(self, number):
        nonlocal calls
        calls += 1
        self.run.stop = calls % 3 == 0
        end(self, number)

    monkeypatch.setattr(PhaseRecord, "end_update", stop_sometimes)
    stops = 0
    while True:
        try:
            train(Experiment.load(methods), series, folder, Workers(), resume=stops > 0)
            break
        except Interrupted:
            stops += 1
    assert stops >= 6
    assert_same_run(whole, folder)


@pytest.mark.parametrize(("annealing", "falls"), [(0, [1 / 2, 1]), (16, [1 / 4, 1 / 2])])
def test_the_measurement_noise_falls_geometrically(annealing, falls, series, methods, tmp_path):
    """Until the end of the phase, or within `annealing` updates; an epoch has 4."""
    noise = "measurement_noise=8.0, final_measurement_noise=0.5"
    phase = f"{{method='kalman', epochs=2, annealing={annealing}, {noise}}}"
    train(Experiment.load(methods, [f"phases=[{phase}]"]), series, tmp_path / "exp", Workers())
    rates = [float(row["learning_rate"]) for row in read_log(tmp_path / "exp" / "log.csv")]
    assert rates == pytest.approx([16**fall / 8 for fall in falls], rel=1e-4)


def test_the_fitness_is_the_error_of_the_networks_own_free_run(series, methods, tmp_path):
    phase = "{method='evolino', epochs=2, population=4, washout=8, free_run=10}"
    train(Experiment.load(methods, [f"phases=[{phase}]"]), series, tmp_path / "exp", Workers())
    _, _, front_end, model = load_model(tmp_path / "exp")
    last = torch.load(tmp_path / "exp" / "checkpoints" / "last.pt", weights_only=True)
    model.load_state_dict(last["model"])  # of the best network, which may not be the best on dev
    squares = []
    for utterance in read_manifest(series / "train.jsonl"):
        signal = read_series(utterance.source).values
        x = torch.from_numpy(front_end.normalise(signal[:-10]))[None]
        found = free_run(model, Feedback.of(model, front_end), x, 10)[0]
        expected = (torch.from_numpy(signal[-10:]) - model.criterion.mean) / model.criterion.std
        squares.append((found - expected).double().square())
    fitness = float(read_log(tmp_path / "exp" / "log.csv")[-1]["train_loss"])
    # large output weights make much of how float32 is rounded
    assert float(torch.cat(squares).mean().sqrt()) == pytest.approx(fitness**0.5, abs=1e-3)


def test_evolution_of_the_error_rate_resumed(tiny_corpus, config, tmp_path, monkeypatch):
    settings = [
        "phases=[{method='evolution', epochs=2, population=4, sigma=0.3, learning_rate=0.1}]",
        "training.checkpoint_minutes=0",
    ]  # fmt: skip
    whole = tmp_path / "whole"
    train(Experiment.load(config, settings), tiny_corpus, whole, Workers())
    end, count = PhaseRecord.end_update, 0

    def stop_once(self, number):
        nonlocal count
        count += 1
        self.run.stop = count == 2
        end(self, number)

    monkeypatch.setattr(PhaseRecord, "end_update", stop_once)
    with pytest.raises(Interrupted):
        train(Experiment.load(config, settings), tiny_corpus, tmp_path / "exp", Workers())
    train(Experiment.load(config, settings), tiny_corpus, tmp_path / "exp", Workers(), resume=True)
    assert_same_run(whole, tmp_path / "exp")
    with open(whole / "log.csv", newline="") as stream:
        losses = [float(row["train_loss"]) for row in csv.DictReader(stream)]
    assert len(set(losses)) == 2  # errors of an utterance
    assert min(losses) > 1


def test_any_number_of_processes_gives_the_same_weights(series, methods, tmp_path):
    """All methods but gradient descent, whose sum over processes has another order."""
    settings = Path(tmp_path / "three.toml")
    settings.write_text(methods.read_text().rpartition("[[phases]]")[0])
    alone = tmp_path / "alone"
    train(Experiment.load(settings), series, alone, Workers())
    command = [
        sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", "2", "-m", "seqlabel.cli", "train", str(settings),
        "--data", str(series), "--out", str(tmp_path / "exp"),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (load_weights(f / "weights.safetensors") for f in (alone, tmp_path / "exp"))
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
    logs = [read_log(f / "log.csv") for f in (alone, tmp_path / "exp")]
    assert [row["train_loss"] for row in logs[0]] == [row["train_loss"] for row in logs[1]]


@pytest.mark.parametrize("delay", [0, 2])
def test_what_framewise_training_fits(delay):
    """Probabilities, and 1 for the label of a frame; frames without one are left out."""
    torch.manual_seed(0)
    criterion = Framewise(3, 4, Framewise.Options(delay=delay))
    labels = torch.tensor([[1, 3, -1, 2, 2], [2, 1, 1, -1, -1]])
    batch = seqlabel.data.Batch(
        torch.zeros(2, 5, 3), torch.tensor([5, 3]), torch.ones(2, 1, dtype=torch.int64),
        torch.ones(2, dtype=torch.int64), ("a", "b"), labels,
    )  # fmt: skip
    encoded = torch.randn(2, 5, 3)
    fitting = criterion.fitting(encoded, batch.lengths, batch)
    found = criterion.squash(criterion.output(criterion.read(encoded, batch.lengths)))
    expected = criterion.outputs(encoded, batch.lengths)[:, :, 1:].exp()
    assert torch.allclose(found, expected, atol=1e-6)
    assert fitting.known[:, :, 0].tolist() == (labels != -1).tolist()
    likelihood = (found * fitting.targets)[fitting.known].view(-1, 3).sum(dim=1).log().sum()
    losses = criterion.losses(encoded, batch.lengths, batch)
    assert torch.allclose(likelihood, -losses.sum(), rtol=1e-4)


def test_what_regression_fits():
    criterion = Regression(3, 2, Regression.Options(loss="bernoulli", size=2), inputs=3)
    values = torch.tensor([[[0.0, 1.0], [1.0, float("nan")], [0.0, 0.0]]])
    batch = seqlabel.data.Batch(
        torch.zeros(1, 3, 3), torch.tensor([2]), torch.zeros(1, 0, dtype=torch.int64),
        torch.zeros(1, dtype=torch.int64), ("a",), values=values,
    )  # fmt: skip
    encoded = torch.randn(1, 3, 3)
    fitting = criterion.fitting(encoded, batch.lengths, batch)
    assert fitting.known.tolist() == [[[True, True], [True, False], [False, False]]]
    found = criterion.squash(criterion.output(criterion.read(encoded, batch.lengths)))
    assert torch.equal(found, criterion.outputs(encoded, batch.lengths))
    plain = Regression(3, 2, Regression.Options(size=2), inputs=3)
    assert torch.equal(plain.squash(encoded), encoded)


def test_evolino_fits_the_outputs_that_are_read_later(tmp_path):
    """The label of a frame is what the network sees two frames later."""
    rng = np.random.default_rng(0)
    for name, count in (("train", 4), ("dev", 2)):
        rows = []
        for n in range(count):
            seen = rng.integers(0, 2, 50)
            np.save(tmp_path / f"{name}{n}.npy", 2.0 * seen - 1)
            changes = [0, *(1 + np.flatnonzero(np.diff(seen[2:]))).tolist(), 48]
            segments = [["ab"[seen[2 + a]], a, b] for a, b in itertools.pairwise(changes)]
            labels = [label for label, _, _ in segments]
            source = f"{name}{n}.npy"
            row = {"kind": "series", "source": source, "labels": labels, "segments": segments}
            rows.append(row)
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    assert main(["prepare", "manifest", str(tmp_path), str(tmp_path / "data")]) == 0
    (tmp_path / "c.toml").write_text(
        "[features]\nkind = 'series'\nsize = 1\n"
        "[model]\ncell = 'lstm'\nhidden = 4\nlayers = 1\nbidirectional = false\n"
        "[criterion]\nkind = 'framewise'\ndelay = 2\n"
        "[[phases]]\nmethod = 'evolino'\nmonitor = 'frame_error'\nepochs = 2\nwashout = 5\n"
        "population = 6\ninput_scale = 1.0\n"
    )
    train(Experiment.load(tmp_path / "c.toml"), tmp_path / "data", tmp_path / "exp", Workers())
    error = [float(row["dev_frame_error_rate"]) for row in read_log(tmp_path / "exp" / "log.csv")]
    assert min(error) < 0.05  # guessing costs a half


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["criterion={kind='framewise', weighted=true}"],
         "phase evolino, method = 'evolino': fits all frames alike; set criterion.weighted"),
        (["phases=[{method='evolino', patience=20}]"], "patience = 20 ends the phase before burst"),
        (["criterion={kind='ctc'}"],
         r"phase evolino, method = 'evolino': this method fits one target per frame"),
        (["criterion={kind='ctc'}", "phases=[{method='kalman'}]"],
         r"method = 'kalman': this method fits one target per frame, which criterion.kind = 'ctc'"),
        (["criterion.loss=gaussian"],
         "needs criterion.loss = 'squared', not 'gaussian'"),
        (["criterion.loss=gaussian", "phases=[{method='kalman'}]"],
         "needs criterion.loss = 'squared' or 'bernoulli', not 'gaussian'"),
        (["phases=[{method='evolution'}]"], "a regression has no labels; set objective = 'loss'"),
        (["criterion={kind='transducer'}", "phases=[{method='evolution', weights='output'}]"],
         "criterion.kind = 'transducer' has more than one output layer; set weights = 'all'"),
        (["phases=[{method='evolutoin'}]"], "method = 'evolutoin' .did you mean 'evolution'"),
        (["phases=[{method='kalman', sigma=1.0}]"],
         "sigma is an option of method = 'evolution', not of method = 'kalman'"),
        (["phases=[{free_run=1}]"],
         "free_run is an option of method = 'evolino', not of method = 'gradient'"),
        (["phases=[{method='kalman', p=1.0}]"], "unknown option p .did you mean 'p0'"),
        (["phases=[{method='kalman', p0=0.0}]"], "noise and memory must be above 0"),
        (["phases=[{method='kalman', process_noise=0.0}]"], "must both be 0 or both above 0"),
        (["phases=[{method='kalman', annealing=-1}]"], "annealing must not be negative"),
        (["phases=[{method='kalman', noise='none'}]"], "noise .*absolute"),
    ],
)  # fmt: skip
def test_configurations_that_contradict_themselves(methods, changes, message):
    with pytest.raises(InputError, match=message):
        Experiment.load(methods, changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.layers=2"], "evolino needs one unidirectional layer"),
        (["model.subsample=2", "model.layers=2"], "evolino needs one unidirectional layer"),
        (["model.projection=2"], "evolino needs one unidirectional layer"),
        (["phases.0.washout=31"], "40 frames, none of which remain to fit after"),
        (["criterion.ahead=2"], "a free run needs a model that predicts"),
        (["front_end.normalise=running"], "a free run needs a model that predicts"),
        (["phases=[{method='kalman', memory=1e-4}]"],
         r"the Kalman filter of 161 weights takes .* GiB and its update from 88 outputs"),
        (["model.hidden=800", "phases=[{method='kalman'}]"],
         r"Kalman filter of 2,\d\d\d,\d\d\d weights takes 15.\d GiB and .* a smaller model.hidden"),
        (["model.hidden=800", "phases=[{method='kalman', groups='all'}]"], "groups = 'units'"),
    ],
)  # fmt: skip
def test_runs_that_cannot_begin(series, methods, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        train(Experiment.load(methods, changes), series, tmp_path / "exp", Workers())


def test_without_scikit_learn_there_is_no_svr(series, methods, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(InputError, match=r"pip install 'seqlabel\[svr\]', or set"):
        train(Experiment.load(methods, ["phases.0.readout=svr"]), series, tmp_path, Workers())
