"""Regression: losses by hand and by finite differences, exact lengths, units of the targets."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.models.criteria import CRITERIA
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.models.regression import Regression
from seqlabel.training.run import normalise_values

LOSSES = ("squared", "gaussian", "bernoulli")


def criterion(loss, size=2, inputs=3, encoded=3, **options):
    torch.manual_seed(0)
    found = Regression(encoded, 2, Regression.Options(loss=loss, size=size, **options), inputs)
    if loss != "bernoulli":
        found.mean, found.std = torch.tensor([3.0, -1.0][:size]), torch.tensor([2.0, 0.5][:size])
    return found.double()


def batch(values):
    return SimpleNamespace(values=torch.as_tensor(values), ids=("one", "two"))


def targets(loss, shape):
    values = torch.rand(shape, dtype=torch.float64)
    return values if loss == "bernoulli" else 4 * values


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_sums_over_what_is_known(loss):
    """Frame by frame and value by value, in float64."""
    model = criterion(loss)
    encoded, values = torch.randn(2, 4, 3).double(), targets(loss, (2, 4, 2))
    values[0, 1, 0] = values[1, 0] = math.nan
    lengths = torch.tensor([4, 2])
    found = model.losses(encoded, lengths, batch(values))
    mean, std = model.mean.tolist(), model.std.tolist()
    for b in range(2):
        total = 0.0
        for t in range(int(lengths[b])):
            out = model.output(encoded[b, t]).tolist()
            for d in range(2):
                y = float(values[b, t, d])
                if math.isnan(y):
                    continue
                y = (y - mean[d]) / std[d]
                if loss == "squared":
                    total += (y - out[d]) ** 2 / 2
                elif loss == "gaussian":
                    sigma = math.exp(out[2 + d])
                    density = math.exp(-(((y - out[d]) / sigma) ** 2) / 2) / sigma
                    total -= math.log(density / math.sqrt(2 * math.pi))
                else:
                    p = 1 / (1 + math.exp(-out[d]))
                    total -= y * math.log(p) + (1 - y) * math.log(1 - p)
        assert float(found[b].detach()) == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_finite_differences(loss):
    model = criterion(loss)
    encoded = torch.randn(2, 3, 3).double().requires_grad_()
    values = targets(loss, (2, 3, 2))
    values[0, 2, 1] = math.nan
    lengths = torch.tensor([3, 2])
    weights = [encoded, *model.parameters()]

    def total(*_):
        return model.losses(encoded, lengths, batch(values)).sum()

    assert torch.autograd.gradcheck(total, weights, eps=1e-6, atol=1e-7)
    total().backward()
    assert (encoded.grad[1, 2] == 0).all()  # padding


@pytest.mark.parametrize("loss", LOSSES)
def test_padding_and_batch_mates_change_nothing(loss):
    """From the frames to losses and outputs, with the recurrent layers below."""
    torch.manual_seed(1)
    options = ModelOptions(hidden=5, layers=1, bidirectional=False)
    table = {"kind": "regression", "loss": loss, "size": 2}
    model = Model(3, 2, options, table).eval()
    x, lengths = torch.randn(2, 9, 3), torch.tensor([9, 5])
    values = targets(loss, (2, 9, 2)).float()

    def of(rows, frames):
        return SimpleNamespace(
            x=x[rows, :frames], lengths=lengths[rows], elapsed=None, heights=None, ids=("a", "b"),
            values=values[rows, :frames], second=None,
        )  # fmt: skip

    both, alone = model(of([0, 1], 9)), model(of([1], 5))
    torch.testing.assert_close(both[1:], alone)
    together, _ = model.outputs(x, lengths)
    single, _ = model.outputs(x[1:, :5], lengths[1:])
    torch.testing.assert_close(together[1:, :5], single)
    values[1, 5:] = 1e6
    x[1, 5:] = 1e3
    torch.testing.assert_close(model(of([0, 1], 9))[1:], alone)
    encoded, _ = model.encoder(x, lengths)
    squares, count = model.criterion.squared_errors(encoded, lengths, of([0, 1], 9))
    assert count == 2 * (9 + 5)
    expected = values if loss == "bernoulli" else (values - model.criterion.mean)
    error = (expected - together[:, :, :2])[torch.arange(9) < lengths[:, None]]
    assert squares == pytest.approx(float((error**2).sum().detach()), rel=1e-5)


def test_outputs_have_the_units_of_the_targets():
    encoded, lengths = torch.randn(1, 4, 3).double(), torch.tensor([4])
    model = criterion("squared")
    raw = model.output(encoded)
    torch.testing.assert_close(model.outputs(encoded, lengths), raw * model.std + model.mean)
    model = criterion("gaussian")
    raw, found = model.output(encoded), model.outputs(encoded, lengths)
    torch.testing.assert_close(found[..., :2], raw[..., :2] * model.std + model.mean)
    torch.testing.assert_close(found[..., 2:], raw[..., 2:].exp() * model.std)
    assert ((criterion("bernoulli").outputs(encoded, lengths) - 0.5).abs() < 0.5).all()


def test_least_squares_are_reached():
    """A linear layer alone, by the normal equations."""
    model = criterion("squared", size=1)
    encoded = torch.randn(1, 50, 3).double()
    values = targets("squared", (1, 50, 1))
    x = np.hstack([encoded[0].numpy(), np.ones((50, 1))])
    solution = np.linalg.lstsq(x, values[0].numpy(), rcond=None)[0]
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=500, tolerance_change=1e-14, tolerance_grad=1e-12
    )

    def step():
        optimiser.zero_grad()
        loss = model.losses(encoded, torch.tensor([50]), batch(values)).sum()
        loss.backward()
        return loss

    optimiser.step(step)
    found = model.outputs(encoded, torch.tensor([50]))[0].detach().numpy()
    np.testing.assert_allclose(found, x @ solution, atol=1e-6)


def test_probabilities_have_no_statistics_whatever_the_weights_bring(tmp_path):
    """Those of another loss come along with `initial`."""

    class Values(list):
        values_of = list.__getitem__

        def value_statistics(self):
            return np.array([0.3, 0.6]), np.array([0.4, 0.5])

    own = criterion("squared")
    own.options = Regression.Options(loss="bernoulli", size=2)
    normalise_values(own, Values([np.array([[0.0, 1.0], [1.0, np.nan]])]), None, tmp_path, tmp_path)
    assert (own.mean.tolist(), own.std.tolist()) == ([0.0, 0.0], [1.0, 1.0])


def test_the_size_of_what_comes_next_is_that_of_a_frame():
    model = Model(7, 2, ModelOptions(hidden=4, layers=1, bidirectional=False),
                  {"kind": "regression", "target": "next", "loss": "gaussian"})  # fmt: skip
    assert model.criterion.size == 7
    assert model.criterion.output.out_features == 14
    assert CRITERIA["regression"] is Regression
    assert model.weight_count == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "one: no values to predict"),
        (torch.zeros(1, 2, 2), r"3 outputs of 2 values for targets of shape \(2, 2\)"),
        (torch.zeros(1, 3, 1), r"3 outputs of 2 values for targets of shape \(3, 1\)"),
    ],
)
def test_values_that_do_not_fit_are_named(values, message):
    data = SimpleNamespace(values=values, ids=("one",))
    with pytest.raises(InputError, match=message):
        criterion("squared").losses(torch.zeros(1, 3, 3).double(), torch.tensor([3]), data)
    with pytest.raises(InputError, match="at least 1"):
        Regression.Options(ahead=0)
