"""Weight noise, fixed and learned: its statistics, its cost, and that none of it stays behind."""

import pytest
import torch
from torch import nn

from seqlabel.errors import InputError
from seqlabel.training.noise import AdaptiveNoise, weight_noise
from seqlabel.training.optimisers import make_optimiser
from seqlabel.training.options import Phase


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


def make_adaptive(utterances=7):
    torch.manual_seed(0)
    layer = nn.Linear(3, 2).double()
    noise = AdaptiveNoise(layer, 0.2, utterances).double()
    with torch.no_grad():
        for log in noise.parameters():
            log.add_(torch.randn_like(log), alpha=0.5)
    return layer, noise


def message(layer, noise):
    """What the weights cost, as the sum of divergences from the prior fitted to them."""
    w = torch.cat([weight.flatten() for weight in layer.parameters()])
    sigma = torch.cat([log.flatten() for log in noise.parameters()]).exp()
    mean = w.mean()
    tau = (sigma.square() + (w - mean).square()).mean().sqrt()
    posterior = torch.distributions.Normal(w, sigma)
    prior = torch.distributions.Normal(mean, tau)
    return torch.distributions.kl_divergence(posterior, prior).sum()


def test_the_cost_of_the_weights_and_its_gradients():
    """Against autograd of the divergences, the prior refitted to every change."""
    layer, noise = make_adaptive()
    assert noise.nats() == pytest.approx(message(layer, noise).item(), rel=1e-5)
    parameters = [*layer.parameters(), *noise.parameters()]
    expected = torch.autograd.grad(message(layer, noise) / noise.utterances, parameters)
    with noise.drawn(seed=1):
        (0 * sum(w.sum() for w in layer.parameters())).backward()
    noise.add_gradients()
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-7)


def test_gradients_of_the_noise_are_those_of_the_mean_loss():
    """E[a (w + σ ε)² / 2] = a (w² + σ²) / 2: averaged over draws, aw and aσ² by ln σ."""
    layer = nn.Linear(40, 50, bias=False).double()
    noise = AdaptiveNoise(layer, 0.3, utterances=10**12).double()
    with torch.no_grad():
        layer.weight.fill_(2.0)
    found = {"w": [], "log": []}
    for seed in range(30):
        layer.zero_grad()
        with noise.drawn(seed):
            (1.5 * layer.weight.square() / 2).sum().backward()
        noise.add_gradients()
        found["w"].append(layer.weight.grad.mean().item())
        found["log"].append(noise.log_sigma[0].grad.mean().item())
    assert sum(found["w"]) / 30 == pytest.approx(1.5 * 2.0, rel=0.01)
    assert sum(found["log"]) / 30 == pytest.approx(1.5 * 0.3**2, rel=0.1)
    assert (layer.weight == 2.0).all()


def test_what_data_say_nothing_of_becomes_noise_and_what_they_fix_becomes_exact():
    """Two weights are wanted to be 1 and -1, over and over; the third goes nowhere."""
    wanted = torch.tensor([1.0, -1.0])
    layer = nn.Linear(3, 1, bias=False)
    noise = AdaptiveNoise(layer, 0.1, utterances=1000)
    phase = Phase(learning_rate=0.02, optimiser="adamw", weight_decay=0.1)
    optimiser = make_optimiser(phase, layer.parameters(), noise.parameters())
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.1, 0.0]
    for seed in range(600):
        optimiser.zero_grad()
        with noise.drawn(seed):
            (50 * (layer.weight[0, :2] - wanted).square().sum()).backward()
        noise.add_gradients()
        optimiser.step()
    *fixed, free = noise.log_sigma[0].exp()[0].tolist()
    assert max(fixed) < 0.1
    assert free > 0.5
    torch.testing.assert_close(layer.weight[0, :2].detach(), wanted, rtol=0, atol=0.1)


def test_draws_are_those_of_the_seed_and_none_stays():
    layer, noise = make_adaptive()
    clean = [w.detach().clone() for w in layer.parameters()]
    draws = []
    for seed in (1, 1, 2):
        with noise.drawn(seed):
            draws.append([w.detach().clone() for w in layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
    assert not torch.equal(draws[0][0], draws[2][0])
    assert all(torch.equal(a, b) for a, b in zip(clean, layer.parameters(), strict=True))


def test_fixed_and_learned_noise_exclude_each_other():
    with pytest.raises(InputError, match="set one of them to 0"):
        Phase(weight_noise=0.1, adaptive_noise=0.1)
    with pytest.raises(InputError, match="noise and clipping must not be negative"):
        Phase(adaptive_noise=-0.1)
