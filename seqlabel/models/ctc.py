"""Connectionist temporal classification (Graves, Fernández, Gomez & Schmidhuber 2006)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.models import ctc_kernel
from seqlabel.models.targets import check_room_for_labels, check_targets, whole_numbers
from seqlabel.models.threads import share_rows


def ctc_loss(
    logits: Tensor,
    lengths: Tensor | Sequence[int],
    targets: Tensor,
    target_lengths: Tensor | Sequence[int],
) -> Tensor:
    """-ln p(labels | x) for each row of a batch, in nats, with the gradient y - γ by the logits.

    logits: (B, T, K) float32 or float64, before the softmax; index 0 is the blank.
    lengths: (B,) frames of each row. Padding has no effect and gets no gradient.
    targets: (B, S) labels 1..K-1, padded.  target_lengths: (B,).
    Returns (B,) in the type of `logits`. On the CPU the lattice is computed in float64 by a
    compiled kernel, rows in parallel, with the same bits each time; elsewhere by torch.
    A row whose logits are not finite has a loss that is not finite; other rows are not affected.
    Raises RowError (an InputError) that names rows with a length or a label out of range or with
    too few frames for the labels.
    """
    sizes = whole_numbers(lengths), whole_numbers(targets), whole_numbers(target_lengths)
    check_targets(logits.shape, *sizes)
    check_room_for_labels(*sizes)
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    if logits.device.type != "cpu":
        frames, labels, counts = (torch.from_numpy(size).to(logits.device) for size in sizes)
        log_probs = logits.log_softmax(dim=2).transpose(0, 1)
        return F.ctc_loss(log_probs, labels, frames, counts, reduction="none")
    losses: Tensor = _ForwardBackward.apply(logits, *sizes)
    return losses


class _ForwardBackward(torch.autograd.Function):
    """The kernel as a node of the graph; the gradient is found together with the loss."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        lengths: np.ndarray,
        targets: np.ndarray,
        target_lengths: np.ndarray,
    ) -> Tensor:
        B, T, K = logits.shape
        losses = np.empty(B)
        gradient = torch.zeros((B, T if ctx.needs_input_grad[0] else 0, K), dtype=logits.dtype)
        arrays = (logits.detach().contiguous().numpy(), lengths, targets, target_lengths)

        def work(start: int, step: int) -> None:
            ctc_kernel.batch(*arrays, losses, gradient.numpy(), start, step)

        share_rows(B, work)
        ctx.save_for_backward(gradient)
        return torch.from_numpy(losses).to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * weight[:, None, None], None, None, None


def best_path(scores: Tensor, lengths: Tensor) -> list[list[int]]:
    """Most probable label per frame, repeats merged, blanks dropped. scores: (B, T, K)."""
    paths = scores.argmax(dim=2).cpu()
    labels = []
    for path, length in zip(paths, lengths.tolist(), strict=True):
        runs = torch.unique_consecutive(path[:length])
        labels.append(runs[runs != 0].tolist())
    return labels
