"""Dev scores, best weights, log and checkpoints, for all training methods.

A method is a loop (`loop`, `evolution`, `kalman`, `evolino`) that has one `PhaseRecord`.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.data import Dataset
from seqlabel.files import read_json, write_json
from seqlabel.models.model import Model
from seqlabel.scoring.protocols import get_protocol
from seqlabel.training.checkpoint import Progress, save_checkpoint
from seqlabel.training.clock import Clock
from seqlabel.training.diagnosis import Diverged
from seqlabel.training.distribution import Workers
from seqlabel.training.evaluation import DevScore, evaluate
from seqlabel.training.experiment import Experiment
from seqlabel.training.monitor import Monitor
from seqlabel.training.run_directory import (
    CHECKPOINTS,
    METRICS,
    WEIGHTS,
    load_weights,
    save_weights,
)
from seqlabel.training.snapshots import remove_snapshots, snapshots_of
from seqlabel.training.teacher import Teacher

log = logging.getLogger("seqlabel")

CHECKPOINT_SHARE = 0.005
"""Maximum share of time for checkpoints after epochs."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop and has written a checkpoint."""


@dataclass
class Run:
    """The inputs of a training method.

    checkpoint: that of the run to resume, None for a new run. teachers: by the names in the phases.
    named: snapshots that the last but one checkpoint needs, and those that the last one needs.
    started: time on the monotonic clock. writing: seconds spent on checkpoints since then.
    """

    experiment: Experiment
    model: Model
    train: Dataset
    dev: Dataset
    folder: Path
    workers: Workers
    monitor: Monitor
    progress: Progress = field(default_factory=Progress)
    checkpoint: dict[str, Any] | None = None
    teachers: Mapping[str, Teacher] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    stop: bool = False
    named: tuple[set[Path], set[Path]] = field(default_factory=lambda: (set(), set()))
    started: float = field(default_factory=time.monotonic)
    writing: float = 0.0

    def best_error_rate(self) -> float:
        """Dev error rate of the weights in the model directory."""
        return float(read_json(self.folder / METRICS)["dev_error_rate"])

    def evaluate(self) -> DevScore:
        """The dev scores of the model with its current weights."""
        options, protocol = self.experiment.batches, get_protocol(self.experiment.training.protocol)
        with self.clock("evaluate"):
            return evaluate(self.model, self.dev, options, protocol, self.workers)


