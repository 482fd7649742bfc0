"""Gaussian weight noise, drawn once per update and taken off before the weights change.

Graves, Mohamed & Hinton 2013 add it "once per training sequence" with σ = 0.075; with batches the
draw is per batch. The gradient is that at the noisy weights, the update is applied to the clean
ones (Jim, Giles & Horne 1996).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def weight_noise(module: nn.Module, sigma: float, seed: int) -> Iterator[None]:
    """Inside the context all weights of `module` carry N(0, sigma²) noise, after it none.


    The noise depends on the seed alone, so that every process of a distributed run draws the same.
    The clean weights are kept and put back, not recomputed: no rounding is left behind.
    """
    if not sigma:
        yield
        return
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    clean = [weight.detach().clone() for weight in weights]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in weights:
            noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight.add_(noise.to(weight.device), alpha=sigma)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, clean, strict=True):
                weight.copy_(value)
