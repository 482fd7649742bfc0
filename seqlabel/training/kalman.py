"""Training by the decoupled extended Kalman filter (Puskorius & Feldkamp 1994).

The weights are the state of a system and the outputs of the network its measurements, linearised
at the current weights. With H_g (M, n_g) the derivatives of M outputs y by the weights w_g of group
g, targets d, measurement noise R and process noise Q (variances),

    A = R I + Σ_g H_g P_g H_gᵀ
    K_g = P_g H_gᵀ A⁻¹,    w_g += K_g (d - y),    P_g += Q I - K_g H_g P_g

Weights of different groups are assumed to be uncorrelated (decoupled). A group holds the weights
that lead into one unit, as in Pérez-Ortiz, Gers, Eck & Schmidhuber 2003, who train LSTM networks.
They truncate H; here it is exact, through the whole sequence. The outputs of all utterances of a
batch are measurements of one update (multi-stream training, Feldkamp & Puskorius 1998).

Probabilities have no constant measurement noise. With the covariance of the targets according to
the network in place of R I, the filter is the natural gradient of the likelihood (Ollivier 2018).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from seqlabel.data import Batch, make_batches
from seqlabel.data.batches import BatchPlan, padding_share
from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, MDLSTM
from seqlabel.models.model import Model
from seqlabel.training.method_options import KalmanPhase
from seqlabel.training.phase_record import PhaseRecord, Run, rng_of

GIB = 1 << 30

LEAST_DEVIATION = 1e-6
"""Of a target; below it, an output of this precision hardly depends on the weights."""


class KalmanLoop:
    """One phase of Kalman filter training."""

    def __init__(self, run: Run, number: int, phase: KalmanPhase) -> None:
        self.owner, self.number, self.phase = run, number, phase
        self.record = PhaseRecord(run, number, lambda: {"filter": self.filter.covariances})
        groups = unit_groups(run.model) if phase.groups == "units" else None
        self.updates = 1  # of an epoch
        self._check_memory(groups)
        self.filter = KalmanFilter(run.model.parameters(), phase.p0, groups)
        self.record.begin(self._load)

    def _load(self, state: Mapping[str, Any]) -> None:
        for covariance, saved in zip(self.filter.covariances, state["filter"], strict=True):
            covariance.copy_(saved)

    def _check_memory(self, groups: Tensor | None) -> None:
        """Raise InputError if the filter, or its largest update, would take too much memory."""
        run, phase = self.owner, self.phase
        weights = run.model.weight_count
        sizes = torch.tensor([weights]) if groups is None else groups.bincount()
        frames = 0
        for batch in self._batches(0):
            lengths = run.train.lengths[batch]
            most = int(lengths.max()) if not phase.frames else min(phase.frames, int(lengths.max()))
            frames = max(frames, len(batch) * most)
        outputs = frames * run.model.criterion.output.out_features
        filtered = 8 * int((sizes.double() ** 2).sum())
        measured = 8 * outputs * (5 * weights + 3 * outputs)
        if filtered + measured > phase.memory * GIB:
            way = "groups = 'units'" if groups is None else "a smaller model.hidden"
            if measured > filtered:
                way = "smaller frames or batches.frames"
            raise InputError(
                f"phase {phase.name}: the Kalman filter of {weights:,} weights takes "
                f"{filtered / GIB:.1f} GiB and its update from {outputs:,} outputs "
                f"{measured / GIB:.1f} GiB, more than memory = {phase.memory:g}; set {way}, or "
                "method = 'gradient'"
            )

    def _batches(self, epoch: int) -> BatchPlan:
        run = self.owner
        seed = (run.experiment.seed, self.number, epoch)
        return make_batches(run.train.lengths, run.experiment.batches, rng_of(seed))

    def run(self) -> None:
        """Run the remaining epochs."""
        while not self.record.over():
            self._epoch(self.owner.progress.epoch)
            score = self.record.evaluate()
            self.record.end_epoch(score, 1 / self.noises()[0])
        self.record.end_phase()

    def noises(self) -> tuple[float, float]:
        """Measurement noise R and process noise Q of the next update."""
        phase, progress = self.phase, self.owner.progress
        if phase.annealing:
            done = min(1.0, progress.update / phase.annealing)
        else:
            done = (progress.epoch + progress.batch / self.updates) / phase.epochs

        def fall(start: float, end: float) -> float:
            return start * (end / start) ** done if start else 0.0

        return (
            fall(phase.measurement_noise, phase.final_measurement_noise),
            fall(phase.process_noise, phase.final_process_noise),
        )

    def _epoch(self, epoch: int) -> None:
        run, progress, workers = self.owner, self.owner.progress, self.owner.workers
        seed = (run.experiment.seed, self.number, epoch)
        batches = self._batches(epoch)
        self.updates = len(batches)
        self.record.start_epoch(len(batches), padding_share(batches, run.train.lengths))
        run.model.eval()
        for number in range(progress.batch, len(batches)):
            with run.clock("data"):
                batch = run.train.batch(batches[number], seed).to(workers.device)
            self._update(batch)
            self.record.end_update(number)

    def _update(self, batch: Batch) -> None:
        """Update the filter from a batch, at once or `frames` frames at a time.

        All processes compute the same: sending the result would cost more than it saves.
        """
        run, progress, clock = self.owner, self.owner.progress, self.owner.clock
        longest = int(batch.lengths.max())
        stretch = self.phase.frames or longest
        for start in range(0, longest, stretch):
            with clock("loss"):
                found, expected, loss = measure(run.model, batch, start, start + stretch)
            if not len(found):
                continue
            with clock("backward"):
                derivatives = jacobian(found, self.filter.weights)
            with clock("step"):
                if not bool(torch.isfinite(derivatives).all() & torch.isfinite(found).all()):
                    raise InputError(
                        f"{batch.ids[0]}: the outputs or their derivatives are not finite; raise "
                        "measurement_noise, or lower p0"
                    )
                innovation = (expected - found).detach()
                if self.phase.noise == "relative":
                    deviations = run.model.criterion.deviations(found.detach())
                    derivatives, innovation = relative(derivatives, innovation, deviations)
                self.filter.update(derivatives, innovation, *self.noises())
            progress.update += 1
        if run.workers.first:  # every process has seen the whole batch
            progress.loss_sum += loss
            progress.utterances += len(batch.ids)
            progress.frames += batch.frames


def measure(model: Model, batch: Batch, start: int, end: int) -> tuple[Tensor, Tensor, float]:
    """Outputs (M,) of the frames start ... end - 1, their targets, and the loss of the whole batch.

    Outputs without a target are left out.
    """
    with plain_operations(model):
        encoded, lengths = model.encoder(batch.x, batch.lengths, batch.elapsed, batch.heights)
        fitting = model.criterion.fitting(encoded, lengths, batch)
        with torch.no_grad():
            loss = float(model.criterion.losses(encoded, lengths, batch).double().sum())
        known = fitting.known[:, start:end]
        read = model.criterion.read(encoded, lengths)[:, start:end]
        found = model.criterion.squash(model.criterion.output(read))
    return found[known], fitting.targets[:, start:end][known], loss


@contextmanager
def plain_operations(model: nn.Module) -> Iterator[None]:
    """Compute LSTM layers with operations that autograd can differentiate for many outputs."""
    layers = [layer for layer in model.modules() if isinstance(layer, LSTM | MDLSTM)]
    wanted = [layer.wanted_backend for layer in layers]
    for layer in layers:
        layer.backend = "reference"
    try:
        yield
    finally:
        for layer, backend in zip(layers, wanted, strict=True):
            layer.backend = backend


def jacobian(found: Tensor, weights: Sequence[nn.Parameter]) -> Tensor:
    """H (M, W) float64: derivatives of outputs (M,) by all W weights."""
    each = torch.eye(len(found), dtype=found.dtype, device=found.device)
    gradients = torch.autograd.grad(found, weights, each, is_grads_batched=True, allow_unused=True)
    columns = [
        found.new_zeros(len(found), weight.numel()) if gradient is None else gradient.flatten(1)
        for gradient, weight in zip(gradients, weights, strict=True)
    ]
    return torch.cat(columns, dim=1).double()


def relative(derivatives: Tensor, innovation: Tensor, deviations: Tensor) -> tuple[Tensor, Tensor]:
    """H (M, W) and d - y (M,) in units of the deviations (M,) of the targets."""
    units = deviations.double().clamp(min=LEAST_DEVIATION)
    return derivatives / units[:, None], innovation / units


def unit_groups(model: nn.Module) -> Tensor:
    """(W,) the group of every weight, numbered from 0: the weights that lead into one unit.

    Each row of a module's weight matrix belongs to a unit: a gate or the cell input of an LSTM
    layer, an output of a linear layer. A matrix with fewer rows than the module has units leads
    into the last of them if it is `input`, which always has rows for the cell input, and into the
    first otherwise (`Cell.shapes`).
    """
    numbers, first = {}, 0
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False))
        if not own:
            continue
        units = max(_rows(name, weight) for name, weight in own.items())
        for name, weight in own.items():
            rows = _rows(name, weight)
            skipped = units - rows if name == "input" else 0
            row = torch.arange(rows).repeat_interleave(weight.numel() // rows)
            numbers[weight] = first + skipped + row
        first += units
    flat = torch.cat([numbers[weight] for weight in model.parameters()])
    _, groups = flat.unique(return_inverse=True)
    return groups


def _rows(name: str, weight: Tensor) -> int:
    """Number of units that a weight leads into; `peephole` (gates, N) has one entry per unit."""
    return weight.numel() if name == "peephole" else len(weight)


class KalmanFilter:
    """The filter of some weights. groups: (W,) group of each weight; None: one group for all.

    covariances: P of all groups of one size n as (G, n, n) float64, for each size. p0: initial
    diagonal of P.
    """

    def __init__(
        self, weights: Iterator[nn.Parameter], p0: float, groups: Tensor | None = None
    ) -> None:
        self.weights = [weight for weight in weights if weight.requires_grad]
        device = self.weights[0].device
        count = sum(weight.numel() for weight in self.weights)
        if groups is None:
            groups = torch.zeros(count, dtype=torch.int64)
        sizes = groups.bincount()
        order = groups.argsort(stable=True).split(sizes.tolist())
        self.places = [  # (G, n) indices of the weights of all groups of one size
            torch.stack([place for place in order if len(place) == n]).to(device)
            for n in sizes.unique().tolist()
        ]
        self.covariances = [
            p0 * torch.eye(n, dtype=torch.float64, device=device).repeat(number, 1, 1)
            for number, n in (place.shape for place in self.places)
        ]

    @torch.no_grad()
    def update(self, derivatives: Tensor, innovation: Tensor, noise: float, drift: float) -> None:
        """Update from derivatives H (M, W), innovation d - y (M,), noise R and drift Q."""
        each = [derivatives[:, place].permute(1, 0, 2) for place in self.places]  # (G, M, n)
        products = [h @ p for h, p in zip(each, self.covariances, strict=True)]  # H_g P_g
        total = noise * torch.eye(len(derivatives), dtype=torch.float64, device=derivatives.device)
        for h, hp in zip(each, products, strict=True):
            total += torch.einsum("gmn,gkn->mk", hp, h)
        factor, failed = torch.linalg.cholesky_ex(total)
        if failed:
            raise InputError(
                "Kalman filter: its covariance is no longer positive definite; raise "
                "measurement_noise or process_noise, or lower p0"
            )
        weighted = torch.cholesky_solve(innovation.double()[:, None], factor)[:, 0]  # A⁻¹ (d - y)
        step = torch.zeros(derivatives.shape[1], dtype=torch.float64, device=derivatives.device)
        for place, p, hp in zip(self.places, self.covariances, products, strict=True):
            step[place] = weighted @ hp
            half = torch.linalg.solve_triangular(factor, hp, upper=False)
            p -= half.mT @ half  # P Hᵀ A⁻¹ H P
            p.copy_((p + p.mT) / 2)  # rounding makes it slightly asymmetric
            p.diagonal(dim1=1, dim2=2).add_(drift)
        start = 0
        for weight in self.weights:
            weight.add_(step[start : start + weight.numel()].view_as(weight))
            start += weight.numel()
