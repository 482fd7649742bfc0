"""Evolution strategies: the estimate, its utilities, the shares of processes."""

import numpy as np
import pytest
import torch
from torch import nn

from seqlabel.config import build
from seqlabel.errors import InputError
from seqlabel.training.evolution import Perturbations, utilities
from seqlabel.training.method_options import EvolutionPhase


def estimate(weight: nn.Parameter, f, n: int, sigma: float, antithetic: bool) -> torch.Tensor:
    noise = Perturbations([weight], n, antithetic, (1, 2, 3))
    values = noise.values(f, sigma)
    return noise.weighted(utilities(values, "none") / (n * sigma))[0]


@pytest.mark.parametrize("antithetic", [True, False])
def test_the_estimate_is_the_gradient_of_a_smooth_function(antithetic):
    weight = nn.Parameter(torch.tensor([0.4, -1.0, 0.3, 2.0]))
    scale = torch.tensor([1.0, 2.0, -1.5, 0.5])

    def f() -> torch.Tensor:
        return torch.sin(weight * scale).sum() + (weight[0] - weight[3]) ** 2

    (gradient,) = torch.autograd.grad(f(), weight)
    found = estimate(weight, lambda: float(f()), 10_000, 0.02, antithetic)
    # of n samples (pairs count once) an estimate of g is off by about |g| / sqrt(n) a component
    pairs = 10_000 / (1 + antithetic)
    assert torch.allclose(found, gradient, atol=4 * float(gradient.norm()) / pairs**0.5)
    assert not torch.allclose(-found, gradient, atol=1.0)


def test_a_large_sigma_gives_the_gradient_of_the_expectation():
    """E sin(w + σε) = exp(-σ²/2) sin w."""
    weight = nn.Parameter(torch.tensor([0.5]))
    found = estimate(weight, lambda: float(torch.sin(weight)), 20_000, 1.0, True)
    assert float(found) == pytest.approx(np.exp(-0.5) * np.cos(0.5), abs=0.03)


def test_trying_leaves_the_weights_as_they_are_and_shares_make_up_the_whole():
    weights = [nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(5))]
    before = [weight.clone() for weight in weights]
    noise = Perturbations(weights, 6, True, (7,))

    def f() -> float:
        return float(weights[0].sum() * weights[1].square().sum())

    whole = noise.values(f, 0.5)
    assert len(set(whole)) == 6
    shares = [noise.values(f, 0.5, rank, 2) for rank in range(2)]
    assert np.array_equal(shares[0] + shares[1], whole)
    for weight, value in zip(weights, before, strict=True):
        assert torch.equal(weight, value)
    assert not np.array_equal(Perturbations(weights, 6, True, (8,)).values(f, 0.5), whole)


def test_antithetic_perturbations_are_pairs():
    weight = nn.Parameter(torch.zeros(4))
    noise = Perturbations([weight], 4, True, (1,))
    seen: list[torch.Tensor] = []
    noise.values(lambda: seen.append(weight.clone()) or 0.0, 0.1)
    assert torch.equal(seen[0], -seen[1])
    assert torch.equal(seen[2], -seen[3])
    shares = np.array([0.3, -0.1, 0.2, 0.4])
    expected = sum(share * e / 0.1 for share, e in zip(shares, seen, strict=True))
    assert torch.allclose(noise.weighted(shares)[0], expected, atol=1e-6)


def test_ranks_are_centred_and_equal_values_share_theirs():
    assert utilities(np.array([3.0, 1.0, 2.0, 1e9]), "ranks").tolist() == pytest.approx(
        [1 / 6, -0.5, -1 / 6, 0.5]
    )
    assert utilities(np.array([4.0, 1.0, 4.0]), "ranks").tolist() == [0.25, -0.5, 0.25]
    assert not utilities(np.full(8, 2.0), "ranks").any()
    assert utilities(np.array([1.0, np.nan, 0.0]), "ranks").tolist() == [0.25, 0.25, -0.5]
    with pytest.raises(InputError, match="no perturbed network has a finite objective"):
        utilities(np.array([np.inf, np.nan]), "ranks")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population = 1: there is nothing to compare"),
        ({"population": 9}, "population = 9 is odd, .*antithetic .* pairs; give 10, or"),
        ({"sigma": 0.0}, "sigma and learning_rate must be above 0"),
        ({"patience": -1}, "patience not negative"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        build(EvolutionPhase, options, "phase")
    assert build(EvolutionPhase, {"population": 9, "antithetic": False}, "phase").population == 9
