"""The plain cell by torch's own LSTM on packed rows: cuDNN's kernels on a GPU.

Packed rows are laid out as torch packs sequences, so cuDNN reads no padding in either direction.
Elsewhere than on a GPU this path is for comparison: its backward pass on the CPU takes time in the
square of the length.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqlabel.lstm.cell import AnyCell
from seqlabel.lstm.elapsed import Fades
from seqlabel.lstm.interchange import is_plain, swap_rows
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.weights import Weights

State = tuple[Tensor, ...]


def run_layer(
    cell: AnyCell,
    weights: Sequence[Weights],
    x: Tensor,
    rows: Rows,
    states: Sequence[State],
    masks: Sequence[Tensor | None],
    how: Recurrence,
    fades: Fades,
) -> tuple[Tensor, list[State]]:
    """One layer, as `reference.run_layer`; no masks, no truncation and no time."""
    parameters: list[Tensor] = []
    for w in weights:
        parameters += [swap_rows(w.input, "input"), swap_rows(w.recurrent, "recurrent")]
        if w.bias is not None:
            bias = swap_rows(w.bias, "bias")
            parameters += [bias, torch.zeros_like(bias)]
        if w.projection is not None:
            parameters.append(w.projection)
    sizes = torch.from_numpy(rows.active)
    start = tuple(torch.stack(kind) for kind in zip(*states, strict=True))
    y, *finals = torch._VF.lstm(
        x, sizes, start, parameters, weights[0].bias is not None,
        1, 0.0, torch.is_grad_enabled(), len(weights) == 2,
    )  # fmt: skip
    return y, [tuple(final[d] for final in finals) for d in range(len(weights))]


def why_not(cell: AnyCell, how: Recurrence, recurrent_dropout: float) -> str | None:
    """What keeps this path from computing a cell; None if nothing does."""
    if not is_plain(cell):
        return "has the plain cell alone"
    if how != Recurrence():
        return "truncates no gradients"
    if recurrent_dropout:
        return "has no dropout on the recurrent source"
    return None
