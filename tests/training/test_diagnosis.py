"""What a person is told when training goes wrong."""

import shutil
import sys
from dataclasses import replace

import pytest

from seqlabel.corpora.manifest import read_manifest, write_manifest
from seqlabel.errors import InputError
from seqlabel.training.checkpoint import Progress
from seqlabel.training.diagnosis import explain_blanks, skip_update
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.monitor import Monitor
from seqlabel.training.run import train


@pytest.mark.parametrize(
    ("labels_per_frame", "epoch", "said"),
    [
        (0.0, 1, "blanks only so far"),
        (0.003, 9, "hardly anything but blanks so far"),
        (0.0, 10, "still blanks only: try a higher learning_rate"),
        (0.003, 10, "still hardly anything but blanks"),
        (0.006, 1, ""),
    ],
)
def test_blanks(labels_per_frame, epoch, said):
    remark = explain_blanks(labels_per_frame, epoch)
    assert remark.startswith(said)
    assert bool(remark) == bool(said)


def test_the_utterances_at_fault_are_named_and_counted(caplog):
    progress = Progress()
    skip_update(progress, ["b"], ["a", "b"], 1.0, limit=3)
    assert "loss is not finite in b" in caplog.text
    skip_update(progress, [], ["a", "c", "d", "e", "f", "g"], float("inf"), limit=3)
    assert "gradient (norm inf) is not finite in a, c, d, e, f and 1 more" in caplog.text
    assert (progress.skipped, progress.skipped_in_row) == (2, 2)


@pytest.mark.parametrize(
    ("culprits", "advice"), [(["a"], "seqlabel check"), ([], "lower learning_rate")]
)
def test_many_in_a_row_end_the_run_with_advice(culprits, advice):
    progress = Progress()
    skip_update(progress, culprits, ["a"], float("nan"), limit=2)
    with pytest.raises(InputError, match=f"2 updates in a row were not finite.*{advice}"):
        skip_update(progress, culprits, ["a"], float("nan"), limit=2)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=-1", "seed = -1"),
        ("seed=9223372036854775808", "seed = 9223372036854775808"),
        ("phases.0.learning_rate=inf", "learning_rate = inf: a finite number"),
        ("phases.0.weight_noise=nan", "weight_noise = nan: a finite number"),
        ("phases.1.weight_decay=-1.0", "weight_decay.* not be negative"),
        ("phases.1.final_rate=-2.0", r"final_rate must be in \[0, 1\]"),
        ("criterion.kind=cttc", "'cttc' .did you mean 'ctc'"),
        ("criterion={kind='transducer',hiden=2}", "unknown option hiden"),
        ("model.cell=peephol", "'peephol'"),
        ("model.layers=0", "layers must be at least 1"),
        ("model.dropout=1.0", "dropout and recurrent_dropout"),
        ("model.hidden=10000000000", "hidden must be in"),
        ("model.init=unifrom", "did you mean 'uniform'"),
        ("model.initial_range=-0.1", "initial_range not negative"),
        ("batches.frames=100000000000000000000000", "frames, utterances and pool"),
        ("augmentation.ink={rotat=3}", "unknown option rotat"),
        ("augmentation.ink.rotation=90", "angles must be from 0 to below 80"),
        ("augmentation.speeds=[0.1]", "speed 0.1"),
        ("augmentation.time_masks=-1", "SpecAugment"),
        ("training.nonfinite_limit=0", "nonfinite_limit must be at least 1"),
        ("training.threads=-1", "threads = -1"),
        ("training.protocol=plian", "unknown protocol 'plian'"),
    ],
)
def test_options_are_refused_before_anything_is_computed(config, override, message):
    with pytest.raises(InputError, match=message):
        Experiment.load(config, [override])


def test_an_objective_for_another_criterion_is_refused_before_the_first_phase(config):
    overrides = ["criterion.kind=transducer", "phases.1.objective=expected_error"]
    with pytest.raises(InputError, match=r"needs criterion\.kind = 'ctc'"):
        Experiment.load(config, overrides)


def test_an_initial_model_that_is_not_there_is_missed_before_features(
    tiny_corpus, config, tmp_path
):
    data = tmp_path / "data"
    shutil.copytree(tiny_corpus, data, ignore=shutil.ignore_patterns("features"))
    experiment = Experiment.load(config, [f"initial={tmp_path / 'absent'}"])
    with pytest.raises(InputError, match=r"absent.weights\.safetensors"):
        train(experiment, data, tmp_path / "exp", Workers())
    assert not (data / "features").exists()


def test_a_dev_set_without_a_loss_is_the_cause_named(tiny_corpus, config, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("alphabet.json", "train.jsonl"):
        (data / name).write_bytes((tiny_corpus / name).read_bytes())
    utterances = [
        replace(u, labels=u.labels * 900) for u in read_manifest(tiny_corpus / "dev.jsonl")
    ]
    write_manifest(data / "dev.jsonl", utterances)
    experiment = Experiment.load(config, ['phases=[{epochs=1, monitor="loss"}]'])
    with pytest.raises(InputError, match="no epoch had a finite dev loss"):
        train(experiment, data, tmp_path / "exp", Workers())


def test_tensorboard_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install"):
        Monitor(tmp_path, "CER", True, tmp_path / "board")
