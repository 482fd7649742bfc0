"""Consistency of two views of an utterance: CR-CTC (Yao et al. 2025, "CR-CTC: Consistency
regularization on CTC for improved speech recognition", section 3).

The views z^a and z^b are the same frames with masks and dropout of their own. Each view's
distributions are targets for the other's, through which no gradient flows (sg, stop-gradient):

    L = (L_CTC(z^a) + L_CTC(z^b)) / 2 + α L_CR
    L_CR = 1/2 Σ_t [ KL(sg(z^b_t) || z^a_t) + KL(sg(z^a_t) || z^b_t) ]

with the derivative 1/2 (z^a_t - z^b_t) by the logits of view a. This holds for every criterion
that gives log-probabilities at each frame; without masks it is R-Drop (Liang et al. 2021).
"""

import torch
from torch import Tensor

FLOOR = -1e4
"""Log-probabilities below count as this: that of an output that cannot occur is -inf."""


def consistency_losses(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """L_CR of B utterances, in nats.

    log_probs: (2B, T, N) natural log-probabilities, first of one view of all utterances, then of
    the other; N may be several distributions side by side. lengths: (B,) frames; those behind have
    no effect. Returns (B,).
    """
    one, other = log_probs.clamp(min=FLOOR).chunk(2)
    disagreement = divergence(other.detach(), one) + divergence(one.detach(), other)
    return sum_over_frames(disagreement, lengths) / 2


def divergence(target: Tensor, log_probs: Tensor) -> Tensor:
    """KL(target || log_probs) at each frame, of (B, T, N) log-probabilities: (B, T)."""
    return (target.exp() * (target - log_probs)).sum(dim=2)


def sum_over_frames(values: Tensor, lengths: Tensor) -> Tensor:
    """(B, T) -> (B,), without the frames behind the lengths (B,), whatever they hold."""
    behind = torch.arange(values.shape[1]) >= lengths.cpu()[:, None]
    return values.masked_fill(behind.to(values.device), 0).sum(dim=1)