class PhaseRecord:
    """One phase: its start, the scores of its epochs, and its results.

    state: returns what a checkpoint stores for the method, besides the model and the progress; all
    processes call it together.
    measure: returns the dev scores of the model with its current weights; `run.evaluate` if None.
    The constructor loads the weights from which the phase starts into the model.
    """

    def __init__(
        self,
        run: Run,
        number: int,
        state: Callable[[], dict[str, Any]],
        measure: Callable[[], DevScore] | None = None,
    ) -> None:
        self.run, self.number = run, number
        self.phase = run.experiment.phases[number]
        self._state, self._measure = state, measure or run.evaluate
        self._since = self._last_checkpoint = time.monotonic()
        run.train.distortion = replace(run.train.distortion, noise=0.0)
        if run.checkpoint is not None:
            run.model.load_state_dict(run.checkpoint["model"])
        elif number:
            run.workers.barrier()
            run.model.load_state_dict(load_weights(run.folder / WEIGHTS))

    def begin(self, load: Callable[[Mapping[str, Any]], None]) -> None:
        """Restore the checkpoint with `load`, or start a later phase.

        A later phase keeps new weights only if they beat those it started from. All processes must
        call this together, after the state of the method has been created.
        """
        run, progress = self.run, self.run.progress
        if run.checkpoint is not None:
            load(run.checkpoint)
            run.checkpoint = None
        elif self.number:
            progress.phase, progress.epoch, progress.batch, progress.update = self.number, 0, 0, 0
            progress.stale = progress.stale_rate = progress.halvings = 0
            progress.best, progress.best_epoch, progress.kept = math.inf, -1, []
            progress.best = self.value(self._measure())
            # From its first epoch on, the phase may overwrite the best weights. After a kill it
            # must not start from those.
            self.checkpoint()

    def value(self, score: DevScore) -> float:
        """The dev value to be minimised."""
        if self.phase.monitor == "frame_error":
            assert score.frame_error_rate is not None  # checked by Experiment
            return score.frame_error_rate if math.isfinite(score.loss) else math.inf
        return score.error_rate if self.phase.monitor == "error" else score.loss

    def over(self) -> bool:
        """Whether the epochs or the patience of the phase are used up."""
        phase, progress = self.phase, self.run.progress
        return progress.epoch >= phase.epochs or 0 < phase.patience <= progress.stale

    def start_epoch(self, updates: int, padding: float = 0.0) -> None:
        """Begin, or resume, an epoch of `updates` updates."""
        progress = self.run.progress
        self.run.monitor.start_epoch(progress, updates, padding)
        self._since = self._last_checkpoint = time.monotonic()

    def end_update(self, number: int) -> None:
        """Record that update `number` is done; raises Interrupted if the run was asked to stop."""
        run, progress = self.run, self.run.progress
        progress.batch = number + 1
        self._count_time()
        run.monitor.update(progress)
        minutes = (self._since - self._last_checkpoint) / 60
        overdue = minutes > run.experiment.training.checkpoint_minutes
        due, stop = run.workers.any([overdue or run.stop, run.stop])
        if due:
            self.checkpoint()
            self._last_checkpoint = self._since
        if stop:
            raise Interrupted

    def _count_time(self) -> None:
        now = time.monotonic()
        self.run.progress.seconds += now - self._since
        self._since = now

    def evaluate(self) -> DevScore:
        """Dev scores of the current weights; keeps the weights if they are the phase's best."""
        progress = self.run.progress
        score = self._measure()
        self._count_time()
        if self.value(score) < progress.best:
            progress.best, progress.best_epoch = self.value(score), progress.epoch
            progress.stale = progress.stale_rate = 0
            self.keep(score, progress.epochs_done + 1)
        else:
            progress.stale += 1
            progress.stale_rate += 1
        return score

    def keep(self, score: DevScore, epoch: int) -> None:
        """Write the current weights and their scores into the model directory.

        epoch: the last one that they have seen, from 1 over all phases.
        """
        run, progress = self.run, self.run.progress
        if not run.workers.first:
            return
        metrics = {
            "dev_error_rate": score.error_rate,
            "dev_loss": score.loss,
            "phase": self.phase.name,
            "epoch": epoch,
            "minutes": round(progress.seconds / 60, 3),
            "protocol": run.experiment.training.protocol,
        }
        save_weights(run.folder / WEIGHTS, run.model.state_dict())
        write_json(run.folder / METRICS, metrics)

    def end_epoch(self, score: DevScore, rate: float) -> None:
        """Record the end of an epoch. rate: the step size, for the log."""
        run, progress = self.run, self.run.progress
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.epochs_done += 1
        totals = progress.summed(run.workers)
        run.monitor.end_epoch(self.phase, totals, score, rate, run.clock)
        progress.loss_sum, progress.utterances, progress.frames = 0.0, 0, 0
        if self._affords_checkpoint() or self.over():
            self.checkpoint()

    def end_phase(self) -> None:
        """Tell an early end; Diverged if the first phase ends without having kept any weights."""
        phase, progress = self.phase, self.run.progress
        if progress.epoch < phase.epochs:
            log.info(
                "phase %s: ended after %d of %d epochs, %d without a better dev %s (patience)",
                phase.name, progress.epoch, phase.epochs, progress.stale, phase.monitor,
            )  # fmt: skip
        if not self.number and self.run.progress.best_epoch < 0:
            raise Diverged(
                f"phase {self.phase.name}: no epoch had a finite dev {self.phase.monitor}, so no "
                "weights were kept; check the dev set with seqlabel check"
            )

    def _affords_checkpoint(self) -> bool:
        """Whether checkpoints have taken less than their share; all processes must call it."""
        run = self.run
        affords = run.writing <= CHECKPOINT_SHARE * (time.monotonic() - run.started)
        return run.workers.any([run.workers.first and affords])[0]

    def checkpoint(self) -> None:
        """Write a checkpoint; all processes must call it together."""
        run = self.run
        totals = run.progress.summed(run.workers)
        own = self._state()
        if not run.workers.first:
            return
        started = time.monotonic()
        with run.clock("checkpoint"):
            state = {
                "config": run.experiment.to_table(),
                "world": run.workers.world,
                "model": run.model.state_dict(),
                **own,
            }
            if save_checkpoint(run.folder / CHECKPOINTS, state, totals):
                run.named = run.named[1], snapshots_of(run.folder, run.progress)
                self.remove_snapshots()
        run.writing += time.monotonic() - started

    def remove_snapshots(self) -> None:
        """Remove the snapshots that neither the run nor its two checkpoints need."""
        run = self.run
        needed = snapshots_of(run.folder, run.progress).union(*run.named)
        remove_snapshots(run.folder, needed)


def rng_of(seed: Sequence[int]) -> np.random.Generator:
    """A generator determined by the position in the run, so that checkpoints need not store it."""
    return np.random.default_rng(list(seed))
