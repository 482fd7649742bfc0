"""Two processes take the steps of one; a lost worker is started again from the last checkpoint."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from seqlabel.corpora.manifest import read_manifest
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train

PROGRAM = ("-m", "seqlabel.cli")
# Dropout masks depend on the shape of a process's share, so the runs compared here have none.
SETTINGS = ("model.dropout=0.0", "training.checkpoint_minutes=0", "training.threads=1")


def torchrun(
    config: Path, data: Path, out: Path, *more: str, program: Sequence[str] = PROGRAM
) -> subprocess.Popen[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [
        sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone",
        "--nproc-per-node", "2", *more, *program, "train", str(config),
        "--data", str(data), "--out", str(out), "--resume", *settings,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def losses(folder: Path) -> list[float]:
    with open(folder / "log.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [float(row[name]) for row in rows for name in ("train_loss", "dev_loss")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, tiny_corpus, config) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "exp"
    train(Experiment.load(config, SETTINGS), tiny_corpus, folder, Workers())
    return folder


def test_two_processes_take_the_steps_of_one(alone, tiny_corpus, config, tmp_path):
    process = torchrun(config, tiny_corpus, tmp_path / "exp")
    _, output = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert losses(tmp_path / "exp") == pytest.approx(losses(alone), rel=1e-5)


def test_teachers_and_priors_of_two_processes_are_those_of_one(
    alone, tiny_corpus, config, tmp_path
):
    """Every process has the teacher; priors are summed over the processes."""
    phase = tmp_path / "taught.toml"
    phase.write_text(
        f'base = "{config}"\nphases = [{{epochs = 3, teacher = "{alone}", distillation = 0.5, '
        "label_prior = 0.5, learning_rate = 0.01}]\n"
    )
    train(Experiment.load(phase, SETTINGS), tiny_corpus, tmp_path / "alone", Workers())
    process = torchrun(phase, tiny_corpus, tmp_path / "exp")
    _, output = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert losses(tmp_path / "exp") == pytest.approx(losses(tmp_path / "alone"), rel=1e-5)
    priors = [
        torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True)["prior"]
        for name in ("exp", "alone")
    ]
    torch.testing.assert_close(priors[0]["log_prior"], priors[1]["log_prior"])
    assert [len(prior["sums"]) for prior in priors] == [2, 1]


def test_a_lost_worker_is_started_again(alone, tiny_corpus, config, tmp_path):
    folder = tmp_path / "exp"
    process = torchrun(config, tiny_corpus, folder, "--max-restarts", "1")
    deadline = time.monotonic() + 200
    while not (folder / "checkpoints" / "before.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    workers = [pid for pid in _descendants(process.pid) if b"seqlabel.cli" in _command(pid)]
    assert workers
    os.kill(workers[-1], signal.SIGKILL)
    _, output = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert losses(folder) == pytest.approx(losses(alone), rel=1e-5)


# A finite gradient beside an infinite loss: only the process that has the loss could tell.
ONE_INFINITE_LOSS = """
import sys
from seqlabel.cli import main
from seqlabel.models.model import Model

honest = Model.forward

def forward(self, batch, *more):
    losses = honest(self, batch, *more)
    losses[[id == sys.argv[1] for id in batch.ids]] += float("inf")
    return losses

Model.forward = forward
sys.exit(main(sys.argv[2:]))
"""


def test_an_update_is_skipped_by_all_processes_and_its_culprit_named_once(
    tiny_corpus, config, tmp_path
):
    script = tmp_path / "one_infinite_loss.py"
    script.write_text(ONE_INFINITE_LOSS)
    culprit = read_manifest(tiny_corpus / "train.jsonl")[0].id  # on either process by turns
    phase = tmp_path / "one_phase.toml"
    phase.write_text(f'base = "{config}"\nbatches.frames = 400\nphases = [{{epochs = 5}}]\n')
    process = torchrun(phase, tiny_corpus, tmp_path / "exp", program=(str(script), culprit))
    _, output = process.communicate(timeout=300)
    assert process.returncode == 0, output
    told = [line for line in output.splitlines() if line.startswith("update skipped")]
    assert told == [f"update skipped: loss is not finite in {culprit}"] * 5


def _command(pid: int) -> bytes:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
    return b"" if b"torch.distributed.run" in command else command


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found
