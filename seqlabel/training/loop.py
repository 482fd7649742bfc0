"""The training loop: phases of epochs of updates, plain from top to bottom."""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seqlabel.data import Batch, Dataset, make_batches
from seqlabel.data.batches import BatchPlan, padding_share, shard
from seqlabel.data.loader import Prefetcher
from seqlabel.errors import InputError
from seqlabel.files import read_json, write_json
from seqlabel.models.model import Model
from seqlabel.scoring.protocols import get_protocol
from seqlabel.training.averaging import Ema, average_weights
from seqlabel.training.checkpoint import Progress, save_checkpoint
from seqlabel.training.clock import Clock
from seqlabel.training.diagnosis import skip_update
from seqlabel.training.distribution import Workers
from seqlabel.training.evaluation import DevScore, evaluate
from seqlabel.training.experiment import Experiment
from seqlabel.training.monitor import Monitor
from seqlabel.training.noise import AdaptiveNoise, weight_noise
from seqlabel.training.objectives import make_objective
from seqlabel.training.optimisers import clip_gradient, make_optimiser
from seqlabel.training.options import Phase
from seqlabel.training.run_directory import (
    CHECKPOINTS,
    METRICS,
    WEIGHTS,
    load_weights,
    save_weights,
)
from seqlabel.training.schedule import learning_rate

log = logging.getLogger("seqlabel")

CHECKPOINT_SHARE = 0.005
"""Of the time that checkpoints after epochs may take."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop and has written a checkpoint."""


