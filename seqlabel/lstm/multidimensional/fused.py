"""The fast CPU path: a layer, all directions, as one autograd function on packed pixels.

Computes what `reference.py` computes, in float32 and to about 1e-6, differentiable once.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlabel.lstm import runtime
from seqlabel.lstm.blas import address
from seqlabel.lstm.lanes import WIDTH
from seqlabel.lstm.multidimensional import diagonals
from seqlabel.lstm.multidimensional.cell import MapCell
from seqlabel.lstm.multidimensional.gates import kernels
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.lstm.multidimensional.plan import plan_columns
from seqlabel.lstm.weights import Weights

_NAMES = diagonals.Matrices._fields


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
        # one row per direction, see `diagonals.Pixels`
        kept = x.new_empty(layer.cell.directions, len(x) * (layer.parts + layer.cells) + WIDTH)
        weights = _contiguous(tensors)
        _run(
            partial(
                diagonals.forward, _constants(layer), plan, rows, _addresses(weights),
                x.numpy(), kept.numpy(), y.numpy(),
            ),
            layer.cell.directions,
        )  # fmt: skip
        ctx.layer = layer
        ctx.save_for_backward(x, y, kept, *tensors)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor):
        layer: Layer = ctx.layer
        x, y, kept, *tensors = ctx.saved_tensors
        plan, rows, before = plan_columns(layer.grid)
        weights = _contiguous(tensors)
        gradients = [None if w is None else torch.empty_like(w) for w in weights]
        dxs = [torch.empty_like(x if ctx.needs_input_grad[1] else x[:0]) for _ in range(2)]
        _run(
            partial(
                diagonals.backward, _constants(layer), plan, rows, before,
                _addresses(weights), _addresses(gradients),
                x.numpy(), kept.numpy(), y.numpy(), dy.contiguous().numpy(),
                (dxs[0].numpy(), dxs[1].numpy()),
            ),
            layer.cell.directions,
        )  # fmt: skip
        dx = dxs[0].add_(dxs[1]) if ctx.needs_input_grad[1] else None
        return None, dx, *gradients


def _contiguous(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if t is None else t.contiguous() for t in tensors]


def _addresses(tensors: Sequence[Tensor | None]) -> np.ndarray:
    """(2^D, 4) addresses, 0 where a cell has no such weights."""
    found = [0 if t is None else t.data_ptr() for t in tensors]
    return np.array(found).reshape(-1, len(_NAMES))


_STEPS = np.arange(WIDTH)
_STEPS_AT = _STEPS.ctypes.data


def _constants(layer: Layer) -> diagonals.Constants:
    return diagonals.Constants(
        layer.cells, layer.cell.dims, _STEPS_AT, address("sgemm_"), *kernels(layer.cell)
    )


def _run(kernel: Callable[[int, int], None], directions: int) -> None:
    """Runs a kernel for all directions, with two threads one half beside the other."""
    if torch.get_num_threads() < 2:
        kernel(0, directions)
        return
    cut = directions // 2
    runtime.side_by_side((partial(kernel, cut, directions), partial(kernel, 0, cut)))
