"""Averages of weights: by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from seqlabel.training.averaging import Ema, average_weights


def scalar(value):
    layer = nn.Linear(1, 1, bias=False)
    set_to(layer, value)
    return layer


def set_to(layer, value):
    with torch.no_grad():
        layer.weight.fill_(value)


def test_average_follows_its_recursion():
    layer = scalar(0.0)
    ema, expected = Ema(layer, 0.5), 0.0
    for n, value in enumerate((1.0, -2.0, 4.0, 4.0, 3.0, 1.0, 7.0, 2.0, 9.0, 5.0)):
        set_to(layer, value)
        ema.update(layer)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    assert ema.average["weight"].item() == pytest.approx(expected)


def test_average_of_noise_has_the_variance_of_its_effective_length():
    """Weights 3 + N(0, 1), decay d: mean 3, variance (1 - d) / (1 + d) once the start is gone."""
    layer, rng, decay = nn.Linear(200, 100, bias=False), np.random.default_rng(0), 0.9
    ema = Ema(layer, decay)
    for _ in range(250):
        noise = torch.from_numpy(rng.standard_normal((100, 200)).astype(np.float32))
        with torch.no_grad():
            layer.weight.copy_(3 + noise)
        ema.update(layer)
    average = ema.average["weight"].double()
    variance = (1 - decay) / (1 + decay)
    assert abs(average.mean() - 3) < 4 * (variance / average.numel()) ** 0.5
    assert abs(average.var() / variance - 1) < 4 * (2 / average.numel()) ** 0.5


def test_averaged_weights_are_lent_and_taken_back():
    layer = scalar(1.0)
    ema = Ema(layer, 0.9)
    set_to(layer, 5.0)
    with pytest.raises(RuntimeError), ema.applied(layer):
        assert layer.weight.item() == 1.0
        raise RuntimeError
    assert layer.weight.item() == 5.0


def test_state_goes_through_a_checkpoint():
    layer = scalar(1.0)
    ema, other = Ema(layer, 0.9), Ema(scalar(8.0), 0.9)
    set_to(layer, 2.0)
    ema.update(layer)
    other.load_state_dict(ema.state_dict())
    for average in (ema, other):
        average.update(layer)
    assert other.updates == 2
    assert torch.equal(ema.average["weight"], other.average["weight"])


def test_mean_of_snapshots():
    snapshots = [{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, -2.0])}]
    assert average_weights(snapshots)["w"].tolist() == [2.0, 0.0]
    big = [{"w": torch.tensor([1e8 + n], dtype=torch.float32)} for n in (0, 8, 16)]
    assert average_weights(big)["w"].item() == 1e8 + 8
