"""The path for LSTM cells that cuDNN does not have: a layer as one autograd function, on a GPU.

Computes what `reference.py` computes, differentiable once. Per time step it starts a product for
each recurrent matrix and one Triton kernel for the gates (`triton_gates.py`), from the time loop in
`triton_direction.py`. Triton comes with torch's builds for GPUs; without it `why_not` says so.
"""

import importlib.util
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.lstm.cell import AnyCell, Cell
from seqlabel.lstm.elapsed import Fades
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.weights import Weights

if TYPE_CHECKING:
    from seqlabel.lstm.triton_direction import DirectionRun

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
    """One layer, as `reference.run_layer`; under autocast the products take its dtype."""
    assert isinstance(cell, Cell)
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None

    def cast(tensor: Tensor | None) -> Tensor | None:
        return tensor if tensor is None or dtype is None else tensor.to(dtype)

    tensors: list[Tensor | None] = []
    for w, (h, c, *gates), mask, fade in zip(weights, states, masks, fades, strict=True):
        tensors += [*map(cast, w), cast(h), c, *map(cast, gates), cast(mask), fade]
    y, *carried = _Function.apply(Layer(cell, rows, how), cast(x), *tensors)
    width = y.shape[1] // len(weights)
    each = len(cell.state) - 1  # states besides h
    finals = []
    for d in range(len(weights)):
        h = y[:, d * width : (d + 1) * width].index_select(0, rows.last(backwards=d == 1))
        finals.append((h, *carried[d * each : (d + 1) * each]))
    return y, finals


def why_not(cell: AnyCell, device: torch.device, dtype: torch.dtype) -> str | None:
    """What keeps this path from computing a cell; None if nothing does."""
    if not isinstance(cell, Cell):
        return "has LSTM cells alone"
    if cell.block_size > 1:
        return "has no blocks of cells"
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"computes in float32, bfloat16 and float16, the weights are {dtype}"
    if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return f"runs on a GPU, the weights are on {device}"
    if importlib.util.find_spec("triton") is None:
        return "needs the package triton, which is not installed"
    return _try(device)


@cache
def _try(device: torch.device) -> str | None:
    """What goes wrong with one step of one cell, for want of a compiler, a driver, a newer GPU."""
    try:
        from seqlabel.lstm.triton_gates import Gates, interpreted

        if device.type != "cuda" and not interpreted():
            return f"runs on a GPU, the weights are on {device}"
        a, c = torch.zeros(2, 4, device=device), torch.zeros(2, 1, device=device)
        with _on(device):
            Gates(Cell(), 1, False).forward(a, c, 1, c, torch.zeros_like(c), c, 1, 0)
        float(c.sum())  # waits for it
    except Exception as error:  # each of these raises an error of its own
        cause = str(error).strip().partition("\n")[0]
        return f"fails on {device} ({type(error).__name__}: {cause})"
    return None


def _on(device: torch.device) -> AbstractContextManager[Any]:
    """Kernels start on the current device, which need not be that of the tensors."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@dataclass(frozen=True)
class Layer:
    """What a layer is computed with besides tensors."""

    cell: Cell
    rows: Rows
    how: Recurrence

    def directions(self, tensors: Sequence[Tensor | None]) -> list["DirectionRun"]:
        """From a flat list of tensors: of each direction its weights, state, mask and fades."""
        from seqlabel.lstm.triton_direction import DirectionRun

        known = [None if tensor is None else tensor.detach() for tensor in tensors]
        fields = len(Weights._fields)
        each = fields + len(self.cell.state) + 2
        directions = []
        for number, first in enumerate(range(0, len(known), each)):
            *values, mask, fade = known[first : first + each]
            weights, state = Weights(*values[:fields]), tuple(values[fields:])  # type: ignore[arg-type]
            directions.append(
                DirectionRun(self.cell, self.rows, self.how, number, weights, state, mask, fade)  # type: ignore[arg-type]
            )
        return directions


class _Function(torch.autograd.Function):
    """x (rows, I) and the tensors of all directions -> y, and the final states besides h."""

    @staticmethod
    def forward(ctx, layer: Layer, x: Tensor, *tensors: Tensor | None):
        directions = layer.directions(tensors)
        width = sum(direction.width for direction in directions)
        y = x.new_empty(len(x) + layer.rows.batch, width)
        memories = [direction.allocate(y) for direction in directions]
        with _on(x.device), torch.autocast(x.device.type, enabled=False):
            for direction, memory in zip(directions, memories, strict=True):
                direction.forward(x.detach(), y, memory)
        ctx.layer, ctx.inputs = layer, len(tensors)
        ctx.save_for_backward(x, y, *tensors, *chain(*memories))
        finals = (d.final_states(m) for d, m in zip(directions, memories, strict=True))
        return y[: len(x)], *chain(*finals)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor, *dfinals: Tensor):
        from seqlabel.lstm.triton_direction import Memory

        x, y, *tensors = ctx.saved_tensors
        directions = ctx.layer.directions(tensors[: ctx.inputs])
        filled = iter(tensors[ctx.inputs :])
        each = len(dfinals) // len(directions)
        dy, dx, gradients = dy.contiguous(), None, []
        with _on(x.device), torch.autocast(x.device.type, enabled=False):
            for number, direction in enumerate(directions):
                memory = Memory(*(next(filled) for _ in Memory._fields))
                own = dfinals[number * each : (number + 1) * each]
                da, result = direction.backward(x, y, memory, dy, own)
                gradients += result
                if ctx.needs_input_grad[1]:
                    part = da @ direction.weights.input
                    dx = part if dx is None else dx.add_(part)
        return None, dx, *gradients
