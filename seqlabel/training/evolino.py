"""Evolino: the recurrent cells are evolved, the output weights fitted by least squares.

Schmidhuber, Wierstra, Gagliolo & Gomez 2007, with Enforced SubPopulations (Gomez & Miikkulainen
1999): each cell has its own population, whose candidates hold the weights that lead into the cell.
In each generation, networks are assembled from random candidates and run on the sequences. The
output weights of a network minimise the squared error on the frames after `washout`,

    W = D Φ⁺

with Φ the outputs of the cells above a row of ones, and D the targets. In the variant Evoke they
come from a support vector regression. The error of the network, optionally while it runs on its
own predictions, is the fitness of all its cells. The best candidates of each cell are kept; the
others are replaced by copies of these with Cauchy noise. After a number of generations without
progress, all candidates are drawn anew around the cells of the best network (burst mutation).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.lstm.cell import Cell, is_timed
from seqlabel.lstm.reference import State
from seqlabel.lstm.weights import Direction, Weights
from seqlabel.models.free_run import Feedback, free_error
from seqlabel.models.network import Encoder
from seqlabel.training.evaluation import DevScore
from seqlabel.training.evolino_networks import (
    Genes,
    Networks,
    import_svr,
    least_squares,
    support_vectors,
    with_ones,
)
from seqlabel.training.method_options import EvolinoPhase
from seqlabel.training.phase_record import PhaseRecord, Run, rng_of

WORST = 1e30
"""The error assigned to a network whose error is not finite."""


class EvolinoLoop:
    """One phase of Evolino; an epoch is a generation."""

    def __init__(self, run: Run, number: int, phase: EvolinoPhase) -> None:
        self.owner, self.number, self.phase = run, number, phase
        self.record = PhaseRecord(run, number, self._state, self._measure)
        self.layer = single_layer(run, phase)
        self.feedback = Feedback.of(run.model, run.train.front_end) if phase.free_run else None
        if phase.readout == "svr":
            import_svr()
        self.direction = cast(Direction, self.layer.layers[0][0])  # type: ignore[index]
        self.genes = Genes(self.direction)
        self.sequences = read_sequences(run, phase)
        self.candidates, self.best = self._first(), math.inf
        self.champion, self.waiting = self.candidates[:, 0].clone(), 0
        self._score: DevScore | None = None
        self.record.begin(self._load)

    def _state(self) -> dict[str, Any]:
        return {
            "candidates": self.candidates,
            "champion": self.champion,
            "best": self.best,
            "waiting": self.waiting,
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        self.candidates, self.champion = state["candidates"], state["champion"]
        self.best, self.waiting = state["best"], state["waiting"]

    def _first(self) -> Tensor:
        """(H, n, G) initial candidates; in a later phase, one of each cell is the cell so far."""
        size = (self.layer.hidden_size, self.phase.population, self.genes.length)
        uniform = torch.from_numpy(self._rng(0).uniform(-1, 1, size)).float()
        scale = self.genes.scale(self.phase.input_scale)
        bias = self.owner.experiment.model.forget_bias or 0.0
        candidates = self.genes.centre(bias)[:, None] + self.phase.initial * scale * uniform
        if self.number or self.owner.experiment.initial:
            candidates[:, 0] = self.genes.read(self.direction).cpu()
        return candidates

    def _rng(self, *place: int) -> np.random.Generator:
        return rng_of((self.owner.experiment.seed, self.number, *place))

    def run(self) -> None:
        """Run the remaining generations."""
        record, progress = self.record, self.owner.progress
        self.owner.model.eval()
        while not record.over():
            record.start_epoch(1)
            if not progress.batch:  # otherwise the run was stopped after the generation
                self._generation(progress.epoch)
                record.end_update(0)
            record.end_epoch(record.evaluate(), self.phase.mutation)
        record.end_phase()

    def _generation(self, generation: int) -> None:
        """Assemble networks from random candidates, measure them, and breed the next candidates."""
        run, phase = self.owner, self.phase
        rng = self._rng(1, generation)
        cells, n, _ = self.candidates.shape
        order = np.tile(np.arange(n), (phase.trials, cells, 1))
        places = torch.from_numpy(rng.permuted(order, axis=2))  # candidate of each cell, network
        each = torch.arange(cells)[:, None]
        errors = np.zeros((phase.trials, n))
        with run.clock("loss"):
            for trial in range(run.workers.rank, phase.trials, run.workers.world):
                networks = self.candidates[each, places[trial]].transpose(0, 1)
                errors[trial] = self.errors(networks)
            errors = np.reshape(run.workers.sum(errors.ravel().tolist()), errors.shape)
        trial, network = divmod(int(errors.argmin()), n)
        self.waiting += 1
        if errors[trial, network] < self.best:
            self.best, self.waiting = float(errors[trial, network]), 0
            self.champion = self.candidates[each[:, 0], places[trial, :, network]].clone()
            self._install()
        with run.clock("step"):
            fitness = torch.zeros(cells, n, dtype=torch.float64)
            # logarithms, so that one unstable network does not decide the fitness of its cells
            worth = torch.from_numpy(errors.clip(min=1e-300)).log()
            for row, place in zip(worth, places, strict=True):
                fitness.scatter_add_(1, place, row.expand(cells, n))
            self._breed(fitness, rng)
        run.progress.update += phase.trials * n
        if run.workers.first:
            run.progress.loss_sum += self.best
            run.progress.utterances += 1
            run.progress.frames += phase.trials * n * int(run.train.lengths.sum())

    def _breed(self, errors: Tensor, rng: np.random.Generator) -> None:
        """Replace the candidates by the next ones, given the errors (H, n) of the current ones."""
        phase, (cells, n, length) = self.phase, self.candidates.shape

        def noise(number: int) -> Tensor:
            drawn = torch.from_numpy(rng.standard_cauchy((cells, number, length))).float()
            return phase.mutation * self.genes.scale(phase.input_scale) * drawn

        if phase.burst and self.waiting and self.waiting % phase.burst == 0:
            self.candidates = self.champion[:, None] + noise(n)
            self.candidates[:, 0] = self.champion
            return
        parents = min(max(1, round(phase.parents * n)), n - 1)
        order = errors.argsort(dim=1, stable=True)[:, :, None].expand(-1, -1, length)
        self.candidates = self.candidates.gather(1, order)
        chosen = torch.arange(n - parents) % parents
        self.candidates[:, parents:] = self.candidates[:, chosen] + noise(n - parents)

    def errors(self, networks: Tensor) -> np.ndarray:
        """(P,) mean squared error of networks (P, H, G), in the units of the output layer."""
        trials = Trial(self, self.genes.weights(networks.to(self.owner.workers.device)))
        squares = trials.free_errors() if self.phase.free_run else trials.fitted_errors()
        return np.nan_to_num(squares.cpu().numpy(), nan=WORST, posinf=WORST).clip(max=WORST)

    def _install(self) -> None:
        """Copy the cells of the best network and their fitted output weights into the model."""
        self._score = None
        champion = self.champion[None].to(self.owner.workers.device)
        readout = Trial(self, self.genes.weights(champion)).readout[0]
        output = self.owner.model.criterion.output
        with torch.no_grad():
            self.genes.write(self.champion, self.direction)
            output.weight.copy_(readout[:-1].T)
            output.bias.copy_(readout[-1])

    def _measure(self) -> DevScore:
        """Dev scores; with `free_run`, the error rate is that of the free runs on dev."""
        if self._score is None:
            self._score = self.owner.evaluate()
            if self.phase.free_run:
                with self.owner.clock("evaluate"):
                    error = self._free_error()
                self._score = replace(self._score, error_rate=error)
        return self._score

    def _free_error(self) -> float:
        """Normalised root mean squared error of free runs over the last frames of each dev item."""
        run, steps = self.owner, self.phase.free_run
        assert self.feedback is not None
        squares, values = 0.0, 0.0
        for n in range(run.workers.rank, len(run.dev), run.workers.world):
            batch = run.dev.batch([n]).to(run.workers.device)
            if int(batch.lengths[0]) <= steps:
                raise InputError(
                    f"{batch.ids[0]}: {int(batch.lengths[0])} frames, but a free run of {steps} "
                    "needs at least one frame before it; lower free_run"
                )
            more = free_error(run.model, self.feedback, batch, steps)
            squares, values = squares + more[0], values + more[1]
        squares, values = run.workers.sum([squares, values])
        return math.sqrt(squares / values)


def single_layer(run: Run, phase: EvolinoPhase) -> LSTM:
    """The layer whose cells are evolved; InputError if the network is not a single plain layer."""
    encoder = run.model.encoder
    layer = encoder.lower if isinstance(encoder, Encoder) else None
    options = run.experiment.model
    fits = layer is not None and layer.num_layers == 1 and not layer.bidirectional
    cell = layer.cell if layer is not None else None
    plain = not isinstance(cell, Cell) or (cell.block_size == 1 and not cell.projection)
    if layer is None or not fits or options.subsample > 1 or not plain or is_timed(layer.cell):
        raise InputError(
            f"phase {phase.name}: evolino needs one unidirectional layer without blocks, "
            "projection, decay or subsampling; set model.layers = 1, model.bidirectional = false"
        )
    return layer


class Sequences(NamedTuple):
    """N training utterances of one length."""

    x: Tensor  # (N, T, F) inputs of the network
    targets: Tensor  # (N, T, D) in the units of the output layer
    fitted: Tensor  # (N, T) bool: frames to which the output weights are fitted


def read_sequences(run: Run, phase: EvolinoPhase) -> list[Sequences]:
    """The training set, grouped by length."""
    lengths = run.train.lengths
    shortest = phase.washout + phase.free_run + 2
    short = np.flatnonzero(lengths < shortest)
    if len(short):
        raise InputError(
            f"{run.train.utterance(int(short[0])).id}: {lengths[short[0]]} frames, none of which "
            "remain to fit after washout and free_run; lower these"
        )
    sequences = []
    for length in np.unique(lengths):
        batch = run.train.batch(np.flatnonzero(lengths == length).tolist())
        batch = batch.to(run.workers.device)
        empty = batch.x.new_zeros(*batch.x.shape[:2], run.model.encoder.output_size)
        fitting = run.model.criterion.fitting(empty, batch.lengths, batch)
        fitted = fitting.known.all(dim=2)
        fitted[:, : phase.washout] = False
        if phase.free_run:  # the target of the frame before is the first frame of the free run
            fitted[:, length - phase.free_run - 1 :] = False
        sequences.append(Sequences(batch.x, fitting.targets, fitted))
    if not any(bool(part.fitted.any()) for part in sequences):
        raise InputError(f"phase {phase.name}: no frame after washout has a target; lower washout")
    return sequences


class Trial:
    """P networks on the training set: outputs of their cells, and fitted output weights.

    weights: those of all P layers, each with a leading axis P.
    """

    def __init__(self, owner: EvolinoLoop, weights: Weights) -> None:
        self.phase, self.sequences, self.feedback = owner.phase, owner.sequences, owner.feedback
        self.networks = Networks(owner.layer.cell, weights, owner.layer.hidden_size)
        self.states: list[State] = []
        self.outputs: list[Tensor] = []  # (P, N, T, H) read of each frame before the free run
        criterion = owner.owner.model.criterion
        for part in self.sequences:
            read = part.x[:, : part.x.shape[1] - self.phase.free_run]
            y, state = self.networks.run(read)
            lengths = torch.full((y.shape[0] * y.shape[1],), y.shape[2])
            self.outputs.append(criterion.read(y.flatten(0, 1), lengths).view_as(y))
            self.states.append(state)
        self.readout = self._readout()

    def _readout(self) -> Tensor:
        """(P, H + 1, D) output weights, the bias last."""
        pairs = zip(self.outputs, self.sequences, strict=True)
        rows = torch.cat([y[:, part.fitted[:, : y.shape[2]]] for y, part in pairs], dim=1)
        targets = torch.cat([part.targets[part.fitted] for part in self.sequences])
        if self.phase.readout == "svr":
            found = support_vectors(rows, targets, self.phase.epsilon, self.phase.penalty)
        else:
            found = least_squares(rows, targets)
        return found.float()  # the precision of the model

    def fitted_errors(self) -> Tensor:
        """(P,) mean squared error of the fitted frames."""
        total, count = self.readout.new_zeros(len(self.readout), dtype=torch.float64), 0
        for y, part in zip(self.outputs, self.sequences, strict=True):
            errors = (with_ones(y) @ self.readout[:, None] - part.targets).double() ** 2
            chosen = errors[:, part.fitted]
            total, count = total + chosen.sum(dim=(1, 2)), count + chosen[0].numel()
        return total / count

    def free_errors(self) -> Tensor:
        """(P,) mean squared error of the last frames, where the inputs are predictions."""
        assert self.feedback is not None
        total, count = self.readout.new_zeros(len(self.readout), dtype=torch.float64), 0
        for y, state, part in zip(self.outputs, self.states, self.sequences, strict=True):
            h = y[:, :, -1]
            first = y.shape[2] - 1  # its prediction is the first input of the free run
            for t in range(first, first + self.phase.free_run):
                found = with_ones(h) @ self.readout
                errors = (found - part.targets[:, t]).double() ** 2
                total, count = total + errors.sum(dim=(1, 2)), count + errors[0].numel()
                state = self.networks.step(self.feedback(found), state)
                h = state[0]
        return total / count
