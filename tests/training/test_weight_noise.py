"""Weight noise: its statistics, and that none of it stays behind."""

import pytest
import torch
from torch import nn

from seqlabel.training.noise import weight_noise


def test_noise_is_gaussian_with_the_given_deviation():
    layer = nn.Linear(300, 300)
    clean = layer.weight.detach().clone()
    with weight_noise(layer, 0.075, seed=1):
        noise = (layer.weight - clean).detach().flatten().double()
    n = noise.numel()
    assert abs(noise.mean()) < 4 * 0.075 / n**0.5
    assert abs(noise.std() / 0.075 - 1) < 4 / (2 * n) ** 0.5
    inside = (noise.abs() < 0.075).double().mean()
    assert abs(inside - 0.6827) < 0.01


def test_one_draw_per_context_the_same_for_the_same_seed():
    layer, draws = nn.Linear(4, 3), []
    for seed in (1, 1, 2):
        with weight_noise(layer, 0.1, seed):
            first = [w.detach().clone() for w in layer.parameters()]
            layer(torch.randn(2, 4))
            assert all(torch.equal(a, b) for a, b in zip(first, layer.parameters(), strict=True))
        draws.append(first)
    assert torch.equal(draws[0][0], draws[1][0])
    assert not torch.equal(draws[0][0], draws[2][0])
    assert not torch.equal(draws[0][0][0], draws[0][0][1])


def test_the_clean_weights_come_back_to_the_bit_even_after_an_error():
    layer = nn.Linear(50, 50)
    clean = [w.detach().clone() for w in layer.parameters()]
    with pytest.raises(RuntimeError), weight_noise(layer, 0.5, seed=3):
        raise RuntimeError
    assert all(torch.equal(a, b) for a, b in zip(clean, layer.parameters(), strict=True))


def test_gradient_is_that_at_the_noisy_weights_and_moves_the_clean_ones():
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(2.0)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    with weight_noise(layer, 0.3, seed=0):
        noisy = layer.weight.item()
        (layer(torch.ones(1, 1)) ** 2 / 2).sum().backward()
    optimiser.step()
    assert noisy != 2.0
    assert layer.weight.item() == pytest.approx(2.0 - 0.1 * noisy)


def test_no_noise_touches_nothing():
    layer = nn.Linear(3, 3)
    clean = layer.weight.detach().clone()
    with weight_noise(layer, 0.0, seed=0):
        assert torch.equal(layer.weight, clean)
