"""The Kalman filter: what it is for linear networks, its derivatives, its groups."""

import numpy as np
import pytest
import torch
from torch import nn

from seqlabel.data import Batch
from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.models.framewise import Framewise
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.models.pyramid import PyramidOptions
from seqlabel.models.regression import Regression
from seqlabel.training.kalman import KalmanFilter, jacobian, measure, relative, unit_groups


def linear_data(samples: int, inputs: int, outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(samples, inputs, generator=generator, dtype=torch.float64)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    noise = torch.randn(samples, outputs, generator=generator, dtype=torch.float64)
    return x, x @ weight.T + 0.1 * noise


def filtered(
    groups: str, stretch: int, streams: int
) -> tuple[nn.Linear, KalmanFilter, list[torch.Tensor]]:
    """A linear network after one pass over the data.

    Consecutive parts of the data are `streams` that are read side by side, `stretch` samples of
    each in an update.
    """
    x, y = linear_data(40, 5, 3)
    torch.manual_seed(0)
    network = nn.Linear(5, 3, bias=False, dtype=torch.float64)
    first = network.weight.detach().clone()
    kalman = KalmanFilter(
        network.parameters(), 50.0, unit_groups(network) if groups == "units" else None
    )
    inputs, targets = x.unflatten(0, (streams, -1)), y.unflatten(0, (streams, -1))
    for start in range(0, inputs.shape[1], stretch):
        found = network(inputs[:, start : start + stretch]).flatten()
        target = targets[:, start : start + stretch].flatten()
        kalman.update(jacobian(found, kalman.weights), target - found.detach(), 2.0, 0.0)
    return network, kalman, [x, y, first]


@pytest.mark.parametrize("groups", ["units", "all"])
@pytest.mark.parametrize(("stretch", "streams"), [(1, 1), (7, 1), (40, 1), (1, 5), (3, 8)])
def test_of_a_linear_network_it_is_regularised_least_squares(groups, stretch, streams):
    """w = argmin |y - W x|² / R + |W - W_0|² / p0, and P its covariance, whatever the order.

    The units of one linear layer have no weights in common, so that decoupling loses nothing.
    """
    network, kalman, (x, y, first) = filtered(groups, stretch, streams)
    precision = x.T @ x / 2.0 + torch.eye(5, dtype=torch.float64) / 50.0
    expected = torch.linalg.solve(precision, x.T @ y / 2.0 + first.T / 50.0).T
    assert torch.allclose(network.weight, expected, atol=1e-10)
    covariance = torch.linalg.inv(precision)
    if groups == "units":
        assert torch.allclose(kalman.covariances[0], covariance.expand(3, 5, 5), atol=1e-10)
    else:
        whole = torch.block_diag(*[covariance] * 3)
        assert torch.allclose(kalman.covariances[0][0], whole, atol=1e-10)


def test_without_a_prior_it_is_least_squares_of_numpy():
    x, y = linear_data(60, 4, 2)
    network = nn.Linear(4, 2, bias=False, dtype=torch.float64)
    kalman = KalmanFilter(network.parameters(), 1e8, unit_groups(network))
    found = network(x).flatten()
    kalman.update(jacobian(found, kalman.weights), y.flatten() - found.detach(), 1.0, 0.0)
    expected, *_ = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)
    assert np.allclose(network.weight.detach().numpy(), expected.T, atol=1e-6)


def test_the_utterances_of_a_batch_are_measurements_of_one_update():
    """The slow twin: each utterance alone, without padding, and their H and d - y stacked."""
    torch.manual_seed(4)
    options = ModelOptions(hidden=3, layers=1, bidirectional=False)
    model = Model(2, 2, options, {"kind": "regression", "loss": "bernoulli", "size": 2})
    lengths = (6, 2, 4)
    series = [torch.randn(length, 2) for length in lengths]
    targets = [torch.rand(length, 2).round() for length in lengths]

    def batch(chosen: list[int]) -> Batch:
        x, values = (
            nn.utils.rnn.pad_sequence([source[n] for n in chosen], batch_first=True)
            for source in (series, targets)
        )
        none = torch.zeros(len(chosen), dtype=torch.int64)
        ids = tuple(map(str, chosen))
        lens = torch.tensor([lengths[n] for n in chosen])
        return Batch(x, lens, none[:, None], none, ids, values=values)

    weights = list(model.parameters())
    for start, end in ((0, 6), (0, 3), (3, 6)):
        found, expected, loss = measure(model, batch([0, 1, 2]), start, end)
        alone = [measure(model, batch([n]), start, end) for n in range(3)]
        assert torch.allclose(found, torch.cat([y for y, _, _ in alone]), atol=1e-6)
        assert torch.equal(expected, torch.cat([d for _, d, _ in alone]))
        assert loss == pytest.approx(sum(each for _, _, each in alone), rel=1e-5)
        stacked = torch.cat([jacobian(y, weights) for y, _, _ in alone if len(y)])
        assert torch.allclose(jacobian(found, weights), stacked, atol=1e-6)


