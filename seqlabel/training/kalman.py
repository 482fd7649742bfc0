"""Training by the decoupled extended Kalman filter (Puskorius & Feldkamp 1994).

Weights are the state of a system, the outputs of the network its measurements, linearised about the
weights of the moment. With H_g (M, n_g) the derivatives of M outputs y by the weights w_g of group
g, targets d, and variances R of the measurements and Q of the weights' own drift,

    A = R I + Σ_g H_g P_g H_gᵀ
    K_g = P_g H_gᵀ A⁻¹,    w_g += K_g (d - y),    P_g += Q I - K_g H_g P_g

Weights of different groups are taken as uncorrelated (decoupled): with a group for each unit, all
the weights that lead into it, as Pérez-Ortiz, Gers, Eck & Schmidhuber 2003 train LSTM. H is exact
here, through all of the sequence, where they truncate it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from seqlabel.data import Batch, make_batches
from seqlabel.data.batches import BatchPlan, padding_share
from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.models.model import Model
from seqlabel.training.method_options import KalmanPhase
from seqlabel.training.phase_record import PhaseRecord, Run, rng_of

GIB = 1 << 30


class KalmanLoop:
    """One phase of Kalman filter training."""

    def __init__(self, run: Run, number: int, phase: KalmanPhase) -> None:
        self.owner, self.number, self.phase = run, number, phase
        self.record = PhaseRecord(run, number, lambda: {"filter": self.filter.covariances})
        groups = unit_groups(run.model) if phase.groups == "units" else None
        self._check_memory(groups)
        self.filter = KalmanFilter(run.model.parameters(), phase.p0, groups)
        self.record.begin(self._load)

    def _load(self, state: Mapping[str, Any]) -> None:
        for covariance, saved in zip(self.filter.covariances, state["filter"], strict=True):
            covariance.copy_(saved)

    def _check_memory(self, groups: Tensor | None) -> None:
        """Raise InputError where the filter, or an update from the longest batch, is too large."""
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
            way = "groups = 'units'" if groups is None else "a smaller network"
            if measured > filtered:
                way = "frames or batches.frames"
            raise InputError(
                f"phase {phase.name}: the Kalman filter of {weights:,} weights takes "
                f"{filtered / GIB:.1f} GiB, its update from {outputs:,} outputs "
                f"{measured / GIB:.1f} GiB, more than memory = {phase.memory:g}: take {way}, or "
                "method = 'gradient'"
            )

    def _batches(self, epoch: int) -> BatchPlan:
        run = self.owner
        seed = (run.experiment.seed, self.number, epoch)
        return make_batches(run.train.lengths, run.experiment.batches, rng_of(seed))

    def run(self) -> None:
        """All epochs that are left."""
        while not self.record.over():
            self._epoch(self.owner.progress.epoch)
            score = self.record.evaluate()
            self.record.end_epoch(score, 1 / self.noises()[0])
        self.record.check_kept()

    def noises(self) -> tuple[float, float]:
        """R and Q of the next update."""
        phase = self.phase
        done = min(1.0, self.owner.progress.update / phase.annealing)

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
        self.record.start_epoch(len(batches), padding_share(batches, run.train.lengths))
        run.model.eval()
        for number in range(progress.batch, len(batches)):
            with run.clock("data"):
                batch = run.train.batch(batches[number], seed).to(workers.device)
            self._update(batch)
            self.record.end_update(number)

    def _update(self, batch: Batch) -> None:
        """The measurements of a batch, all of them or stretch by stretch; the same in each process.

        What one process alone computed would have to be sent to all.
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
                self.filter.update(derivatives, expected - found, *self.noises())
            progress.update += 1
        if run.workers.first:  # every process has seen the whole batch
            progress.loss_sum += loss
            progress.utterances += len(batch.ids)
            progress.frames += batch.frames


def measure(model: Model, batch: Batch, start: int, end: int) -> tuple[Tensor, Tensor, float]:
    """Outputs (M,) of the frames start ... end - 1 and their targets; the loss of the whole batch.

    What has no target is left out.
    """
    with plain_operations(model):
        encoded, lengths = model.encoder(batch.x, batch.lengths, batch.elapsed, batch.heights)
        fitting = model.criterion.fitting(encoded, lengths, batch)
        with torch.no_grad():
            loss = float(model.criterion.losses(encoded, lengths, batch).double().sum())
        known = fitting.known[:, start:end]
        found = model.criterion.squash(model.criterion.output(fitting.inputs[:, start:end]))
    return found[known], fitting.targets[:, start:end][known], loss


@contextmanager
def plain_operations(model: nn.Module) -> Iterator[None]:
    """Layers by operations that autograd can differentiate for many outputs at once."""
    layers = [layer for layer in model.modules() if isinstance(layer, LSTM)]
    wanted = [layer.wanted_backend for layer in layers]
    for layer in layers:
        layer.backend = "reference"
    try:
        yield
    finally:
        for layer, backend in zip(layers, wanted, strict=True):
            layer.backend = backend


def jacobian(found: Tensor, weights: Sequence[nn.Parameter]) -> Tensor:
    """H (M, W) float64: derivatives of outputs (M,) by all numbers of the weights."""
    each = torch.eye(len(found), dtype=found.dtype, device=found.device)
    gradients = torch.autograd.grad(found, weights, each, is_grads_batched=True, allow_unused=True)
    columns = [
        found.new_zeros(len(found), weight.numel()) if gradient is None else gradient.flatten(1)
        for gradient, weight in zip(gradients, weights, strict=True)
    ]
    return torch.cat(columns, dim=1).double()


def unit_groups(model: nn.Module) -> Tensor:
    """(W,) the group of every weight, numbered from 0: weights that lead into one unit share it.

    The rows of a module's weights are units (gates and cells of a layer, outputs of a linear one);
    where a weight has fewer rows than the module has units, it is of the last ones for `input`,
    which the cell input always has, and else of the first (`Cell.shapes`).
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
    """Units that a weight leads into; a peephole (gates, N) has a number for each of its units."""
    return weight.numel() if name == "peephole" else len(weight)


class KalmanFilter:
    """The filter of some weights. groups: (W,) of each of their numbers, one for all where None.

    covariances: P of the groups of each size, (G, n, n) float64; p0: their diagonal at first.
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
        self.places = [  # (G, n) where in W the weights of the groups of one size are
            torch.stack([place for place in order if len(place) == n]).to(device)
            for n in sizes.unique().tolist()
        ]
        self.covariances = [
            p0 * torch.eye(n, dtype=torch.float64, device=device).repeat(number, 1, 1)
            for number, n in (place.shape for place in self.places)
        ]

    @torch.no_grad()
    def update(self, derivatives: Tensor, innovation: Tensor, noise: float, drift: float) -> None:
        """Take in measurements: H (M, W), target - output (M,), their variance R, and Q."""
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
            p.copy_((p + p.mT) / 2)  # rounding leaves the two halves apart
            p.diagonal(dim1=1, dim2=2).add_(drift)
        start = 0
        for weight in self.weights:
            weight.add_(step[start : start + weight.numel()].view_as(weight))
            start += weight.numel()
