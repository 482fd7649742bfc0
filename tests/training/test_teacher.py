"""Runs with a teacher and with label priors: resumed bit for bit; teachers that cannot teach."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import read_manifest, write_manifest
from seqlabel.errors import InputError
from seqlabel.features.normalisation import Statistics
from seqlabel.files import read_json
from seqlabel.training.averaging import Ema
from seqlabel.training.distribution import Workers
from seqlabel.training.dry_run import dry_run
from seqlabel.training.experiment import Experiment
from seqlabel.training.loop import PhaseLoop
from seqlabel.training.phase_record import Interrupted
from seqlabel.training.run import train
from seqlabel.training.run_directory import (
    load_model,
    load_weights,
    make_model,
    read_log,
    save_weights,
)

EVERY_UPDATE = "training.checkpoint_minutes=0"
ONE_EPOCH = ("phases=[{epochs=1}]", "batches.frames=3000")


def run(config: Path, data: Path, out: Path, *overrides: str, resume: bool = False):
    experiment = Experiment.load(config, overrides)
    return train(experiment, data, out, Workers(), resume)


def taught(teacher: Path | str, **more: object) -> str:
    options = {"epochs": 1, "teacher": str(teacher), "distillation": 0.5, **more}
    values = (f"{k} = '{v}'" if isinstance(v, str) else f"{k} = {v}" for k, v in options.items())
    return f"phases=[{{{', '.join(values)}}}]"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, tiny_corpus, config) -> Path:
    folder = tmp_path_factory.mktemp("teacher") / "exp"
    run(config, tiny_corpus, folder, *ONE_EPOCH)
    return folder


def last(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    return {**state["model"], **{f"prior {k}": v for k, v in state.get("prior", {}).items()}}


def test_a_run_is_stopped_after_any_update_and_resumed(
    teacher, tiny_corpus, config, tmp_path, monkeypatch
):
    """Teacher, views, masks and priors in one phase, a mean teacher and priors in the next."""
    phases = (
        f"{{epochs = 3, teacher = '{teacher}', distillation = 0.5, consistency = 0.2, "
        "label_prior = 0.3, input_noise = 0.1}, "
        "{epochs = 2, teacher = 'ema', ema = 0.9, distillation = 0.3, label_prior = 0.5, "
        "learning_rate = 0.01}"
    )
    settings = [f"phases=[{phases}]", EVERY_UPDATE, "augmentation.time_masks=1"]
    settings += ["augmentation.time_width=5"]
    run(config, tiny_corpus, tmp_path / "whole", *settings)
    update, calls, stops = PhaseLoop._update, 0, 0

    def stop_sometimes(self, *arguments):
        nonlocal calls
        update(self, *arguments)
        calls += 1
        self.owner.stop = calls % 5 == 0

    monkeypatch.setattr(PhaseLoop, "_update", stop_sometimes)
    while True:
        try:
            run(config, tiny_corpus, tmp_path / "exp", *settings, resume=stops > 0)
            break
        except Interrupted:
            stops += 1
    assert stops >= 3
    one, other = last(tmp_path / "whole"), last(tmp_path / "exp")
    assert one.keys() == other.keys()
    assert one["prior log_prior"].exp().sum() == pytest.approx(1)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    logs = [read_log(tmp_path / name / "log.csv") for name in ("whole", "exp")]
    assert len(logs[0]) == 5
    assert [row["train_loss"] for row in logs[0]] == [row["train_loss"] for row in logs[1]]


def test_every_option_changes_the_weights(teacher, tiny_corpus, config, tmp_path):
    """And the teacher is named in the run, and keeps its weights."""
    before = (teacher / "weights.safetensors").read_bytes()
    weights = []
    changes = {
        "plain": "phases=[{epochs=2}]",
        "prior": "phases=[{epochs=2, label_prior=0.5}]",
        "teacher": taught(teacher, epochs=2),
        "mean": taught("ema", epochs=2, ema=0.9),
    }
    for name, change in changes.items():
        run(config, tiny_corpus, tmp_path / name, change)
        weights.append(last(tmp_path / name)["criterion.output.bias"])
    for n, one in enumerate(weights):
        assert all(not torch.equal(one, other) for other in weights[:n])
    named = read_json(tmp_path / "teacher" / "run.json")["teachers"]
    assert list(named) == [str(teacher)]
    assert len(named[str(teacher)]) == 64
    assert read_json(tmp_path / "plain" / "run.json")["teachers"] == {}
    assert (teacher / "weights.safetensors").read_bytes() == before


def test_a_teacher_alone_is_followed(teacher, tiny_corpus, config, tmp_path):
    """distillation = 1: its outputs become those of the student, whatever the labels are."""
    settings = "optimiser = 'adam', learning_rate = 0.02, ema = 0.0"
    runs = {
        "followed": f"phases=[{{epochs=8, teacher='{teacher}', distillation=1.0, {settings}}}]",
        "alone": f"phases=[{{epochs=8, {settings}}}]",
    }
    distances = []
    x = torch.randn(3, 30, 9, generator=torch.Generator().manual_seed(0))
    target = load_model(teacher)[3]
    for name, change in runs.items():
        student = run(config, tiny_corpus, tmp_path / name, change, "model.dropout=0.0").model
        x = x[:, :, : student.encoder.lower.input_size]
        y, p = (m.eval().outputs(x, torch.tensor([30] * 3))[0] for m in (student, target))
        distances.append((p.exp() * (p - y)).sum(dim=2).mean().item())
    assert distances[0] < 0.5 * distances[1]


def test_a_mean_teacher_has_the_averages_as_they_are(config):
    experiment = Experiment.load(config)
    alphabet = Alphabet(["a", "b"])
    model = make_model(experiment, SimpleNamespace(dim=3), alphabet)
    ema = Ema(model, 0.9)
    copy = ema.averaged(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 1
    ema.update(model)
    ema.load_state_dict({"updates": 1, "average": {k: v + 2 for k, v in ema.average.items()}})
    assert not copy.training
    for name, weight in copy.named_parameters():
        assert torch.equal(weight, ema.average[name])
        assert not weight.requires_grad


def test_a_finished_run_needs_no_teacher_and_a_resumed_one_the_same(
    teacher, tiny_corpus, config, tmp_path, monkeypatch
):
    other, folder = tmp_path / "teacher", tmp_path / "exp"
    shutil.copytree(teacher, other)
    settings = (taught(other, epochs=2), EVERY_UPDATE)
    with monkeypatch.context() as patched:
        update = PhaseLoop._update

        def stop(self, *arguments):
            update(self, *arguments)
            self.owner.stop = True

        patched.setattr(PhaseLoop, "_update", stop)
        with pytest.raises(Interrupted):
            run(config, tiny_corpus, folder, *settings)
    path = other / "weights.safetensors"
    weights = load_weights(path)
    weights["criterion.output.bias"] += 1e-3
    save_weights(path, weights)
    with pytest.raises(InputError, match=r"teacher: the teacher's weights have changed since"):
        run(config, tiny_corpus, folder, *settings, resume=True)
    shutil.copy(teacher / "weights.safetensors", path)
    run(config, tiny_corpus, folder, *settings, resume=True)
    shutil.rmtree(other)
    run(config, tiny_corpus, folder, *settings, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["front_end={stack=3, stride=2}"],
         r"features and frames .*front_end.stack: 3 -> 1; front_end.stride: 2 -> 1\); change"),
        (["front_end.normalise=utterance"], "front_end.normalise: \"utterance\" -> \"train\""),
        (["features={kind='ink_raw'}"], "features.kind: \"ink_raw\" -> \"ink_delta\""),
        (["model.layers=2", "model.subsample=2"], "frames per output: 2 -> 1"),
    ],
)  # fmt: skip
def test_teachers_of_other_frames_are_refused(
    teacher, tiny_corpus, config, tmp_path, changes, message
):
    with pytest.raises(InputError, match=message):
        run(config, tiny_corpus, tmp_path / "exp", taught(teacher), *changes)
    assert not (tmp_path / "exp" / "run.json").exists()


def test_folders_that_are_no_teacher_are_refused(teacher, tiny_corpus, config, tmp_path):
    absent = tmp_path / "absent"
    with pytest.raises(InputError, match="absent: no such model directory"):
        run(config, tiny_corpus, tmp_path / "exp", taught(absent))
    with pytest.raises(InputError, match="exp: cannot be the teacher and --out at once"):
        run(config, tiny_corpus, tmp_path / "exp", taught(tmp_path / "x" / ".." / "exp"))
    framewise = tmp_path / "framewise"
    shutil.copytree(teacher, framewise)
    (framewise / "config.toml").write_text(
        (framewise / "config.toml").read_text().replace('kind = "ctc"', 'kind = "framewise"')
    )
    weights = load_weights(framewise / "weights.safetensors")
    weights |= {k: w[1:] for k, w in weights.items() if k.startswith("criterion.output")}
    save_weights(framewise / "weights.safetensors", weights)
    with pytest.raises(InputError, match=r"framewise: a teacher needs .* 'ctc', not"):
        run(config, tiny_corpus, tmp_path / "exp", taught(framewise))


@pytest.mark.parametrize("change", ["labels", "statistics"])
def test_teachers_of_other_data_are_refused(teacher, tiny_corpus, config, tmp_path, change):
    other, data = tmp_path / "teacher", tiny_corpus
    shutil.copytree(teacher, other)
    if change == "labels":
        data = tmp_path / "data"
        shutil.copytree(tiny_corpus, data, ignore=shutil.ignore_patterns("features"))
        alphabet = Alphabet.load(data / "alphabet.json")
        Alphabet(alphabet.symbols[::-1], alphabet.unit).save(data / "alphabet.json")
        for name in ("train", "dev"):
            lines = read_manifest(data / f"{name}.jsonl")
            write_manifest(
                data / f"{name}.jsonl", [replace(u, source=u.source.resolve()) for u in lines]
            )
        message = "the teacher has other labels than the corpus"
    else:
        path = other / "normalisation.safetensors"
        found = Statistics.load(path)
        replace(found, mean=found.mean + 0.1).save(path)
        message = "normalises features with other means and deviations"
    with pytest.raises(InputError, match=f"teacher: .*{message}"):
        run(config, data, tmp_path / "exp", taught(other))


def test_a_dry_run_has_the_teacher_too(teacher, tiny_corpus, config, tmp_path):
    for change in (taught(teacher, label_prior=0.3), taught("ema", ema=0.9)):
        assert "per epoch" in dry_run(Experiment.load(config, [change]), tiny_corpus, Workers())
    with pytest.raises(InputError, match="no such model directory"):
        dry_run(Experiment.load(config, [taught(tmp_path / "no")]), tiny_corpus, Workers())
