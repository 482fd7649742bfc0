"""The fast CPU path: a layer, all directions, as one autograd function on packed pixels.

Computes what `reference.py` computes, in float32 and to about 1e-6, differentiable once.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.lstm import runtime
from seqlabel.lstm.blas import address
from seqlabel.lstm.multidimensional import diagonals
from seqlabel.lstm.multidimensional.cell import MapCell
from seqlabel.lstm.multidimensional.gates import kernels
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.lstm.multidimensional.plan import Plan, plan_columns
from seqlabel.lstm.weights import Weights

_NAMES = ("input", "recurrent", "bias", "peephole")
Given = Sequence[Tensor | None]
"""The weights of a direction by these names; the peepholes may be absent."""


class Layer(NamedTuple):
    """What a layer is computed with besides tensors."""

    cell: MapCell
    grid: Grid
    cells: int

    @property
    def parts(self) -> int:
        """A, rows of net inputs."""
        return (len(self.cell.gates) + 1) * self.cells


def run_layer(cell: MapCell, weights: Sequence[Weights], x: Tensor, grid: Grid) -> Tensor:
    """As `reference.run_layer`."""
    runtime.settle()
    tensors = [getattr(w, name) for w in weights for name in _NAMES]
    layer = Layer(cell, grid, weights[0].recurrent.shape[1] // cell.dims)
    y: Tensor = _Function.apply(layer, x, *tensors)
    return y


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """What keeps this path from computing a layer; None if nothing does."""
    if device.type != "cpu":
        return f"runs on the CPU, the weights are on {device}"
    if dtype != torch.float32:
        return f"computes in float32, the weights are {dtype}"
    if not address("sgemm_"):
        return "finds no float32 BLAS in this build of torch"
    return None


class _Function(torch.autograd.Function):
    """x (P, I) and the weights of all directions -> y (P, 2^D N)."""

    @staticmethod
    def forward(ctx, layer: Layer, x: Tensor, *tensors: Tensor | None):
        plan, rows, _ = plan_columns(layer.grid)
        x = x.detach().contiguous()
        y = x.new_empty(len(x), layer.cell.directions * layer.cells)
        kept, work = [], []
        for number, weights in enumerate(_directions(tensors)):
            memory = [x.new_empty(len(x) * n) for n in (layer.parts, layer.cells, layer.cells)]
            pixels = _pixels(x, rows[number], memory, y, number * layer.cells)
            room = _scratch(layer, plan, x, backward=False)
            args = (_constants(layer), plan, _matrices(weights), pixels, room)
            work.append(partial(diagonals.forward, *args))
            kept += memory
        _in_two(work)
        ctx.layer, ctx.inputs = layer, len(tensors)
        ctx.save_for_backward(x, *tensors, *kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor):
        layer: Layer = ctx.layer
        x, *tensors = ctx.saved_tensors
        plan, rows, _ = plan_columns(layer.grid)
        dy = dy.contiguous()
        work, gradients, dxs = [], [], []
        memories = tensors[ctx.inputs :]
        for number, weights in enumerate(_directions(tensors[: ctx.inputs])):
            memory = memories[3 * number : 3 * number + 3]
            pixels = _pixels(x, rows[number], memory, dy, number * layer.cells)
            room = _scratch(layer, plan, x, backward=True)
            own = [None if weight is None else torch.zeros_like(weight) for weight in weights]
            dx = torch.zeros_like(x if ctx.needs_input_grad[1] else x[:0])
            matrices = _matrices(weights), pixels, _matrices(own)
            args = (_constants(layer), plan, *matrices, dx.numpy(), room)
            work.append(partial(diagonals.backward, *args))
            gradients += own
            dxs.append(dx)
        _in_two(work)
        for dx in dxs[1:]:
            dxs[0].add_(dx)
        return None, dxs[0] if ctx.needs_input_grad[1] else None, *gradients


def _directions(tensors: Given) -> list[Given]:
    each = len(_NAMES)
    known = [None if t is None else t.detach().contiguous() for t in tensors]
    return [known[first : first + each] for first in range(0, len(known), each)]


def _constants(layer: Layer) -> diagonals.Constants:
    return diagonals.Constants(
        layer.cells, layer.cell.dims, address("sgemm_"), *kernels(layer.cell)
    )


def _matrices(weights: Given) -> diagonals.Matrices:
    none = torch.empty(0, 0)
    w, r, b, p = (none if weight is None else weight for weight in weights)
    return diagonals.Matrices(*_arrays((w, r, r.t(), b, p)))


def _pixels(
    x: Tensor, rows: np.ndarray, memory: Sequence[Tensor], y: Tensor, column: int
) -> diagonals.Pixels:
    a, c, h = _arrays(memory)
    return diagonals.Pixels(x.numpy(), rows, a, c, h, y.numpy(), column)


def _scratch(layer: Layer, plan: Plan, x: Tensor, backward: bool) -> diagonals.Scratch:
    """Room for the widest chunk and diagonal."""
    chunk = int(np.diff(plan.first[plan.chunk]).max())
    diagonal = int(np.diff(plan.first).max()) if backward else 0
    sources = layer.cell.dims * layer.cells
    shapes = [
        (chunk, x.shape[1]),
        (2, sources * chunk),
        (layer.parts * chunk * backward,),
        (2, sources * diagonal),
        (2, layer.cells * diagonal),
        (2, layer.cells * diagonal),
    ]
    return diagonals.Scratch(*(np.empty(shape, np.float32) for shape in shapes))


def _in_two(work: Sequence[partial[None]]) -> None:
    """Runs the directions, half of them beside the others where torch may use two threads."""
    half = len(work) // 2

    def run(part: Sequence[partial[None]]) -> None:
        for direction in part:
            direction()

    runtime.side_by_side([partial(run, part) for part in (work[half:], work[:half]) if part])


def _arrays(tensors: Iterable[Tensor]) -> list[Any]:
    return [tensor.contiguous().numpy() for tensor in tensors]
