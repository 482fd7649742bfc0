"""One direction of a layer as the compiled time loops take it: weights, memory, gradients."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlabel.lstm import products, sequence
from seqlabel.lstm.cell import AnyCell, Cell, Gru
from seqlabel.lstm.gates import kernels
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.plan import plan_direction
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.weights import Weights

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Layer:
    """What a layer is computed with besides tensors."""

    cell: AnyCell
    rows: Rows
    how: Recurrence
    bf16: bool

    @property
    def reads_state(self) -> bool:
        return isinstance(self.cell, Cell) and self.cell.peephole.startswith("state")


class Memory(NamedTuple):
    """What the time loop fills (`sequence.Frames`); empty where the cell has no use for it."""

    a: Tensor
    c: Tensor
    m: Tensor
    masked: Tensor  # h under the mask of recurrent dropout
    short: Tensor
    faded: Tensor


class _Ordered(NamedTuple):
    """`Weights` with their rows in the order of the kernels' parts, empty where None."""

    input: Tensor
    recurrent: Tensor
    gate_recurrent: Tensor
    bias: Tensor
    peephole: Tensor
    projection: Tensor
    decay: Tensor
    decay_bias: Tensor


class DirectionRun:
    """A direction's weights, initial state, mask of recurrent dropout and fades, and their use.

    Direction 0 runs forwards, 1 backwards.
    """

    def __init__(
        self,
        layer: Layer,
        number: int,
        weights: Weights,
        state: State,
        mask: Tensor | None,
        fade: Tensor | None,
    ) -> None:
        self.layer, self.cell, self.number = layer, layer.cell, number
        self.weights, self.state = weights, state
        self.mask = mask
        self.fade = fade
        self.width = state[0].shape[1]
        self.cells = state[isinstance(layer.cell, Cell)].shape[1]
        self.kernels = kernels(layer.cell, layer.how.truncate)
        self.plan = plan_direction(layer.rows, layer.how, backwards=number == 1)
        widest = max(self.kernels.parts * self.cells, weights.input.shape[1], self.width)
        self.products = products.prepare(layer.bf16, int(self.plan.chunk_size.max()), widest)
        self.constants = sequence.Constants(
            self.cells,
            layer.reads_state,
            layer.how.truncate,
            self.kernels.forward,
            self.kernels.backward,
        )

    def allocate(self, y: Tensor) -> Memory:
        """Room for this direction; the initial states go into the rows behind the last frame's."""
        h, *others = self.state
        total, frames = len(y), len(y) - len(h)
        y[frames:, self.number * self.width : (self.number + 1) * self.width] = h
        a = y.new_empty(total, self.kernels.parts * self.cells)
        c = masked = m = y.new_empty(0, 0)
        if isinstance(self.cell, Cell | Gru):  # the state of a GRU is its h
            c = y.new_empty(total, self.cells)
            c[frames:] = others[0] if others else h
        for gates in others[1:]:
            a[frames:, : gates.shape[1]] = gates
        if self.weights.projection is not None:
            m = y.new_empty(frames, self.cells)
        if self.mask is not None:
            masked = y.new_empty(total, self.width)
            masked[frames:] = h * self.mask
        short = y.new_empty(0 if self.fade is None else frames, self.cells)
        return Memory(a, c, m, masked, short, torch.empty_like(short))

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        memory: Memory,
        matrices: sequence.Matrices | None = None,
    ) -> partial[None]:
        """The work that fills the memory and this direction's columns of y.

        matrices: what `forward_matrices` gave, where the weights are used again.
        """
        matrices = matrices or self.forward_matrices()
        frames = self._frames(x, y, memory)
        return partial(sequence.forward, self.products, self.constants, self.plan, matrices, frames)

    def forward_matrices(self) -> sequence.Matrices:
        """The weights as the time loop takes them."""
        return self._matrices(self._ordered(), transposed=True)

    def final_states(self, memory: Memory) -> list[Tensor]:
        """All but h."""
        last = self.layer.rows.last(backwards=self.number == 1)
        named = {"c": memory.c, "gates": memory.a}
        return [
            named[name][:, : state.shape[1]].index_select(0, last)
            for name, state in zip(self.cell.state[1:], self.state[1:], strict=True)
        ]

    def backward(
        self,
        x: Tensor,
        y: Tensor,
        memory: Memory,
        dy: Tensor,
        dfinals: Sequence[Tensor],
        dx: Tensor,
    ) -> tuple[partial[None], "Results"]:
        """The work that fills dx and the gradients returned beside it."""
        weights = self._ordered()
        dw = _Ordered(*(torch.zeros_like(weight) for weight in weights))
        batch = self.layer.rows.batch
        dh = dy.new_zeros(batch, self.width)
        finals = [d.clone(memory_format=torch.contiguous_format) for d in dfinals]
        dc = finals[0] if finals else dy.new_zeros(batch, self.cells)
        dgates = finals[1] if len(finals) > 1 else dy.new_zeros(batch, 0)
        work = partial(
            sequence.backward,
            self.products,
            self.constants,
            self.plan,
            self._matrices(weights, transposed=False),
            self._frames(x, y, memory),
            sequence.Gradients(*_arrays((dy, dh, dc, dgates, dx))),
            sequence.Matrices(*_arrays(dw)),
            self._scratch(weights),
        )
        return work, Results(self, dw, dh, dc, dgates)

    def _ordered(self) -> _Ordered:
        none = self.weights.input.new_empty(0, 0)
        w = _Ordered(*(none if weight is None else weight for weight in self.weights))
        if isinstance(self.cell, Gru):  # r, u, n -> n, r, u: the parts that h reaches
            bias = torch.cat([w.bias.new_zeros(self.cells), w.bias])
            w = w._replace(recurrent=w.recurrent.roll(self.cells, 0), bias=bias)
            return w._replace(decay_bias=w.decay_bias.flatten())
        bias = w.input.new_zeros(len(w.input))
        bias[: len(w.bias)] = w.bias.flatten()
        return w._replace(bias=bias, decay_bias=w.decay_bias.flatten())

    def _matrices(self, w: _Ordered, transposed: bool) -> sequence.Matrices:
        vectors = ("bias", "peephole", "decay_bias")
        return sequence.Matrices(
            *(
                value.contiguous().numpy()
                if name in vectors
                else products.weight(self.products, value, transposed)
                for name, value in zip(_Ordered._fields, w, strict=True)
            )
        )

    def _frames(self, x: Tensor, y: Tensor, memory: Memory) -> sequence.Frames:
        column = self.number * self.width
        mask = y.new_empty(0, 0) if self.mask is None else self.mask
        source, source_column = y, column
        if self.layer.reads_state:
            source, source_column = memory.c, 0
        elif self.mask is not None:
            source, source_column = memory.masked, 0
        fade = y.new_empty(0) if self.fade is None else self.fade
        x_, a, c, m, y_, source_, *rest = _arrays(
            [x, memory.a, memory.c, memory.m, y, source, mask, fade, *memory[-2:]]
        )
        return sequence.Frames(x_, a, c, m, y_, column, source_, source_column, *rest)

    def _scratch(self, w: _Ordered) -> sequence.Scratch:
        rows, batch = int(self.plan.chunk_size.max()), self.layer.rows.batch
        projected = len(w.projection)
        da = w.input.new_empty(rows, self.kernels.parts * self.cells)
        source = da.new_empty(rows, w.recurrent.shape[1])
        gates = da.new_empty(rows, w.gate_recurrent.shape[1])
        dr = da.new_empty(rows, projected)
        dm = da.new_empty(batch, self.cells if projected else 0)
        ds = da.new_empty(0 if self.fade is None else rows, self.cells)
        return sequence.Scratch(
            *_arrays((da, source, gates, dr, dm, torch.zeros_like(dm), ds, torch.empty_like(ds)))
        )


class Results(NamedTuple):
    """Gradients of one direction, to be read when the work is done."""

    direction: DirectionRun
    dw: _Ordered
    dh: Tensor
    dc: Tensor
    dgates: Tensor

    def tensors(self) -> list[Tensor | None]:
        """In the order and the shapes of weights, initial state, mask and fades."""
        cells, dw = self.direction.cells, self.dw
        states: State = (self.dh, self.dc, self.dgates)
        if isinstance(self.direction.cell, Gru):
            dw = dw._replace(recurrent=dw.recurrent.roll(-cells, 0), bias=dw.bias[cells:])
            states = (self.dh + self.dc,)
        weights = [
            None if weight is None else gradient[: len(weight)]  # a bias may be of gates only
            for weight, gradient in zip(self.direction.weights, dw, strict=True)
        ]
        return [*weights, *states[: len(self.direction.state)], None, None]


def _arrays(tensors: Iterable[Tensor]) -> list[Any]:
    return [tensor.contiguous().numpy() for tensor in tensors]