def test_derivatives_of_cells_over_pixels_are_those_of_finite_differences():
    torch.manual_seed(0)
    shape = PyramidOptions(cells=(2,), tanh=(), blocks=((1, 2),))
    options = ModelOptions(encoder="mdlstm", mdlstm=shape)
    model = Model(4, 3, options, {"kind": "framewise"}).double()
    batch = Batch(
        torch.rand(1, 5, 4, dtype=torch.float64), torch.tensor([5]),
        torch.ones(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64), ("a",),
        torch.tensor([[1, 1, 2, 2, 1]]),
    )  # fmt: skip
    weight = next(model.parameters())
    found = jacobian(measure(model, batch, 0, 5)[0], [weight])[:, 0]
    first = float(weight.detach().flatten()[0])
    ends = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight.view(-1)[0] = first + step
        ends.append(measure(model, batch, 0, 5)[0].detach())
    assert torch.allclose(found, (ends[0] - ends[1]) / 2e-6, atol=1e-7)
    assert found.abs().max() > 1e-4


@pytest.mark.parametrize("kind", ["bernoulli", "softmax", "squared"])
def test_relative_noise_gives_a_newton_step_of_the_likelihood(kind):
    """Of a linear layer: w - (Hessian of the loss + I / p0)⁻¹ gradient, both by autograd."""
    torch.manual_seed(2)
    x, labels = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 3, (9,))
    network = nn.Linear(4, 3, dtype=torch.float64)
    if kind == "softmax":
        criterion: nn.Module = Framewise(4, 4, Framewise.Options())
        target = nn.functional.one_hot(labels, 3).double()
    else:
        criterion = Regression(4, 3, Regression.Options(loss=kind, size=3), 4)
        target = torch.rand(9, 3, dtype=torch.float64).round()
    first = nn.utils.parameters_to_vector(network.parameters()).detach()

    def total(flat: torch.Tensor) -> torch.Tensor:
        logits = x @ flat[:12].view(3, 4).T + flat[12:]
        if kind == "softmax":
            return nn.functional.cross_entropy(logits, labels, reduction="sum")
        if kind == "squared":
            return 0.5 * ((logits - target) ** 2).sum()
        return nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")

    gradient = torch.autograd.functional.jacobian(total, first)
    hessian = torch.autograd.functional.hessian(total, first)
    precision = hessian + torch.eye(15, dtype=torch.float64) / 0.7
    kalman = KalmanFilter(network.parameters(), 0.7)
    found = criterion.squash(network(x)).flatten()
    innovation = target.flatten() - found.detach()
    deviations = criterion.deviations(found.detach())
    h, e = relative(jacobian(found, kalman.weights), innovation, deviations)
    kalman.update(h, e, 1.0, 0.0)
    updated = nn.utils.parameters_to_vector(network.parameters())
    assert torch.allclose(updated, first - torch.linalg.solve(precision, gradient), atol=1e-9)
    assert torch.allclose(kalman.covariances[0][0], torch.linalg.inv(precision), atol=1e-9)


def test_relative_noise_of_certain_outputs_changes_nothing():
    """Where a float32 probability is 0 or 1, its derivatives are 0; its target does not matter."""
    h, e = relative(torch.zeros(2, 3).double(), torch.tensor([1.0, -1.0]), torch.zeros(2))
    assert bool(h.isfinite().all() & e.isfinite().all())
    network = nn.Linear(2, 1, dtype=torch.float64)
    before = nn.utils.parameters_to_vector(network.parameters()).clone()
    kalman = KalmanFilter(network.parameters(), 1.0)
    kalman.update(h, e, 1.0, 0.0)
    assert torch.equal(nn.utils.parameters_to_vector(network.parameters()), before)