@dataclass
class Run:
    """All that the loop works on.

    checkpoint: what an earlier run left, None to start anew. started: when, on the monotonic clock.
    writing: seconds that checkpoints have taken since.
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
    clock: Clock = field(default_factory=Clock)
    stop: bool = False
    started: float = field(default_factory=time.monotonic)
    writing: float = 0.0

    def best_error_rate(self) -> float:
        """Dev error rate of the weights in the model directory."""
        return float(read_json(self.folder / METRICS)["dev_error_rate"])

    def evaluate(self) -> DevScore:
        """The dev scores of the model as it is."""
        options, protocol = self.experiment.batches, get_protocol(self.experiment.training.protocol)
        with self.clock("evaluate"):
            return evaluate(self.model, self.dev, options, protocol, self.workers)


def run_phases(run: Run) -> None:
    """Train through all phases; the model directory then holds the best weights."""
    if run.progress.finished:
        return
    run.clock.watch(run.model.encoder, "forward")
    for number in range(run.progress.phase, len(run.experiment.phases)):
        loop = PhaseLoop(run, number)
        loop.run()
        if number + 1 == len(run.experiment.phases):
            run.progress.finished = True
            loop.checkpoint()


class PhaseLoop:
    """One phase: its optimiser, its averages, and the epochs."""

    def __init__(self, run: Run, number: int) -> None:
        self.owner, self.number = run, number
        self.phase: Phase = run.experiment.phases[number]
        self.objective = make_objective(self.phase)
        run.train.distortion = replace(run.train.distortion, noise=self.phase.input_noise)
        if number and run.checkpoint is None:
            run.workers.barrier()
            run.model.load_state_dict(load_weights(run.folder / WEIGHTS))
        self.noise = None
        if self.phase.adaptive_noise:
            self.noise = AdaptiveNoise(run.model, self.phase.adaptive_noise, len(run.train))
        learned = [] if self.noise is None else list(self.noise.parameters())
        self.trained = [*run.model.parameters(), *learned]
        self.optimiser = make_optimiser(self.phase, run.model.parameters(), learned)
        self.ema = Ema(run.model, self.phase.ema) if self.phase.ema else None
        if run.checkpoint is not None:
            run.model.load_state_dict(run.checkpoint["model"])
            self.optimiser.load_state_dict(run.checkpoint["optimiser"])
            if self.ema is not None:
                self.ema.load_state_dict(run.checkpoint["ema"])
            if self.noise is not None:
                self.noise.load_state_dict(run.checkpoint["noise"])
            run.checkpoint = None
        elif number:
            self._start_from_best()
            # From the phase's first epoch on the best weights may be its own: a run that is killed
            # must not start the phase from them.
            self.checkpoint()
        self.forward: nn.Module = run.model
        if run.workers.world > 1:
            self.forward = DistributedDataParallel(run.model)
        # Millions of utterances take seconds to arrange: the first epoch is arranged once.
        self._batches = lru_cache(1)(self._make_batches)
        self.updates_per_epoch = -(-len(self._batches(0)) // self.phase.accumulate)

    def _make_batches(self, epoch: int) -> BatchPlan:
        run = self.owner
        seed = (run.experiment.seed, self.number, epoch)
        return make_batches(run.train.lengths, run.experiment.batches, rng_of(seed))

    def _start_from_best(self) -> None:
        """A later phase has to beat the weights that it starts from."""
        progress = self.owner.progress
        progress.phase, progress.epoch, progress.batch, progress.update = self.number, 0, 0, 0
        progress.stale = progress.stale_rate = progress.halvings = 0
        progress.best, progress.best_epoch, progress.kept = math.inf, -1, []
        progress.best = self._value(self.owner.evaluate())

    def _value(self, score: DevScore) -> float:
        return score.error_rate if self.phase.monitor == "error" else score.loss

    def run(self) -> None:
        """All epochs that are left, then the average of the best ones."""
        run, phase, progress = self.owner, self.phase, self.owner.progress
        while not self.over():
            epoch = progress.epoch
            self._epoch(epoch)
            score = self._evaluate_epoch(epoch)
            progress.epoch, progress.batch = epoch + 1, 0
            progress.epochs_done += 1
            totals = progress.summed(run.workers)
            run.monitor.end_epoch(phase, totals, score, self.rate(), run.clock)
            progress.loss_sum, progress.utterances, progress.frames = 0.0, 0, 0
            if self._affords_checkpoint() or self.over():
                self.checkpoint()
        if not self.number and progress.best_epoch < 0:
            raise InputError(
                f"phase {phase.name}: no epoch had a finite dev {phase.monitor}, so no weights "
                "were kept; look at the dev set with seqlabel check"
            )
        if self.noise is not None:
            nats = self.noise.nats()
            log.info("%s: the weights cost %.0f nats, %.1f an utterance", phase.name, nats,
                     nats / self.noise.utterances)  # fmt: skip
        if phase.average > 1:
            self._average()

    def over(self) -> bool:
        """Whether the phase's epochs or its patience are used up."""
        phase, progress = self.phase, self.owner.progress
        return progress.epoch >= phase.epochs or 0 < phase.patience <= progress.stale

    def rate(self) -> float:
        """The learning rate of the next update."""
        progress = self.owner.progress
        return learning_rate(self.phase, progress.update, self.updates_per_epoch, progress.halvings)

    def _epoch(self, epoch: int) -> None:
        run, phase, progress, clock = self.owner, self.phase, self.owner.progress, self.owner.clock
        experiment, workers = run.experiment, run.workers
        seed = (experiment.seed, self.number, epoch)
        batches = self._batches(epoch)
        updates = -(-len(batches) // phase.accumulate)
        padding = padding_share(batches, run.train.lengths)
        run.monitor.start_epoch(progress.epochs_done, updates, progress.batch, padding)

        def group_of(number: int) -> BatchPlan:
            return batches[number * phase.accumulate : (number + 1) * phase.accumulate]

        def make(number: int) -> list[Batch]:
            parts = [shard(batch, workers.rank, workers.world) for batch in group_of(number)]
            return [run.train.batch(part, seed, weight) for part, weight in parts]

        run.model.train()
        loader = Prefetcher(make, range(progress.batch, updates))
        last_checkpoint = time.monotonic()
        started = time.monotonic()
        prepared = iter(loader)
        for number in range(progress.batch, updates):
            with clock("data"):
                group = [batch.to(workers.device) for batch in next(prepared)]
            self._update(group, int(group_of(number).sizes.sum()), (*seed, number))
            progress.batch = number + 1
            now = time.monotonic()
            progress.seconds += now - started
            started = now
            run.monitor.update(progress)
            overdue = now - last_checkpoint > 60 * experiment.training.checkpoint_minutes
            due, stop = workers.any([overdue or run.stop, run.stop])
            if due:
                self.checkpoint()
                last_checkpoint = now
            if stop:
                loader.close()
                raise Interrupted
        loader.close()
        progress.seconds += time.monotonic() - started

    def _update(self, group: Sequence[Batch], utterances: int, seed: Sequence[int]) -> None:
        """One update from the batches of `group`, this process's share of `utterances`."""
        run, phase, clock, progress = self.owner, self.phase, self.owner.clock, self.owner.progress
        self.optimiser.zero_grad(set_to_none=True)
        number = int(rng_of(seed).integers(2**62))
        torch.manual_seed(number + run.workers.rank)
        total, culprits = 0.0, []
        noisy = weight_noise(run.model, phase.weight_noise, number)
        if self.noise is not None:
            noisy = self.noise.drawn(number)
        with noisy, ExitStack() as stack:
            for n, batch in enumerate(group):
                if isinstance(self.forward, DistributedDataParallel) and n + 1 < len(group):
                    stack.enter_context(self.forward.no_sync())
                with clock("loss"):
                    losses: Tensor = self.forward(batch, self.objective)
                culprits += [
                    id
                    for id, value in zip(batch.ids, losses.tolist(), strict=True)
                    if batch.weight and not math.isfinite(value)
                ]
                # DistributedDataParallel takes the mean over processes of what must be a sum.
                scale = batch.weight * run.workers.world / utterances
                with clock("backward"):
                    (losses.sum() * scale).backward()
                total += float(losses.detach().sum()) * batch.weight
                stack.close()
        with clock("step"):
            if self.noise is not None:
                self.noise.add_gradients()
            norm = clip_gradient(self.trained, phase)
            # Whoever alone skipped an update would go on with other weights than the rest.
            failed = not math.isfinite(float(norm)) or not math.isfinite(total)
            if run.workers.any([failed])[0]:
                limit = min(run.experiment.training.nonfinite_limit, max(self.updates_per_epoch, 2))
                culprits = run.workers.share(culprits)
                present = run.workers.share([id for b in group if b.weight for id in b.ids])
                skip_update(progress, culprits, present, float(norm), limit)
                return
            progress.skipped_in_row = 0
            for options in self.optimiser.param_groups:
                options["lr"] = self.rate()
            self.optimiser.step()
            progress.update += 1
            if self.ema is not None:
                self.ema.update(run.model)
        progress.loss_sum += total
        progress.utterances += sum(len(b.ids) for b in group if b.weight)
        progress.frames += sum(b.frames for b in group if b.weight)

    def _evaluate_epoch(self, epoch: int) -> DevScore:
        """Dev scores of the (averaged) weights, which are kept if they are the best so far."""
        run, phase, progress = self.owner, self.phase, self.owner.progress
        started = time.monotonic()
        with ExitStack() as stack:
            if self.ema is not None:
                stack.enter_context(self.ema.applied(run.model))
            score = run.evaluate()
            value = self._value(score)
            if phase.average > 1:
                self._keep_snapshot(value, epoch)
            if value < progress.best:
                progress.best, progress.best_epoch = value, epoch
                progress.stale = progress.stale_rate = 0
                self._keep_best(score)
            else:
                progress.stale += 1
                progress.stale_rate += 1
        if phase.decay == "halving" and progress.stale_rate >= phase.halving_patience:
            progress.halvings += 1
            progress.stale_rate = 0
        progress.seconds += time.monotonic() - started
        return score

    def _keep_best(self, score: DevScore) -> None:
        run = self.owner
        if not run.workers.first:
            return
        progress = run.progress
        metrics = {
            "dev_error_rate": score.error_rate,
            "dev_loss": score.loss,
            "phase": self.phase.name,
            "epoch": progress.epochs_done + 1,
            "minutes": round(progress.seconds / 60, 3),
            "protocol": run.experiment.training.protocol,
        }
        save_weights(run.folder / WEIGHTS, run.model.state_dict())
        write_json(run.folder / METRICS, metrics)

    def _snapshot(self, epoch: int) -> Path:
        return self.owner.folder / CHECKPOINTS / f"phase{self.number}-epoch{epoch}.safetensors"

    def _keep_snapshot(self, value: float, epoch: int) -> None:
        """Keep the weights of the `average` best epochs for the end of the phase."""
        progress = self.owner.progress
        ranked = sorted([*progress.kept, (value, epoch)])
        progress.kept = ranked[: self.phase.average]
        if not self.owner.workers.first:
            return
        if (value, epoch) in progress.kept:
            save_weights(self._snapshot(epoch), self.owner.model.state_dict())
        for _, dropped in ranked[self.phase.average :]:
            self._snapshot(dropped).unlink(missing_ok=True)

    def _average(self) -> None:
        """The average of the best epochs takes the best one's place if it is better on dev."""
        run = self.owner
        run.workers.barrier()
        paths = [self._snapshot(epoch) for _, epoch in run.progress.kept]
        run.model.load_state_dict(average_weights([load_weights(path) for path in paths]))
        score = run.evaluate()
        log.info("average of %d epochs: dev error %.2f %%", len(paths), 100 * score.error_rate)
        if self._value(score) < run.progress.best:
            run.progress.best = self._value(score)
            self._keep_best(score)

    def _affords_checkpoint(self) -> bool:
        """Whether checkpoints have taken little enough of the time; all processes must ask."""
        run = self.owner
        affords = run.writing <= CHECKPOINT_SHARE * (time.monotonic() - run.started)
        return run.workers.any([run.workers.first and affords])[0]

    def checkpoint(self) -> None:
        """Write everything that this run needs to go on; all processes must call it together."""
        run = self.owner
        totals = run.progress.summed(run.workers)
        if not run.workers.first:
            return
        started = time.monotonic()
        with run.clock("checkpoint"):
            state: dict[str, Any] = {
                "config": run.experiment.to_table(),
                "world": run.workers.world,
                "model": run.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            }
            if self.ema is not None:
                state["ema"] = self.ema.state_dict()
            if self.noise is not None:
                state["noise"] = self.noise.state_dict()
            save_checkpoint(run.folder / CHECKPOINTS, state, totals)
        run.writing += time.monotonic() - started


def rng_of(seed: Sequence[int]) -> np.random.Generator:
    """The generator that belongs to a place in the run, so that none has to be stored."""
    return np.random.default_rng(list(seed))
