"""What a run shows and records: the log, TensorBoard, nothing in processes behind the first."""

import logging
import sys
from types import SimpleNamespace

import pytest

from seqlabel.errors import InputError
from seqlabel.training.checkpoint import Progress
from seqlabel.training.clock import Clock
from seqlabel.training.distribution import Workers
from seqlabel.training.evaluation import DevScore
from seqlabel.training.experiment import Experiment
from seqlabel.training.monitor import Monitor
from seqlabel.training.options import Phase
from seqlabel.training.run import train
from seqlabel.training.run_directory import LOG, read_log

SCORE = DevScore(2.5, 0.25, 0.3, examples=(("utterance", "a b", "a"),))


def end_epoch(monitor, epoch, score=SCORE):
    progress = Progress(
        loss_sum=12.0, utterances=4.0, frames=100.0, update=3, seconds=90.0, epochs_done=epoch
    )
    monitor.end_epoch(Phase(name="first"), progress, score, 0.001, Clock())


class Writer:
    """Stands in for TensorBoard's."""

    def __init__(self, folder):
        self.folder, self.scalars, self.texts, self.flushed = folder, {}, {}, 0

    def add_scalar(self, name, value, step):
        self.scalars[name, step] = value

    def add_text(self, name, text, step):
        self.texts[name, step] = text

    def flush(self):
        self.flushed += 1


def test_tensorboard_gets_the_numbers_of_the_log(tmp_path, monkeypatch):
    module = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monitor = Monitor(tmp_path, "CER", True, tmp_path / "board")
    end_epoch(monitor, 1)
    writer = monitor._writer
    assert writer.folder == str(tmp_path / "board")
    assert writer.scalars == {
        ("loss/train", 1): 3.0,
        ("loss/dev", 1): 2.5,
        ("dev/CER", 1): 0.25,
        ("learning_rate", 1): 0.001,
    }
    assert writer.texts == {("utterance", 1): "    a b\n    a"}
    assert writer.flushed == 1
    (row,) = read_log(tmp_path / LOG)
    assert (float(row["train_loss"]), float(row["dev_loss"])) == (3.0, 2.5)
    assert (float(row["dev_error_rate"]), float(row["minutes"])) == (0.25, 1.5)


def test_without_tensorboard_the_option_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"--tensorboard: .*pip install 'seqlabel\[tensorboard\]'"):
        Monitor(tmp_path, "CER", True, tmp_path / "board")
    Monitor(tmp_path, "CER", False, tmp_path / "board")  # another process writes it


def test_epochs_that_are_repeated_leave_the_log(tmp_path):
    monitor = Monitor(tmp_path, "PER", True)
    for epoch in (1, 2, 3):
        end_epoch(monitor, epoch)
    again = Monitor(tmp_path, "PER", True)
    again.resume(2)
    end_epoch(again, 3, DevScore(2.0, 0.2, 0.3))
    assert [float(row["dev_loss"]) for row in read_log(tmp_path / LOG)] == [2.5, 2.5, 2.0]


def test_only_the_first_process_speaks(tmp_path, caplog):
    caplog.set_level(logging.INFO, "seqlabel")
    monitor = Monitor(tmp_path, "PER", False)
    end_epoch(monitor, 1)
    assert len(monitor.rows) == 1
    assert not (tmp_path / LOG).exists()
    assert not caplog.text
    end_epoch(Monitor(tmp_path, "PER", True), 1, DevScore(2.5, 0.25, 0.3, frame_error_rate=0.125))
    assert "dev PER  25.00 %  (frame error rate 12.50 %)" in caplog.text


def test_an_epoch_without_an_update_has_no_training_loss(tmp_path):
    monitor = Monitor(tmp_path, "PER", True)
    skipped = Progress(skipped=3, epochs_done=1)
    monitor._bar = bar = Bar()
    monitor.update(skipped)
    monitor.end_epoch(Phase(), skipped, SCORE, 0.001, Clock())
    assert bar.shown == ["nan"]
    (row,) = read_log(tmp_path / LOG)
    assert (row["train_loss"], row["skipped_updates"]) == ("nan", "3")


class Bar:
    """Stands in for tqdm's."""

    def __init__(self):
        self.shown = []

    def set_postfix(self, loss, best_dev, refresh):
        self.shown.append(loss)

    def update(self):
        pass

    close = update


def test_the_rate_of_a_resumed_epoch_is_that_of_this_session(tmp_path):
    """100 frames in 2 seconds, of an epoch that had done 60 before; then 100 of the next one."""
    monitor, clock = Monitor(tmp_path, "PER", True), Clock()
    for before, epoch, rate in ((60.0, 1, "20"), (0.0, 2, "50")):
        monitor.start_epoch(Progress(frames=before, epochs_done=epoch - 1), 5, 0.0)
        clock.seconds["loss"] = 2.0
        progress = Progress(loss_sum=1.0, utterances=4.0, frames=100.0, epochs_done=epoch)
        monitor.end_epoch(Phase(), progress, SCORE, 0.001, clock)
        assert read_log(tmp_path / LOG)[-1]["frames_per_second"] == rate


def test_the_end_by_patience_is_told(tiny_corpus, config, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    settings = ["phases=[{epochs=9, patience=2, learning_rate=1e-9}]"]
    train(Experiment.load(config, settings), tiny_corpus, tmp_path / "exp", Workers())
    assert "phase train: ended after 3 of 9 epochs, 2 without a better dev error" in caplog.text
