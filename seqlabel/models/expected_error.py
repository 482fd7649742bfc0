"""Training for the expected error rate of CTC outputs (Graves & Jaitly 2014, section 4)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.errors import InputError
from seqlabel.models import expected_error_kernel
from seqlabel.models.targets import check_targets, whole_numbers
from seqlabel.models.threads import share_rows


def expected_errors(
    logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, samples: int
) -> Tensor:
    """Expected edit distance of B(π) to the targets, π drawn frame by frame from the softmax.

    logits: (B, T, K), or log-probabilities.  lengths, target_lengths: (B,).  targets: (B, S).
    samples: N paths for each utterance, drawn with torch's default generator.
    Returns (B,) float32: the mean number of errors of the samples, with an unbiased estimate of the
    gradient of its expectation: at each frame every label replaces the sampled one, and its errors
    are compared with the mean of all labels there,

        ∂L/∂a_t^k ≈ 1/N Σ_i y_t^k (errors(π^i with k at t) - Σ_j y_t^j errors(π^i with j at t)).

    Only the other frames are sampled, which has much less variance than weighting whole paths by
    their errors. Raises RowError for lengths or labels out of range.
    """
    if samples < 1:
        raise InputError(f"samples = {samples}: must be at least 1")
    sizes = whole_numbers(lengths), whole_numbers(targets), whole_numbers(target_lengths)
    check_targets(logits.shape, *sizes)
    uniform = torch.rand(len(logits), samples, logits.shape[1], dtype=torch.float64)
    errors: Tensor = _Estimate.apply(logits.float(), sizes, uniform.numpy())
    return errors


class _Estimate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        sizes: tuple[np.ndarray, np.ndarray, np.ndarray],
        uniform: np.ndarray,
    ) -> Tensor:
        scores = logits.detach().cpu().contiguous().numpy()
        losses, gradient = np.zeros(len(scores)), np.zeros(scores.shape)

        def work(start: int, step: int) -> None:
            expected_error_kernel.batch(scores, *sizes, uniform, losses, gradient, start, step)

        share_rows(len(scores), work)
        ctx.save_for_backward(torch.from_numpy(gradient).to(logits))
        return torch.from_numpy(losses).to(logits)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * weight[:, None, None], None, None
