"""Gradient descent: the epochs and updates of a phase."""

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seqlabel.data import Batch, make_batches
from seqlabel.data.batches import BatchPlan, padding_share, shard
from seqlabel.data.loader import Prefetcher
from seqlabel.models.label_prior import LabelPrior
from seqlabel.training.averaging import Ema, average_weights
from seqlabel.training.diagnosis import skip_update
from seqlabel.training.evaluation import DevScore
from seqlabel.training.noise import AdaptiveNoise, weight_noise
from seqlabel.training.objectives import make_objective, make_terms
from seqlabel.training.optimisers import clip_gradient, make_optimiser
from seqlabel.training.options import Phase
from seqlabel.training.phase_record import PhaseRecord, Run, rng_of
from seqlabel.training.run_directory import load_weights, save_weights
from seqlabel.training.schedule import learning_rate
from seqlabel.training.snapshots import snapshot
from seqlabel.training.teacher import teacher_of

log = logging.getLogger("seqlabel")


class PhaseLoop:
    """One phase: its optimiser, its averages, and the epochs."""

    def __init__(self, run: Run, number: int, phase: Phase) -> None:
        self.owner, self.number, self.phase = run, number, phase
        self.record = PhaseRecord(run, number, self._state)
        self.prior = None
        if phase.label_prior:
            self.prior = LabelPrior(len(run.train.alphabet), phase.label_prior)
        self.objective = make_objective(phase, self.prior)
        run.train.distortion = replace(run.train.distortion, noise=phase.input_noise)
        self.noise = None
        if phase.adaptive_noise:
            self.noise = AdaptiveNoise(run.model, phase.adaptive_noise, len(run.train))
        learned = [] if self.noise is None else list(self.noise.parameters())
        self.trained = [*run.model.parameters(), *learned]
        self.optimiser = make_optimiser(phase, run.model.parameters(), learned)
        self.ema = Ema(run.model, phase.ema) if phase.ema else None
        teacher = teacher_of(phase, run.teachers, run.model, self.ema)
        self.terms = make_terms(phase, run.experiment.model.layers, teacher, self.prior)
        self.record.begin(self._load)
        self.forward: nn.Module = run.model
        if run.workers.world > 1:
            self.forward = DistributedDataParallel(run.model)
        # Millions of utterances take seconds to arrange: the first epoch is arranged once.
        self._batches = lru_cache(1)(self._make_batches)
        self.updates_per_epoch = -(-len(self._batches(0)) // phase.accumulate)

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"optimiser": self.optimiser.state_dict()}
        if self.ema is not None:
            state["ema"] = self.ema.state_dict()
        if self.noise is not None:
            state["noise"] = self.noise.state_dict()
        if self.prior is not None:
            state["prior"] = self.prior.state_dict(self.owner.workers.share([self.prior.sums]))
        return state

    def _load(self, state: Mapping[str, Any]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        if self.noise is not None:
            self.noise.load_state_dict(state["noise"])
        if self.prior is not None:
            workers = self.owner.workers
            self.prior.load_state_dict(state["prior"], workers.rank, workers.world)

    def _make_batches(self, epoch: int) -> BatchPlan:
        run = self.owner
        seed = (run.experiment.seed, self.number, epoch)
        return make_batches(run.train.lengths, run.experiment.batches, rng_of(seed))

    def run(self) -> None:
        """All remaining epochs, then the average of the best ones."""
        record, phase, progress = self.record, self.phase, self.owner.progress
        while not record.over():
            self._epoch(progress.epoch)
            if self.prior is not None:
                self.prior.end_epoch(self.owner.workers.share([self.prior.sums]))
            score = self._evaluate_epoch(progress.epoch)
            record.end_epoch(score, self.rate())
        record.end_phase()
        if self.noise is not None:
            nats = self.noise.nats()
            log.info("%s: the weights cost %.0f nats, %.1f an utterance", phase.name, nats,
                     nats / self.noise.utterances)  # fmt: skip
        if phase.average > 1:
            self._average()

    def rate(self) -> float:
        """The learning rate of the next update."""
        progress = self.owner.progress
        return learning_rate(self.phase, progress.update, self.updates_per_epoch, progress.halvings)

    def _epoch(self, epoch: int) -> None:
        run, phase, progress, clock = self.owner, self.phase, self.owner.progress, self.owner.clock
        workers = run.workers
        seed = (run.experiment.seed, self.number, epoch)
        batches = self._batches(epoch)
        updates = -(-len(batches) // phase.accumulate)
        self.record.start_epoch(updates, padding_share(batches, run.train.lengths))

        def group_of(number: int) -> BatchPlan:
            return batches[number * phase.accumulate : (number + 1) * phase.accumulate]

        def make(number: int) -> list[Batch]:
            parts = [shard(batch, workers.rank, workers.world) for batch in group_of(number)]
            views = phase.consistency > 0, bool(phase.teacher)
            return [run.train.batch(part, seed, weight, *views) for part, weight in parts]

        run.model.train()
        first = progress.batch
        with closing(Prefetcher(make, range(first, updates))) as loader:
            prepared = iter(loader)
            for number in range(first, updates):
                with clock("data"):
                    group = [batch.to(workers.device) for batch in next(prepared)]
                self._update(group, int(group_of(number).sizes.sum()), (*seed, number))
                self.record.end_update(number)

    def _update(self, group: Sequence[Batch], utterances: int, seed: Sequence[int]) -> None:
        """One update from the batches of `group`, this process's share of `utterances`."""
        progress = self.owner.progress
        self.optimiser.zero_grad(set_to_none=True)
        number = int(rng_of(seed).integers(2**62))
        torch.manual_seed(number + self.owner.workers.rank)
        total, culprits = self._gradients(group, utterances, number)
        with self.owner.clock("step"):
            if not self._step(group, total, culprits):
                return
        progress.loss_sum += total
        progress.utterances += sum(len(b.ids) for b in group if b.weight)
        progress.frames += sum(b.frames for b in group if b.weight)

    def _gradients(
        self, group: Sequence[Batch], utterances: int, number: int
    ) -> tuple[float, list[str]]:
        """Add up the gradients of all batches, with the weight noise of this number.

        Returns the sum of the losses, and the utterances whose loss is not finite.
        """
        phase, clock, world = self.phase, self.owner.clock, self.owner.workers.world
        total, culprits = 0.0, []
        noisy = weight_noise(self.owner.model, phase.weight_noise, number)
        if self.noise is not None:
            noisy = self.noise.drawn(number)
        with noisy, ExitStack() as stack:
            for n, batch in enumerate(group):
                if isinstance(self.forward, DistributedDataParallel) and n + 1 < len(group):
                    stack.enter_context(self.forward.no_sync())
                with clock("loss"):
                    losses: Tensor = self.forward(batch, self.objective, self.terms)
                culprits += [
                    id
                    for id, value in zip(batch.ids, losses.tolist(), strict=True)
                    if batch.weight and not math.isfinite(value)
                ]
                # DistributedDataParallel takes the mean over processes of what must be a sum.
                scale = batch.weight * world / utterances
                with clock("backward"):
                    (losses.sum() * scale).backward()
                total += float(losses.detach().sum()) * batch.weight
                stack.close()
        return total, culprits

    def _step(self, group: Sequence[Batch], total: float, culprits: list[str]) -> bool:
        """Change the weights; False, in all processes, if loss or gradient of one is not finite."""
        run, progress = self.owner, self.owner.progress
        if self.noise is not None:
            self.noise.add_gradients()
        norm = float(clip_gradient(self.trained, self.phase))
        # A process that skipped an update alone would continue with other weights than the rest.
        if run.workers.any([not math.isfinite(norm) or not math.isfinite(total)])[0]:
            limit = min(run.experiment.training.nonfinite_limit, max(self.updates_per_epoch, 2))
            culprits = run.workers.share(culprits)
            present = run.workers.share([id for b in group if b.weight for id in b.ids])
            skip_update(progress, culprits, present, norm, limit)
            return False
        progress.skipped_in_row = 0
        for options in self.optimiser.param_groups:
            options["lr"] = self.rate()
        self.optimiser.step()
        progress.update += 1
        if self.ema is not None:
            self.ema.update(run.model)
        return True

    def _evaluate_epoch(self, epoch: int) -> DevScore:
        """Dev scores of the (averaged) weights, which are kept if they are the best so far."""
        run, phase, progress = self.owner, self.phase, self.owner.progress
        with ExitStack() as stack:
            if self.ema is not None:
                stack.enter_context(self.ema.applied(run.model))
            score = self.record.evaluate()
            if phase.average > 1:
                self._keep_snapshot(self.record.value(score), epoch)
        if phase.decay == "halving" and progress.stale_rate >= phase.halving_patience:
            progress.halvings += 1
            progress.stale_rate = 0
        return score

    def _snapshot(self, epoch: int) -> Path:
        return snapshot(self.owner.folder, self.number, epoch)

    def _keep_snapshot(self, value: float, epoch: int) -> None:
        """Keep the weights of the `average` best epochs for the end of the phase.

        Those of other epochs are removed as soon as no checkpoint names them.
        """
        progress = self.owner.progress
        progress.kept = sorted([*progress.kept, (value, epoch)])[: self.phase.average]
        if not self.owner.workers.first:
            return
        if (value, epoch) in progress.kept:
            save_weights(self._snapshot(epoch), self.owner.model.state_dict())
        self.record.remove_snapshots()

    def _average(self) -> None:
        """The average of the best epochs takes the best one's place if it is better on dev."""
        run = self.owner
        run.workers.barrier()
        paths = [self._snapshot(epoch) for _, epoch in run.progress.kept]
        run.model.load_state_dict(average_weights([load_weights(path) for path in paths]))
        score = run.evaluate()
        log.info("average of %d epochs: dev error %.2f %%", len(paths), 100 * score.error_rate)
        if self.record.value(score) < run.progress.best:
            run.progress.best = self.record.value(score)
            self.record.keep(score, run.progress.epochs_done)
