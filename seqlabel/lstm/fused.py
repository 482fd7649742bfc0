"""The fast CPU path: a layer, both directions, as one autograd function on packed rows.

Computes what `reference.py` computes, in float32 and to about 1e-6, differentiable once. The time
loops are in `sequence.py`, the gates in `gates.py`, and what passes between them and tensors in
`direction.py`.
"""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.lstm import runtime
from seqlabel.lstm.blas import address
from seqlabel.lstm.cell import AnyCell, Cell, Gru
from seqlabel.lstm.direction import DirectionRun, Layer, Memory, State
from seqlabel.lstm.elapsed import Fades
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.weights import Weights


def run_layer(
    cell: AnyCell,
    weights: Sequence[Weights],
    x: Tensor,
    rows: Rows,
    states: Sequence[State],
    masks: Sequence[Tensor | None],
    how: Recurrence,
    fades: Fades,
    bf16: bool = False,
) -> tuple[Tensor, list[State]]:
    """One layer, as `reference.run_layer`; `bf16` rounds the operands of all products."""
    runtime.settle()
    tensors: list[Tensor | None] = []
    for w, state, mask, fade in zip(weights, states, masks, fades, strict=True):
        tensors += [*w, *state, mask, fade]
    y, *carried = _Function.apply(Layer(cell, rows, how, bf16), x, *tensors)
    width = y.shape[1] // len(weights)
    each = len(cell.state) - 1  # states besides h
    finals = []
    for d in range(len(weights)):
        h = y[:, d * width : (d + 1) * width].index_select(0, rows.last(backwards=d == 1))
        finals.append((h, *carried[d * each : (d + 1) * each]))
    return y, finals


def why_not(cell: AnyCell) -> str | None:
    """What keeps this path from computing a cell; None if nothing does."""
    if isinstance(cell, Cell) and cell.block_size > 1:
        return "has no blocks of cells"
    if isinstance(cell, Gru) and cell.reset == "before":
        return "has the GRU with reset='after' only"
    if not address("sgemm_"):
        return "finds no float32 BLAS in this build of torch"
    return None


class _Function(torch.autograd.Function):
    """x (rows, I) and the tensors of all directions -> y, and the final states besides h."""

    @staticmethod
    def forward(ctx, layer: Layer, x: Tensor, *tensors: Tensor | None):
        directions = _directions(layer, tensors)
        width = sum(direction.width for direction in directions)
        y = x.new_empty(len(x) + layer.rows.batch, width)
        memories = [direction.allocate(y) for direction in directions]
        runtime.side_by_side(
            direction.forward(x.detach(), y, memory)
            for direction, memory in zip(directions, memories, strict=True)
        )
        ctx.layer, ctx.inputs = layer, len(tensors)
        ctx.save_for_backward(x, y, *tensors, *chain(*memories))
        finals = (d.final_states(m) for d, m in zip(directions, memories, strict=True))
        return y[: len(x)], *chain(*finals)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor, *dfinals: Tensor):
        x, y, *tensors = ctx.saved_tensors
        directions = _directions(ctx.layer, tensors[: ctx.inputs])
        filled = iter(tensors[ctx.inputs :])
        each = len(dfinals) // len(directions)
        dy = dy.contiguous()
        work, results, dxs = [], [], []
        for number, direction in enumerate(directions):
            memory = Memory(*(next(filled) for _ in Memory._fields))
            dx = torch.empty_like(x if ctx.needs_input_grad[1] else x[:0])
            own = dfinals[number * each : (number + 1) * each]
            task, result = direction.backward(x.detach(), y, memory, dy, own, dx)
            work.append(task)
            results.append(result)
            dxs.append(dx)
        runtime.side_by_side(work)
        for dx in dxs[1:]:
            dxs[0].add_(dx)
        gradients = chain(*(result.tensors() for result in results))
        return None, dxs[0] if ctx.needs_input_grad[1] else None, *gradients


def _directions(layer: Layer, tensors: Sequence[Tensor | None]) -> list[DirectionRun]:
    """The directions of a flat list of tensors: of each its weights, state, mask and fades."""
    known = [None if tensor is None else tensor.detach() for tensor in tensors]
    fields = len(Weights._fields)
    each = fields + len(layer.cell.state) + 2
    directions = []
    for number, first in enumerate(range(0, len(known), each)):
        *values, mask, fade = known[first : first + each]
        weights, state = Weights(*values[:fields]), tuple(values[fields:])  # type: ignore[arg-type]
        directions.append(DirectionRun(layer, number, weights, state, mask, fade))  # type: ignore[arg-type]
    return directions