def plain_update(h, p, groups, w, innovation, noise, drift):
    """The equations, group by group with inverses, as they are written."""
    a = noise * np.eye(len(h))
    for group in groups:
        a += h[:, group] @ p[group] @ h[:, group].T
    inverse = np.linalg.inv(a)
    for group in groups:
        gain = p[group] @ h[:, group].T @ inverse
        w[list(group)] += gain @ innovation
        p[group] = p[group] + drift * np.eye(len(group)) - gain @ h[:, group] @ p[group]


def test_updates_of_a_recurrent_network_are_those_of_the_equations():
    """Derivatives by finite differences, P of every unit by itself, and P stays a covariance."""
    torch.manual_seed(1)
    lstm = LSTM(2, 2, cell="peephole", backend="reference", dtype=torch.float64)
    output = nn.Linear(2, 1, dtype=torch.float64)
    network = nn.ModuleList([lstm, output])
    x = torch.randn(1, 5, 2, dtype=torch.float64)
    kalman = KalmanFilter(network.parameters(), 10.0, unit_groups(network))
    place = unit_groups(network).tolist()
    groups = [tuple(n for n, g in enumerate(place) if g == group) for group in sorted({*place})]
    assert sorted(map(len, groups)) == [3] + [5] * 2 + [6] * 6  # output; z; i, f, o with peepholes
    p = {group: 10.0 * np.eye(len(group)) for group in groups}
    target = torch.linspace(-1, 1, 5, dtype=torch.float64)

    def outputs() -> torch.Tensor:
        return output(lstm(x)[0]).flatten()

    flat = nn.utils.parameters_to_vector(network.parameters()).detach()
    for _ in range(4):
        columns = []
        for n in range(len(flat)):
            ends = []
            for shift in (1e-6, -1e-6):
                moved = flat.clone()
                moved[n] += shift
                nn.utils.vector_to_parameters(moved, network.parameters())
                ends.append(outputs().detach())
            columns.append((ends[0] - ends[1]) / 2e-6)
        nn.utils.vector_to_parameters(flat.clone(), network.parameters())
        found = outputs()
        derivatives = jacobian(found, kalman.weights)
        assert torch.allclose(derivatives, torch.stack(columns, dim=1), atol=1e-8)
        innovation = target - found.detach()
        w = flat.numpy().copy()
        plain_update(derivatives.numpy(), p, groups, w, innovation.numpy(), 3.0, 1e-3)
        kalman.update(derivatives, innovation, 3.0, 1e-3)
        flat = nn.utils.parameters_to_vector(network.parameters()).detach()
        assert np.allclose(flat.numpy(), w, atol=1e-10)
    for covariance in kalman.covariances:
        assert torch.equal(covariance, covariance.mT)
        assert float(torch.linalg.eigvalsh(covariance).min()) > 0


def test_units_share_a_group_across_the_weights_that_lead_into_them():
    lstm = LSTM(3, 2, cell="peephole")
    (groups,) = (unit_groups(lstm),)
    names = [name.rpartition(".")[2] for name, _ in lstm.named_parameters()]
    parts = dict(zip(names, groups.split([w.numel() for w in lstm.parameters()]), strict=True))
    assert parts["input"].view(8, 3)[:, 0].tolist() == parts["bias"].tolist()
    assert parts["recurrent"].view(8, 2)[:, 1].tolist() == parts["bias"].tolist()
    assert parts["peephole"].tolist() == parts["bias"][:6].tolist()


def test_a_covariance_that_is_none_any_more_is_named():
    network = nn.Linear(2, 1, dtype=torch.float64)
    kalman = KalmanFilter(network.parameters(), 1.0)
    kalman.covariances[0] *= -1
    with pytest.raises(InputError, match="no longer positive definite; raise measurement_noise"):
        kalman.update(torch.ones(1, 3, dtype=torch.float64), torch.ones(1), 0.1, 0.0)
