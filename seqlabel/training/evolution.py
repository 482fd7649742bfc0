"""Evolution strategies: training from the objective at perturbed weights, without its gradient.

Salimans et al. 2017 (algorithm 2), after Rechenberg 1973 and Wierstra et al. 2008. They minimise
the expectation over Gaussian perturbations of the weights,

    J(θ) = E f(θ + σε),  ε ~ N(0, I),    ∇J ≈ 1/(nσ) Σ_i u_i ε_i

where u_i is the centred f(θ + σε_i), or its centred rank, which is robust against outliers. f need
not be smooth: it may be the label error rate. Each perturbation is drawn from a seed that all
processes know, so they only exchange one number per network. All take the same step, bit for bit,
for any number of processes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from seqlabel.data import Batch, make_batches
from seqlabel.data.batches import padding_share
from seqlabel.data.loader import Prefetcher
from seqlabel.errors import InputError
from seqlabel.scoring.protocols import get_protocol
from seqlabel.training.evaluation import scored_labels
from seqlabel.training.method_options import EvolutionPhase
from seqlabel.training.phase_record import PhaseRecord, Run, rng_of


class EvolutionLoop:
    """One phase of evolution strategies."""

    def __init__(self, run: Run, number: int, phase: EvolutionPhase) -> None:
        self.owner, self.number, self.phase = run, number, phase
        self.record = PhaseRecord(run, number, lambda: {"optimiser": self.optimiser.state_dict()})
        evolved = run.model if phase.weights == "all" else run.model.criterion.output
        self.weights = [weight for weight in evolved.parameters() if weight.requires_grad]
        self.optimiser: torch.optim.Optimizer
        if phase.optimiser == "sgd":
            self.optimiser = torch.optim.SGD(self.weights, phase.learning_rate, phase.momentum)
        else:
            self.optimiser = torch.optim.Adam(self.weights, phase.learning_rate)
        self.record.begin(self._load)

    def _load(self, state: Mapping[str, Any]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])

    def run(self) -> None:
        """Run the remaining epochs."""
        while not self.record.over():
            self._epoch(self.owner.progress.epoch)
            score = self.record.evaluate()
            self.record.end_epoch(score, self.phase.learning_rate)
        self.record.end_phase()

    def _epoch(self, epoch: int) -> None:
        run, first = self.owner, self.owner.progress.batch
        seed = (run.experiment.seed, self.number, epoch)
        batches = make_batches(run.train.lengths, run.experiment.batches, rng_of(seed))
        self.record.start_epoch(len(batches), padding_share(batches, run.train.lengths))
        numbers = range(first, len(batches))
        with closing(Prefetcher(lambda n: run.train.batch(batches[n], seed), numbers)) as loader:
            prepared = iter(loader)
            for number in numbers:
                with run.clock("data"):
                    batch = next(prepared).to(run.workers.device)
                self._update(batch, self._objective(batch, batches[number]), (*seed, number))
                self.record.end_update(number)

    def _update(self, batch: Batch, objective: Callable[[], float], seed: Sequence[int]) -> None:
        """One step, from the objective of each perturbed network on the batch, in all processes."""
        run, phase, progress = self.owner, self.phase, self.owner.progress
        noise = Perturbations(self.weights, phase.population, phase.antithetic, seed)
        with run.clock("loss"):
            values = noise.values(objective, phase.sigma, run.workers.rank, run.workers.world)
            # one process evaluates each network; the others have 0 for it
            values = np.array(run.workers.sum(values.tolist()))
        with run.clock("step"):
            shares = utilities(values, phase.shaping) / (phase.population * phase.sigma)
            for weight, gradient in zip(self.weights, noise.weighted(shares), strict=True):
                weight.grad = gradient
            self.optimiser.step()
        progress.update += 1
        if run.workers.first:  # every process has seen the whole batch
            progress.loss_sum += float(values.mean())
            progress.utterances += len(batch.ids)
            progress.frames += batch.frames

    def _objective(self, batch: Batch, chosen: Sequence[int]) -> Callable[[], float]:
        """A function that returns the model's total errors, or total loss in nats, on a batch."""
        run, model = self.owner, self.owner.model
        model.eval()
        inputs = batch.x, batch.lengths, batch.elapsed, batch.heights
        fixed = None
        if self.phase.weights == "output":  # the encoder's outputs stay the same
            with torch.inference_mode():
                fixed = model.encoder(*inputs)

        def encode() -> tuple[Tensor, Tensor]:
            return fixed or model.encoder(*inputs)

        if self.phase.objective == "loss":
            return lambda: float(model.criterion.losses(*encode(), batch).double().sum())
        protocol, alphabet = get_protocol(run.experiment.training.protocol), run.train.alphabet
        utterances = [run.train.utterance(n) for n in chosen]
        references = [scored_labels(alphabet, protocol, u.id, u.labels) for u in utterances]

        def errors() -> float:
            hypotheses = model.criterion.best_labels(*encode())
            return sum(
                Levenshtein.distance(
                    expected, scored_labels(alphabet, protocol, id, alphabet.decode(labels))
                )
                for id, expected, labels in zip(batch.ids, references, hypotheses, strict=True)
            )

        return errors


