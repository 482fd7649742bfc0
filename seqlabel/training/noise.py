"""Gaussian weight noise, drawn once per update and removed before the weights change.

Graves, Mohamed & Hinton 2013 add it "once per training sequence" with σ = 0.075; with batches the
draw is per batch. The gradient is that at the noisy weights, the update is applied to the clean
ones (Jim, Giles & Horne 1996).

Adaptive weight noise learns a σ for every weight (Graves 2011, "Practical variational inference
for neural networks", diagonal Gaussian posterior with a Gaussian prior). Weights are N(w_i, σ_i²),
their prior is one N(μ, τ²) fitted to them all, and the objective is the description length
of the labels and the weights (MDL), in nats:

    E[loss of all utterances] + Σ_i ( ln(τ/σ_i) + ((w_i - μ)² + σ_i²) / 2τ² - 1/2 )

with the best prior μ = mean of w_i, τ² = mean of σ_i² + (w_i - μ)².
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def weight_noise(module: nn.Module, sigma: float, seed: int) -> Iterator[None]:
    """Within the context all weights of `module` have N(0, sigma²) noise.

    The noise depends only on the seed, so that all processes of a distributed run draw the same.
    The clean weights are kept and restored exactly.
    """
    if not sigma:
        yield
        return
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    noise = [standard.mul_(sigma) for standard in _standard_normal(weights, seed)]
    with _added(weights, noise):
        yield


class AdaptiveNoise(nn.Module):
    """A deviation σ_i for each weight of a module, learned together with the weights.

    sigma: initial value for all weights (Graves 2011 and later: 0.075). utterances: of the training
    set; losses are means per utterance, and so is the cost of the weights here.
    The parameters are ln σ_i, so that σ_i stays positive.
    """

    def __init__(self, module: nn.Module, sigma: float, utterances: int) -> None:
        super().__init__()
        self._weights = [weight for weight in module.parameters() if weight.requires_grad]
        self._noise: list[Tensor] = []
        self.utterances = utterances
        self.log_sigma = nn.ParameterList(
            nn.Parameter(torch.full_like(weight, math.log(sigma))) for weight in self._weights
        )

    @contextmanager
    def drawn(self, seed: int) -> Iterator[None]:
        """Within the context the weights have noise that depends on the seed."""
        with torch.no_grad():
            standard = _standard_normal(self._weights, seed)
            self._noise = [
                e.mul_(log.exp()) for e, log in zip(standard, self.log_sigma, strict=True)
            ]
        with _added(self._weights, self._noise):
            yield

    @torch.no_grad()
    def add_gradients(self) -> None:
        """From the gradients at the noisy weights those of the whole cost, by w_i and ln σ_i.

        dE/dσ_i is estimated as ε_i dE/dw_i at the weight w_i + σ_i ε_i, which holds for the sum
        over a batch; the paper squares the gradient of each sequence instead. Weights without a
        gradient get none.
        """
        mean, variance = self.prior()
        share = 1 / self.utterances
        for weight, log, noise in zip(self._weights, self.log_sigma, self._noise, strict=True):
            if weight.grad is None:
                continue
            log.grad = weight.grad * noise + share * ((2 * log).exp() / variance - 1)
            weight.grad.add_(weight - mean, alpha=share / float(variance))

    @torch.no_grad()
    def prior(self) -> tuple[Tensor, Tensor]:
        """Mean μ and variance τ² of the optimal prior."""
        count = sum(weight.numel() for weight in self._weights)
        mean = sum((weight.double().sum() for weight in self._weights), torch.zeros(())) / count
        each = zip(self._weights, self.log_sigma, strict=True)
        squares = [
            (2 * log.double()).exp().sum() + (weight.double() - mean).square().sum()
            for weight, log in each
        ]
        return mean.float(), (torch.stack(squares).sum() / count).float()

    @torch.no_grad()
    def nats(self) -> float:
        """Description length of the weights in nats, for the whole set."""
        _, variance = self.prior()
        return float(
            sum(0.5 * variance.double().log() * log.numel() - log.double().sum()
                for log in self.log_sigma)
        )  # fmt: skip


def _standard_normal(weights: list[nn.Parameter], seed: int) -> list[Tensor]:
    """N(0, 1) of the weights' shapes, drawn on the CPU: the same on every device and process."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(weight.shape, generator=generator, dtype=weight.dtype).to(weight.device)
        for weight in weights
    ]


@contextmanager
def _added(weights: list[nn.Parameter], noise: list[Tensor]) -> Iterator[None]:
    clean = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, change in zip(weights, noise, strict=True):
            weight.add_(change)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, clean, strict=True):
                weight.copy_(value)
