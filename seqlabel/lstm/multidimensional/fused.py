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
from seqlabel.lstm.lanes import WIDTH
from seqlabel.lstm.multidimensional import diagonals
from seqlabel.lstm.multidimensional.cell import MapCell
from seqlabel.lstm.multidimensional.gates import TILE, kernels
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
        constants = _constants(layer)
        rooms = [_forward_room(layer, plan, x) for _ in range(_threads())]
        kept, work = [], []
        for number, weights in enumerate(_directions(tensors)):
            memory = x.new_empty(len(x) * (layer.parts + layer.cells) + WIDTH)
            pixels = _pixels(x, rows[number], memory, y, number * layer.cells)
            room = rooms[number * len(rooms) // layer.cell.directions]
            args = (constants, plan, _matrices(weights), pixels, room)
            work.append(partial(diagonals.forward, *args))
            kept.append(memory)
        _run(work, len(rooms))
        ctx.layer, ctx.inputs = layer, len(tensors)
        ctx.save_for_backward(x, y, *tensors, *kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy: Tensor):
        layer: Layer = ctx.layer
        x, y, *tensors = ctx.saved_tensors
        plan, rows, before = plan_columns(layer.grid)
        dy = dy.contiguous()
        constants = _constants(layer)
        rooms = [_backward_room(layer, plan, x) for _ in range(_threads())]
        # one sum for each half of the directions, so that two threads give what one does
        dxs = [torch.empty_like(x if ctx.needs_input_grad[1] else x[:0]) for _ in range(2)]
        work: list[partial[None]] = []
        gradients: list[Tensor | None] = []
        memories = tensors[ctx.inputs :]
        # the direction computed last comes first: what it left is still in the cache
        for number, weights in reversed([*enumerate(_directions(tensors[: ctx.inputs]))]):
            half = number * 2 // layer.cell.directions
            add = half == (number + 1) * 2 // layer.cell.directions  # the last of a half puts
            pixels = _pixels(x, rows[number], memories[number], y, number * layer.cells)
            own = [None if weight is None else torch.empty_like(weight) for weight in weights]
            args = (constants, plan, before, _matrices(weights), pixels, dy.numpy())
            results = (_matrices(own), dxs[half].numpy(), add)
            room = rooms[half * len(rooms) // 2]
            work.append(partial(diagonals.backward, *args, *results, room))
            gradients = own + gradients
        _run(work, len(rooms))
        dx = dxs[0].add_(dxs[1]) if ctx.needs_input_grad[1] else None
        return None, dx, *gradients


def _directions(tensors: Given) -> list[Given]:
    each = len(_NAMES)
    known = [None if t is None else t.detach().contiguous() for t in tensors]
    return [known[first : first + each] for first in range(0, len(known), each)]


_STEPS = np.arange(WIDTH)
_STEPS_AT = _STEPS.ctypes.data


def _constants(layer: Layer) -> diagonals.Constants:
    return diagonals.Constants(
        layer.cells, layer.cell.dims, _STEPS_AT, address("sgemm_"), *kernels(layer.cell)
    )


def _matrices(weights: Given) -> diagonals.Matrices:
    none = torch.empty(0, 0)
    return diagonals.Matrices(*_arrays(none if weight is None else weight for weight in weights))


def _pixels(
    x: Tensor, rows: np.ndarray, memory: Tensor, y: Tensor, column: int
) -> diagonals.Pixels:
    return diagonals.Pixels(x.numpy(), rows, memory.numpy(), y.numpy(), column)


def _forward_room(layer: Layer, plan: Plan, x: Tensor) -> diagonals.Scratch:
    inputs, sources = x.shape[1], layer.cell.dims * layer.cells
    # an odd number of cache lines to a row, for rows to lie in different sets of the cache
    widest = -(-plan.widest_diagonal // TILE) * TILE + WIDTH
    return _room(
        packed=(layer.parts * (1 + inputs + sources),),
        source=(inputs + 2 * sources, widest),
        h=(2, layer.cells, widest),
        net=(layer.parts // layer.cells * TILE,),
    )


def _backward_room(layer: Layer, plan: Plan, x: Tensor) -> diagonals.Scratch:
    chunk, diagonal = plan.widest_chunk, plan.widest_diagonal
    inputs, sources = x.shape[1], layer.cell.dims * layer.cells
    return _room(
        inputs=(chunk, inputs + sources),
        x=(chunk * inputs,),
        wide=(layer.parts if inputs <= WIDTH else 0, WIDTH),
        before=(sources * diagonal + WIDTH,),
        da=(layer.parts * chunk + WIDTH,),
        dbefore=(2, sources * diagonal + WIDTH),
        dh=(2, layer.cells * diagonal + WIDTH),
        dc=(2, layer.cells * diagonal + WIDTH),
        dw=(layer.parts, inputs + sources),
        sums=(layer.parts + (layer.cell.dims + 2) * layer.cells, WIDTH),
    )


_NO_ROOM = diagonals.Scratch(
    *(np.empty((0,) * dims, np.float32) for dims in (1, 2, 3, 1, 2, 1, 2, 1, 1, 2, 2, 2, 2, 2))
)


def _room(**shapes: tuple[int, ...]) -> diagonals.Scratch:
    """Scratch memory, which torch aligns to cache lines."""
    return _NO_ROOM._replace(**{name: torch.empty(shape).numpy() for name, shape in shapes.items()})


def _threads() -> int:
    """Threads to compute on, with scratch memory each."""
    return min(torch.get_num_threads(), 2)


def _run(work: Sequence[partial[None]], threads: int) -> None:
    """Runs the directions, with two threads one half beside the other."""

    def run(part: Sequence[partial[None]]) -> None:
        for direction in part:
            direction()

    cut = len(work) // threads
    runtime.side_by_side(partial(run, part) for part in (work[cut:], work[:cut]) if part)


def _arrays(tensors: Iterable[Tensor]) -> list[Any]:
    return [tensor.numpy() for tensor in tensors]