class Perturbations:
    """n perturbations ε_i of some weights, drawn anew from their seeds instead of being stored.

    antithetic: ε_{2i+1} = -ε_{2i}. seed: determines the seeds of all of them.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], number: int, antithetic: bool, seed: Sequence[int]
    ) -> None:
        self.weights, self.number, self.antithetic = list(weights), number, antithetic
        drawn = number // 2 if antithetic else number
        self.seeds = rng_of([*seed, 0]).integers(2**62, size=drawn).tolist()

    def _drawn(self, place: int) -> list[Tensor]:
        """ε in the shapes of the weights, drawn on the CPU to be equal on all devices."""
        generator = torch.Generator().manual_seed(self.seeds[place])
        return [
            torch.randn(w.shape, generator=generator, dtype=w.dtype).to(w.device)
            for w in self.weights
        ]

    @torch.inference_mode()
    def values(
        self, objective: Callable[[], float], sigma: float, rank: int = 0, world: int = 1
    ) -> np.ndarray:
        """(n,) f(θ + σε_i) for the perturbations of process `rank` of `world`; 0 for the others.

        Afterwards the weights are what they were, bit for bit.
        """
        clean = [weight.clone() for weight in self.weights]
        values = np.zeros(self.number)
        for place in range(rank, len(self.seeds), world):
            noise = self._drawn(place)
            for sign in (1, -1) if self.antithetic else (1,):
                for weight, value, e in zip(self.weights, clean, noise, strict=True):
                    weight.copy_(value).add_(e, alpha=sign * sigma)
                member = 2 * place + (sign < 0) if self.antithetic else place
                values[member] = objective()
        for weight, value in zip(self.weights, clean, strict=True):
            weight.copy_(value)
        return values

    @torch.no_grad()
    def weighted(self, shares: np.ndarray) -> list[Tensor]:
        """Σ_i shares_i ε_i for each of the weights."""
        total = [torch.zeros_like(weight) for weight in self.weights]
        for place in range(len(self.seeds)):
            share = shares[place]
            if self.antithetic:
                share = shares[2 * place] - shares[2 * place + 1]
            if share:
                torch._foreach_add_(total, self._drawn(place), alpha=float(share))
        return total


def utilities(values: np.ndarray, shaping: str) -> np.ndarray:
    """u_i of n values of f: centred, or with "ranks" their ranks scaled to [-1/2, 1/2].

    Equal values have equal ranks; if all values are equal, the step is zero. A value that is not
    finite counts as the worst. Raises InputError if none is finite.
    """
    finite = np.isfinite(values)
    if not finite.any():
        raise InputError("evolution: no perturbed network has a finite objective; lower sigma")
    values = np.where(finite, values, values[finite].max())
    if shaping == "none":
        return values - values.mean()
    below = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    ranks = below + (equal - 1) / 2
    return ranks / (len(values) - 1) - 0.5
