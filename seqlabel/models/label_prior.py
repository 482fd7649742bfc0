"""CTC with label priors (Huang et al. 2024, "Less peaky and more accurate CTC forced alignment by
label priors").

A path π has the score Π_t y_t(π_t) / P(π_t)^α instead of its probability Π_t y_t(π_t), where P(k)
is the mean of y_t(k) over all frames of the training set in the epoch before. P is largest for the
blank, so that paths with fewer blanks gain. The loss is -ln of the sum of the scores of all paths
of the labels. As in the paper the scores of a frame are not normalised again. `ctc_loss` would do
that to the logits a - α ln P, whose softmax is q = y P^-α / Σ_k y(k) P(k)^-α, so that

    L = L_CTC(a - α ln P) - Σ_t ln Σ_k y_t(k) / P(k)^α,

which may be negative. With γ, the probabilities of labels and blanks at each frame under the scores
of all paths, the first term has the derivative q - γ by the logits and the second y - q, together

    ∂L/∂a = y - γ.

P is a constant in the gradient. Decoding and the dev loss use y.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from seqlabel.models.consistency import sum_over_frames
from seqlabel.models.ctc import ctc_loss

FLOOR = 1e-12
"""Least prior of a label. A label that no utterance has may be less probable."""


def ctc_loss_with_shift(
    logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, shift: Tensor
) -> Tensor:
    """-ln Σ_π Π_t y_t(π_t) exp(-shift(π_t)) over the paths π of the labels of each row, in nats.

    shift: (K,) α ln P. The other arguments, the result (B,) and the errors are those of `ctc_loss`.
    """
    shifted = logits - shift
    losses = ctc_loss(shifted, lengths, targets, target_lengths)
    mass = shifted.logsumexp(dim=2) - logits.logsumexp(dim=2)
    return losses - sum_over_frames(mass, lengths)


class LabelPrior:
    """P of K labels, and the sums from which that of the next epoch is computed.

    scale: α. In the first epoch there is no prior, which is a uniform one but for a constant.
    log_prior: (K,) ln P. sums: (K,) float64, of the probabilities that this process has counted.
    """

    def __init__(self, labels: int, scale: float) -> None:
        self.scale = scale
        self.log_prior = torch.zeros(labels)
        self.sums = torch.zeros(labels, dtype=torch.float64)

    def losses(self, criterion: Any, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        """(B,) losses of a batch, an objective for `seqlabel.models.Model`."""
        logits = criterion.output(encoded)
        shift = (self.scale * self.log_prior).to(logits.device)
        return ctc_loss_with_shift(logits, lengths, batch.targets, batch.target_lengths, shift)

    @torch.no_grad()
    def count(self, log_probs: Tensor, lengths: Tensor) -> None:
        """Add the distributions (B, T, K) of all frames, but for those that are not finite."""
        behind = torch.arange(log_probs.shape[1]) >= lengths.cpu()[:, None]
        unknown = behind.to(log_probs.device) | log_probs.isnan().any(dim=2)
        known = log_probs.exp().masked_fill(unknown[:, :, None], 0)
        self.sums += known.sum(dim=(0, 1), dtype=torch.float64).cpu()

    def end_epoch(self, sums: Sequence[Tensor]) -> None:
        """Take the mean over the epoch as prior. sums: those of all processes in their order."""
        total = torch.stack(list(sums)).sum(dim=0)
        if total.sum() > 0:
            self.log_prior = (total / total.sum()).clamp(min=FLOOR).log().float()
        self.sums = torch.zeros_like(self.sums)

    def state_dict(self, sums: Sequence[Tensor]) -> dict[str, Tensor]:
        """State for a checkpoint. sums: those of all processes in their order."""
        return {"log_prior": self.log_prior, "sums": torch.stack(list(sums))}

    def load_state_dict(self, state: Mapping[str, Tensor], rank: int, world: int) -> None:
        """Restore the state of process `rank`; with another number of them the first takes all."""
        self.log_prior, sums = state["log_prior"], state["sums"]
        if len(sums) == world:
            self.sums = sums[rank].clone()
        else:
            self.sums = sums.sum(dim=0) if rank == 0 else torch.zeros_like(self.sums)
