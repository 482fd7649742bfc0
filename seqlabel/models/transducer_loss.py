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
"""Lengths (B,), targets (B, S) and target lengths (B,), int64."""

IMPOSSIBLE = -1e30
"""Stands for ln 0 where a gradient passes: infinities would make it NaN."""

NEGLIGIBLE = 1e-30
"""Probability of a node below which it gets no gradient; float32 would hold denormals there."""


def transducer_loss(
    logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor
) -> Tensor:
    """-ln p(labels | x) for each row of a batch, in nats, with exact gradients by the logits.

    logits: (B, T, S+1, K) float32 or float64, before the softmax over K; index 0 is the blank.
    lengths: (B,) frames, at least 1.  targets: (B, S) labels 1..K-1, padded.  target_lengths: (B,).
    Returns (B,) in the type of `logits`. On the CPU the lattice is computed in float64 by a
    compiled kernel, rows in parallel; elsewhere by torch, along the anti-diagonals.
    A row whose logits are not finite has a loss that is not finite; other rows are not affected.
    Raises RowError (an InputError) that names rows with a length or a label out of range.
    """
    sizes = check_sizes(logits.shape, lengths, targets, target_lengths)
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    if logits.device.type == "cpu":
        losses: Tensor = _Lattice.apply(logits, sizes)
        return losses
    frames, labels, counts = (torch.from_numpy(size).to(logits.device) for size in sizes)
    phi, y = step_log_probs(logits.log_softmax(dim=3), labels)
    return diagonal_loss(phi, y[:, :, :-1], frames, counts)


def check_sizes(
    shape: Sequence[int], lengths: Tensor, targets: Tensor, target_lengths: Tensor
) -> Sizes:
    """Lengths and targets as arrays; raises RowError if they do not fit (B, T, S+1, K)."""
    sizes = whole_numbers(lengths), whole_numbers(targets), whole_numbers(target_lengths)
    B, T, U, K = shape
    check_targets((B, T, K), *sizes)
    empty = np.flatnonzero(sizes[0] == 0)
    if empty.size:
        raise RowError(empty, "no frames; a transducer needs at least one for its last blank")
    long = np.flatnonzero(sizes[2] >= U)
    if long.size:
        raise RowError(long, f"more labels than the {U} columns of the lattice, S + 1, allow")
    return sizes


def step_log_probs(log_probs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """ln φ and ln y, (B, T, S+1), of (B, T, S+1, K) log-probabilities; y is φ where targets end."""
    B, T, U, _ = log_probs.shape
    index = next_labels(targets, U)[:, None, :, None].expand(B, T, U, 1)
    return log_probs[..., 0], log_probs.gather(3, index)[..., 0]


def next_labels(targets: Tensor, U: int) -> Tensor:
    """(B, U) the label that column u waits for; the blank where there is none."""
    return F.pad(targets[:, : U - 1], (0, max(0, U - targets.shape[1])))


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


def forward_backward(log_probs: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor, Tensor]:
    """(B,) losses, and for every node the probability that the path takes its blank or its label.

    log_probs: (B, T, S+1, K) on the CPU.  The probabilities, (B, T, S+1), are given x and labels.
    """
    lengths, targets, target_lengths = sizes
    phi, y = step_log_probs(log_probs.detach(), torch.from_numpy(targets))
    phi, y = (x.to(torch.float64, copy=True).contiguous() for x in (phi, y))
    losses = np.empty(len(log_probs))

    def work(start: int, step: int) -> None:
        transducer_kernel.batch(
            phi.numpy(), y.numpy(), lengths, target_lengths, losses, start, step
        )

    share_rows(len(losses), work)
    return torch.from_numpy(losses).to(log_probs.dtype), phi, y


def gradient_by_logits(
    probs: Tensor, phi: Tensor, y: Tensor, weight: Tensor, targets: np.ndarray
) -> Tensor:
    """The gradient of Σ weight · loss by the logits, written over their softmax `probs`.

    probs: (B, T, S+1, K).  phi, y: (B, T, S+1) of `forward_backward`.  weight: (B,).
    A path through (t, u) feels logit k by [k taken] - softmax(k), so the gradient of a loss is the
    probability of the node, phi + y, times the softmax, less that of each of its two steps.
    """
    node = phi + y
    node = node.masked_fill(node < NEGLIGIBLE, 0.0)
    by_node, by_blank, by_label = (
        (x * weight[:, None, None]).to(probs.dtype)[..., None] for x in (node, phi, y)
    )
    probs.mul_(by_node)
    probs[..., :1] -= by_blank
    index = next_labels(torch.from_numpy(targets), probs.shape[2])
    return probs.scatter_add_(3, index[:, None, :, None].expand_as(by_label), -by_label)


class _Lattice(torch.autograd.Function):
    """The kernel as a node of the graph."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, sizes: Sizes) -> Tensor:
        log_probs = logits.log_softmax(dim=3)
        losses, phi, y = forward_backward(log_probs, sizes)
        ctx.sizes = sizes
        ctx.save_for_backward(log_probs, phi, y)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None]:
        log_probs, phi, y = ctx.saved_tensors
        probs = log_probs.exp()
        for row, T, S in zip(probs, ctx.sizes[0], ctx.sizes[2], strict=True):
            row[T:], row[:, S + 1 :] = 0.0, 0.0  # the padding may have any values, even NaN
        return gradient_by_logits(probs, phi, y, weight, ctx.sizes[1]), None


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
    leaves = (frames, labels, *weights)
    wanted = torch.is_grad_enabled() and any(leaf.requires_grad for leaf in leaves)
    losses: Tensor = _RowByRow.apply(combine, sizes, wanted, *leaves)
    return losses


class _RowByRow(torch.autograd.Function):
    """Gradients are found in the forward pass, per row as the rows' weights are yet unknown."""

    @staticmethod
    def forward(
        ctx: Any,
        combine: Callable[..., Tensor],
        sizes: Sizes,
        wanted: bool,
        frames: Tensor,
        labels: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        losses = frames.new_empty(len(frames))
        of_frames, of_labels = torch.zeros_like(frames), torch.zeros_like(labels)
        of_weights = [w.new_empty(len(frames), *w.shape) for w in weights if wanted]
        for b, (T, target, S) in enumerate(zip(*sizes, strict=True)):
            with torch.set_grad_enabled(wanted):
                leaves = [frames[b, :T, None], labels[b, None, : S + 1], *weights]
                leaves = [x.detach().requires_grad_(wanted) for x in leaves]
                logits = combine(*leaves)
            log_probs = logits.detach().log_softmax(dim=2)[None]
            row = np.array([T]), target[None, :S], np.array([S])
            loss, phi, y = forward_backward(log_probs, row)
            losses[b] = loss[0]
            if wanted:
                one = loss.new_ones(1)
                gradient = gradient_by_logits(log_probs.exp_(), phi, y, one, row[1])
                first, second, *rest = torch.autograd.grad(logits, leaves, gradient[0])
                of_frames[b, :T], of_labels[b, : S + 1] = first[:, 0], second[0]
                for per_row, of_weight in zip(of_weights, rest, strict=True):
                    per_row[b] = of_weight
        ctx.save_for_backward(of_frames, of_labels, *of_weights)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor | None, ...]:
        of_frames, of_labels, *of_weights = ctx.saved_tensors
        scale = weight[:, None, None]
        totals = (torch.tensordot(weight, per_row, dims=1) for per_row in of_weights)
        return None, None, None, of_frames * scale, of_labels * scale, *totals
