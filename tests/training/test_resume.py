"""A run that is killed and resumed ends with the weights of one that never stopped."""

import csv
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import read_manifest, write_manifest
from seqlabel.errors import InputError
from seqlabel.inputs import read_ink
from seqlabel.inputs.ink_files import write_ink
from seqlabel.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.loop import PhaseLoop
from seqlabel.training.phase_record import Interrupted, PhaseRecord
from seqlabel.training.run import train
from seqlabel.training.run_directory import load_weights, read_log, write_log

EVERY_UPDATE = "training.checkpoint_minutes=0"


def run(config: Path, data: Path, out: Path, resume: bool = False, *overrides: str):
    return train(Experiment.load(config, overrides), data, out, Workers(), resume)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """The last and the best weights of a run."""
    last = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"]
    best = load_weights(folder / "weights.safetensors")
    return {**last, **{f"best {name}": weight for name, weight in best.items()}}


def assert_same_run(a: Path, b: Path) -> None:
    names = ("epoch", "phase", "updates", "learning_rate", "train_loss", "dev_loss")
    logs = []
    for folder in (a, b):
        with open(folder / "log.csv", newline="") as stream:
            logs.append([[row[name] for name in names] for row in csv.DictReader(stream)])
    assert logs[0] == logs[1]
    first, second = weights_of(a), weights_of(b)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_corpus, config) -> Path:
    """The run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "exp"
    run(config, tiny_corpus, folder, False, EVERY_UPDATE)
    return folder


def test_two_runs_with_one_seed_are_equal_and_another_seed_is_not(
    whole, tiny_corpus, config, tmp_path
):
    run(config, tiny_corpus, tmp_path / "again", False, EVERY_UPDATE)
    assert_same_run(whole, tmp_path / "again")
    run(config, tiny_corpus, tmp_path / "other", False, EVERY_UPDATE, "seed=4")
    other = weights_of(tmp_path / "other")
    assert any(not torch.equal(w, other[name]) for name, w in weights_of(whole).items())


def test_stopped_after_any_update_and_resumed(whole, tiny_corpus, config, tmp_path, monkeypatch):
    folder = tmp_path / "exp"
    update = PhaseLoop._update
    calls = 0

    def stop_sometimes(self, *arguments):
        nonlocal calls
        update(self, *arguments)
        calls += 1
        self.owner.stop = calls % 4 == 0

    monkeypatch.setattr(PhaseLoop, "_update", stop_sometimes)
    stops = 0
    while True:
        try:
            run(config, tiny_corpus, folder, stops > 0, EVERY_UPDATE)
            break
        except Interrupted:
            stops += 1
    assert stops >= 3
    assert_same_run(whole, folder)


def test_killed_at_random_moments_and_resumed(whole, tiny_corpus, config, tmp_path):
    folder = tmp_path / "exp"
    command = [
        sys.executable, "-m", "seqlabel.cli", "train", str(config), "--data", str(tiny_corpus),
        "--out", str(folder), "--resume", "--set", EVERY_UPDATE,
    ]  # fmt: skip
    chance = random.Random(5)
    kills = 0
    for _ in range(3):
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        deadline = time.monotonic() + 60
        before = _mark(folder)
        while process.poll() is None and _mark(folder) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    torch.set_num_threads(1)
    run(config, tiny_corpus, folder, True, EVERY_UPDATE)
    assert_same_run(whole, folder)


def _mark(folder: Path) -> float:
    path = folder / "checkpoints" / "last.pt"
    return path.stat().st_mtime_ns if path.exists() else 0


def test_a_finished_run_stays_as_it_is(whole, tiny_corpus, config):
    before = (whole / "weights.safetensors").stat().st_mtime_ns
    run(config, tiny_corpus, whole, True, EVERY_UPDATE)
    assert (whole / "weights.safetensors").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="already has a run; add --resume"):
        run(config, tiny_corpus, whole, False, EVERY_UPDATE)


def test_another_configuration_is_refused_with_what_differs(whole, tiny_corpus, config):
    with pytest.raises(InputError, match=r"model\.hidden: 12 -> 13"):
        run(config, tiny_corpus, whole, True, EVERY_UPDATE, "model.hidden=13")


def test_a_cut_checkpoint_falls_back_to_the_one_before(tmp_path, caplog):
    for update in (1, 2):
        assert save_checkpoint(tmp_path, {"x": torch.ones(3)}, Progress(update=update))
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:100])
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded[1].update == 1
    assert "cannot be read" in caplog.text
    (tmp_path / "before.pt").write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint can be read"):
        load_checkpoint(tmp_path)
    assert load_checkpoint(tmp_path / "absent") is None


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path, monkeypatch, caplog):
    save_checkpoint(tmp_path, {}, Progress(update=1))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not save_checkpoint(tmp_path, {}, Progress(update=2))
    assert "No space left on device" in caplog.text
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded[1].update == 1


@pytest.mark.parametrize("change", ["symbols in another order", "one symbol more", "a line less"])
def test_other_data_is_refused(whole, tiny_corpus, config, tmp_path, change):
    data, folder = tmp_path / "data", tmp_path / "exp"
    shutil.copytree(whole, folder)
    shutil.copytree(tiny_corpus, data, ignore=shutil.ignore_patterns("features"))
    alphabet, train_set = Alphabet.load(data / "alphabet.json"), read_manifest(data / "train.jsonl")
    if change == "a line less":
        train_set = train_set[1:]
    elif change == "one symbol more":
        Alphabet([*alphabet.symbols, "!"], alphabet.unit).save(data / "alphabet.json")
    else:
        Alphabet(alphabet.symbols[::-1], alphabet.unit).save(data / "alphabet.json")
    write_manifest(data / "train.jsonl", [replace(u, source=u.source.resolve()) for u in train_set])
    with pytest.raises(InputError, match="not the utterances, labels and symbols of the run"):
        run(config, data, folder, True, EVERY_UPDATE)


def test_signals_that_were_edited_are_refused(whole, tiny_corpus, config, tmp_path):
    """The model directory has the mean and deviation of the features that the run began with."""
    data, folder = tmp_path / "data", tmp_path / "exp"
    shutil.copytree(whole, folder)
    shutil.copytree(tiny_corpus, data, ignore=shutil.ignore_patterns("features"))
    wider = []
    for utterance in read_manifest(tiny_corpus / "train.jsonl"):
        path = tmp_path / f"{utterance.id}.ink"
        write_ink(path, read_ink(utterance.source).transformed([[1.5, 0], [0, 1]]))
        wider.append(replace(utterance, source=path))
    write_manifest(data / "train.jsonl", wider)
    with pytest.raises(InputError, match="the signals have changed"):
        run(config, data, folder, True, EVERY_UPDATE)


def test_a_run_goes_on_without_the_model_it_took_its_weights_from(
    whole, tiny_corpus, config, tmp_path
):
    first, folder = tmp_path / "first", tmp_path / "exp"
    shutil.copytree(whole, first)
    run(config, tiny_corpus, folder, False, f"initial={first}")
    shutil.rmtree(first)
    run(config, tiny_corpus, folder, True, f"initial={first}")


def test_killed_in_a_later_phase_before_its_first_checkpoint(
    tiny_corpus, config, tmp_path, monkeypatch
):
    """The phase starts again from the best weights of the one before, not from its own."""
    settings = ["phases=[{epochs=2, learning_rate=1e-9}, {epochs=3, monitor='loss'}]"]
    rare = [*settings, "training.checkpoint_minutes=60"]
    run(config, tiny_corpus, tmp_path / "whole", False, *rare)
    evaluate = PhaseLoop._evaluate_epoch

    def killed(self, epoch):
        score = evaluate(self, epoch)
        if self.number == 1 and epoch == 1:
            raise MemoryError
        return score

    with monkeypatch.context() as patched:
        patched.setattr(PhaseLoop, "_evaluate_epoch", killed)
        patched.setattr(PhaseRecord, "_affords_checkpoint", lambda self: False)
        with pytest.raises(MemoryError):
            run(config, tiny_corpus, tmp_path / "exp", False, *rare)
    run(config, tiny_corpus, tmp_path / "exp", True, *rare)
    assert_same_run(tmp_path / "whole", tmp_path / "exp")


def test_nothing_is_started_anew_over_a_run(whole, tiny_corpus, config, tmp_path):
    folder = tmp_path / "exp"
    shutil.copytree(whole, folder)
    (folder / "log.csv").unlink()
    with pytest.raises(InputError, match="already has a run"):
        run(config, tiny_corpus, folder, False, EVERY_UPDATE)
    shutil.copy(whole / "log.csv", folder)
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(InputError, match="a run without a checkpoint"):
        run(config, tiny_corpus, folder, True, EVERY_UPDATE)


def test_damage_anywhere_in_a_checkpoint_falls_back_to_the_one_before(whole, tmp_path):
    for name in ("last.pt", "before.pt"):
        shutil.copy(whole / "checkpoints" / name, tmp_path)
    last = tmp_path / "last.pt"
    content = last.read_bytes()
    chance = random.Random(1)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(20):
            damaged[chance.randrange(len(damaged))] ^= chance.randrange(1, 256)
        last.write_bytes(damaged)
        assert load_checkpoint(tmp_path) is not None
    for other in (torch.zeros(3), ["a"], {"progress": 3}):
        torch.save(other, last)
        assert load_checkpoint(tmp_path) is not None


def test_a_log_with_other_columns_is_carried_on(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,old\n1,a\n2\n3,b,c\n")
    write_log(path, [*read_log(path), {"epoch": 4, "new": "d"}])
    assert path.read_text() == "epoch,old,new\n1,a,\n2,,\n3,b,\n4,,d\n"


def test_what_differs_in_a_phase_is_named_alone(whole, tiny_corpus, config):
    with pytest.raises(InputError) as error:
        changes = ("phases.0.epochs=9", "phases.1.momentum=0.5", "augmentation.speeds=[0.9]")
        run(config, tiny_corpus, whole, True, EVERY_UPDATE, *changes)
    said = "augmentation.speeds: [] -> [0.9]; phases.0.epochs: 3 -> 9; phases.1.momentum: 0.9 -> 0."
    assert f"({said}5)" in str(error.value)


AVERAGED = "phases=[{epochs=5, patience=0, average=2}, {epochs=2, average=2}]"
VALUES = {(0, epoch): value for epoch, value in enumerate((5.0, 4.0, 6.0, 3.0, 7.0))}
"""Dev values of the epochs of the first phase; those of the average are lower."""


def snapshots(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "checkpoints").glob("*.safetensors"))


def value(self, score):
    place = self.number, self.run.progress.epoch
    return VALUES.get(place, 1.0 - 0.1 * self.run.progress.epoch)


def test_an_average_is_of_the_last_epoch_and_leaves_no_snapshots(
    tiny_corpus, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(PhaseRecord, "value", value)
    settings = "phases=[{epochs=5, patience=0, average=2}]", EVERY_UPDATE
    run(config, tiny_corpus, tmp_path / "exp", False, *settings)
    metrics = json.loads((tmp_path / "exp" / "metrics.json").read_text())
    assert metrics["epoch"] == 5
    assert len(read_log(tmp_path / "exp" / "log.csv")) == 5
    assert snapshots(tmp_path / "exp") == []
    kept = tmp_path / "exp" / "checkpoints" / "phase0-epoch1.safetensors"
    kept.write_bytes(b"")  # as if the run had been killed before it removed this
    run(config, tiny_corpus, tmp_path / "exp", True, *settings)
    assert not kept.exists()


@pytest.mark.parametrize("rare", [True, False])
def test_snapshots_that_a_checkpoint_names_outlive_a_kill(
    tiny_corpus, config, tmp_path, monkeypatch, rare
):
    """Killed where an epoch or an average would begin, after one, two, three ... of them.

    So do those of the checkpoint before, which is used where the last one is damaged.
    """
    monkeypatch.setattr(PhaseRecord, "value", value)
    run(config, tiny_corpus, tmp_path / "whole", False, AVERAGED)
    assert snapshots(tmp_path / "whole") == []
    folder, kills = tmp_path / "exp", 0

    class Killed(Exception):
        pass

    def killing(method):
        def killed(self, *arguments):
            nonlocal calls
            calls += 1
            if calls == kills + 1:
                raise Killed
            return method(self, *arguments)

        return killed

    with monkeypatch.context() as patched:
        patched.setattr(PhaseLoop, "_epoch", killing(PhaseLoop._epoch))
        patched.setattr(PhaseLoop, "_average", killing(PhaseLoop._average))
        if rare:
            patched.setattr(
                PhaseRecord, "_affords_checkpoint", lambda self: self.run.progress.epoch == 2
            )
        else:
            patched.setattr(PhaseRecord, "_affords_checkpoint", lambda self: True)
        for kills in range(1, 6):
            calls = 0
            with suppress(Killed):
                run(config, tiny_corpus, folder, kills > 1, AVERAGED)
            for checkpoint in (folder / "checkpoints").glob("*.pt"):
                progress = Progress(**torch.load(checkpoint, weights_only=True)["progress"])
                if not progress.finished:
                    needed = {f"phase{progress.phase}-epoch{epoch}" for _, epoch in progress.kept}
                    assert needed <= set(snapshots(folder)), checkpoint.name
            if kills == 3:
                shutil.copytree(folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "checkpoints" / "last.pt").write_bytes(b"damaged")
    for kept in (folder, tmp_path / "damaged"):
        run(config, tiny_corpus, kept, True, AVERAGED)
        assert_same_run(tmp_path / "whole", kept)
        assert snapshots(kept) == []
