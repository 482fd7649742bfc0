"""The loss of the transducer, from logits at every node of its lattice (Graves 2012)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.models import transducer_kernel
from seqlabel.models.targets import RowError, check_targets, whole_numbers
from seqlabel.models.threads import share_rows

Sizes = tuple[np.ndarray, np.ndarray, np.ndarray]

IMPOSSIBLE = -1e30
"""Stands for ln 0 where a gradient passes: infinities would make it NaN."""


def transducer_loss(
    logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor
) -> Tensor:
    """-ln p(labels | x) for each row of a batch, in nats, with exact gradients by the logits.

    logits: (B, T, S+1, K) float32 or float64, before the softmax over K; index 0 is the blank.
    lengths: (B,) frames, at least 1.  targets: (B, S) labels 1..K-1, padded.  target_lengths: (B,).
    Returns (B,) in the type of `logits`. On the CPU rows are computed in parallel by a compiled
    kernel, with the same bits each time; elsewhere along the anti-diagonals by torch.
    Raises RowError (an InputError) that names rows with a length or a label out of range.
    """
    sizes = check_sizes(logits.shape, lengths, targets, target_lengths)
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    if logits.device.type == "cpu":
        losses: Tensor = _Lattice.apply(logits, sizes)
        return losses
    log_probs = logits.log_softmax(dim=3)
    labels = targets.to(logits.device)[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
    return diagonal_loss(
        log_probs[..., 0],
        log_probs[:, :, :-1].gather(3, labels)[..., 0],
        lengths.to(logits.device),
        target_lengths.to(logits.device),
    )


def check_sizes(
    shape: Sequence[int], lengths: Tensor, targets: Tensor, target_lengths: Tensor
) -> Sizes:
    """Lengths and targets as arrays; raises RowError where they do not fit (B, T, S+1, K)."""
    sizes = whole_numbers(lengths), whole_numbers(targets), whole_numbers(target_lengths)
    B, T, U, K = shape
    check_targets((B, T, K), *sizes)
    empty = np.flatnonzero(sizes[0] == 0)
    if empty.size:
        raise RowError(empty, "no frames; a transducer ends with a blank and needs one for it")
    long = np.flatnonzero(sizes[2] >= U)
    if long.size:
        raise RowError(long, f"more labels than the {U} columns of the lattice, S + 1, allow")
    return sizes


def diagonal_loss(phi: Tensor, y: Tensor, lengths: Tensor, target_lengths: Tensor) -> Tensor:
    """The same from log-probabilities: (B,) losses, differentiated by autograd on any device.

    phi: (B, T, S+1) of the blank.  y: (B, T, S) of the next label.
    Nodes with the same t + u do not depend on each other: α advances one anti-diagonal at a time.
    """
    B, T, U = phi.shape
    phi_of, y_of = skew(phi), skew(F.pad(y, (0, 1), value=IMPOSSIBLE))
    alpha = torch.full_like(phi[:, 0], IMPOSSIBLE)
    alpha[:, 0] = 0.0
    diagonals = [alpha]
    for d in range(T + U - 2):
        by_blank = alpha + phi_of[:, d]
        by_label = F.pad((alpha + y_of[:, d])[:, :-1], (1, 0), value=IMPOSSIBLE)
        alpha = torch.logaddexp(by_blank, by_label)
        diagonals.append(alpha)
    row = torch.arange(B, device=phi.device)
    end = torch.stack(diagonals, dim=1)[row, lengths - 1 + target_lengths, target_lengths]
    return -(end + phi[row, lengths - 1, target_lengths])


def skew(x: Tensor) -> Tensor:
    """(B, T, U) -> (B, T+U-1, U): element (t, u) moves to (t + u, u); the rest is impossible."""
    B, T, U = x.shape
    columns = F.pad(x.transpose(1, 2), (0, U), value=IMPOSSIBLE).reshape(B, U * (T + U))
    return columns[:, :-U].reshape(B, U, T + U - 1).transpose(1, 2)


class _Lattice(torch.autograd.Function):
    """The kernel as a node of the graph; the gradient is found together with the loss."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, sizes: Sizes) -> Tensor:
        losses = np.empty(len(logits))
        frames = logits.shape[1] if ctx.needs_input_grad[0] else 0
        gradient = logits.new_zeros(len(logits), frames, *logits.shape[2:])
        scores = logits.detach().contiguous().numpy()

        def work(start: int, step: int) -> None:
            transducer_kernel.batch(scores, *sizes, losses, gradient.numpy(), start, step)

        share_rows(len(logits), work)
        ctx.save_for_backward(gradient)
        return torch.from_numpy(losses).to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * weight[:, None, None, None], None


def loss_row_by_row(
    combine: Callable[..., Tensor],
    K: int,
    frames: Tensor,
    labels: Tensor,
    weights: tuple[Tensor, ...],
    lengths: Tensor,
    targets: Tensor,
    target_lengths: Tensor,
) -> Tensor:
    """Losses of a joint network, (B,), with the lattice of one utterance in memory at a time.

    combine(frames (T, 1, N), labels (1, S+1, N), *weights) -> (T, S+1, K) logits.
    frames: (B, T, N).  labels: (B, S+1, N).  weights: leaves that `combine` depends on.
    Each lattice is differentiated at once and only the gradients by the arguments are kept, so the
    memory is that of T (S+1) (N + K) numbers instead of B times as many, and padding costs nothing.
    """
    if frames.device.type != "cpu":
        logits = combine(frames[:, :, None], labels[:, None], *weights)
        return transducer_loss(logits, lengths, targets, target_lengths)
    shape = (*frames.shape[:2], labels.shape[1], K)
    sizes = check_sizes(shape, lengths, targets, target_lengths)
    losses: Tensor = _RowByRow.apply(combine, sizes, frames, labels, *weights)
    return losses


class _RowByRow(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        combine: Callable[..., Tensor],
        sizes: Sizes,
        frames: Tensor,
        labels: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        losses = frames.new_empty(len(frames))
        gradients = [torch.zeros_like(x) for x in (frames, labels)]
        gradients += [w.new_empty(len(frames), *w.shape) for w in weights]
        for b, (T, targets, S) in enumerate(zip(*sizes, strict=True)):
            with torch.set_grad_enabled(wanted):
                leaves = [frames[b, :T, None], labels[b, None, : S + 1], *weights]
                leaves = [x.detach().requires_grad_(wanted) for x in leaves]
                logits = combine(*leaves)
            scores = logits.detach().contiguous().numpy()
            gradient = scores if wanted else scores[:0]
            losses[b] = transducer_kernel.utterance(scores, T, targets[:S], gradient)
            if wanted:
                of_frames, of_labels, *of_weights = torch.autograd.grad(
                    logits, leaves, torch.from_numpy(gradient)
                )
                gradients[0][b, :T] = of_frames[:, 0]
                gradients[1][b, : S + 1] = of_labels[0]
                for total, of_weight in zip(gradients[2:], of_weights, strict=True):
                    total[b] = of_weight
        ctx.save_for_backward(*gradients)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor | None, ...]:
        of_frames, of_labels, *of_weights = ctx.saved_tensors
        scale = weight[:, None, None]
        totals = (torch.tensordot(weight, per_row, dims=1) for per_row in of_weights)
        return None, None, of_frames * scale, of_labels * scale, *totals
