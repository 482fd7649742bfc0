"""One direction of a layer, step by step: products of torch, gates as one Triton kernel a step.

On packed rows, in the order of `plan.py`: the input products of all rows as one product; then for
each segment the recurrent product in place, and the gates. Backwards the same in reverse, and the
gradients of all weights as products over all rows. All row numbers are known on the host, so
nothing waits for the device between the steps.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqlabel.lstm.cell import Cell
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.plan import plan_direction
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.triton_gates import Gates
from seqlabel.lstm.weights import Weights

State = tuple[Tensor, ...]


class Memory(NamedTuple):
    """What the time loop fills; a, c and masked end with one row per initial state."""

    a: Tensor  # (rows + B, A) net inputs, then activations
    c: Tensor  # (rows + B, N), float32
    m: Tensor  # (rows, N) h before projection, empty without
    masked: Tensor  # (rows + B, S) h under the mask of recurrent dropout, empty without
    short: Tensor  # (rows, N) float32, what time fades of the state before, empty without
    faded: Tensor  # (rows, N) float32, the state before as the gates then read it


class Segment(NamedTuple):
    """Rows computed together, as the columns of `Plan`."""

    row: int
    size: int
    before: int
    place: int
    cut: bool


@lru_cache(maxsize=8)  # the layers of a stack share it
def _segments(rows: Rows, how: Recurrence, backwards: bool) -> tuple[list[Segment], Tensor]:
    """The segments of a direction, and (rows,) int64: the row each row comes from."""
    columns = plan_direction(rows, how, backwards)[: len(Segment._fields)]
    segments = [Segment(*numbers) for numbers in zip(*(c.tolist() for c in columns), strict=True)]
    source = np.empty(len(rows.index), dtype=np.int64)
    for row, size, before, _, _ in segments:
        source[row : row + size] = np.arange(before, before + size)
    return segments, torch.from_numpy(source).to(rows.index.device)


class DirectionRun:
    """A direction's weights, initial state, mask of recurrent dropout and fades, and their use.

    Direction 0 runs forwards, 1 backwards.
    """

    def __init__(
        self,
        cell: Cell,
        rows: Rows,
        how: Recurrence,
        number: int,
        weights: Weights,
        state: State,
        mask: Tensor | None,
        fade: Tensor | None,
    ) -> None:
        self.cell, self.rows, self.number, self.how = cell, rows, number, how
        self.weights, self.state = weights, state
        self.reads_state = cell.peephole.startswith("state")
        self.mask = mask
        self.fade = None if fade is None else fade.float()[:, None]
        self.width, self.cells = state[0].shape[1], state[1].shape[1]
        self.gates = Gates(cell, self.cells, how.truncate)
        self.segments, self.source = _segments(rows, how, number == 1)

    def own(self, y: Tensor) -> Tensor:
        """The columns of this direction."""
        return y[:, self.number * self.width : (self.number + 1) * self.width]

    def allocate(self, y: Tensor) -> Memory:
        """Room for this direction; the initial states go into the rows behind the last frame's."""
        h, c_0, *gates = self.state
        total, frames = len(y), len(y) - len(h)
        self.own(y)[frames:] = h
        a = y.new_empty(total, len(self.weights.input))
        for active in gates:
            a[frames:, : active.shape[1]] = active
        c = y.new_empty(total, self.cells, dtype=torch.float32)
        c[frames:] = c_0
        m = masked = y.new_empty(0, 0)
        if self.weights.projection is not None:
            m = y.new_empty(frames, self.cells)
        if self.mask is not None:
            masked = y.new_empty(total, self.width)
            masked[frames:] = h * self.mask
        short = c.new_empty(0 if self.fade is None else frames, self.cells)
        return Memory(a, c, m, masked, short, torch.empty_like(short))

    def forward(self, x: Tensor, y: Tensor, memory: Memory) -> None:
        """Fills the memory and this direction's columns of y."""
        w, own = self.weights, self.own(y)
        a, c, m, masked, short, faded = memory
        read = self._read(own, memory)
        recurrent, fed_back, projection = (
            None if weight is None else weight.t()
            for weight in (w.recurrent, w.gate_recurrent, w.projection)
        )
        peephole = c if w.peephole is None else w.peephole.contiguous()
        out = own if projection is None else m
        if w.bias is None:
            torch.mm(x, w.input.t(), out=a[: len(x)])
        else:
            bias = torch.nn.functional.pad(w.bias, (0, a.shape[1] - len(w.bias)))
            torch.addmm(bias, x, w.input.t(), out=a[: len(x)])
        for row, n, before, place, _ in self.segments:
            here, there = slice(row, row + n), slice(before, before + n)
            if recurrent is not None:
                a[here, : recurrent.shape[1]].addmm_(read[there].to(a.dtype), recurrent)
            if fed_back is not None:
                a[here, : fed_back.shape[1]].addmm_(a[there, : len(fed_back)], fed_back)
            if self.fade is None:
                self.gates.forward(a, c, before, c, out, peephole, n, row)
            else:
                short[here] = self._short(c[there])
                torch.addcmul(c[there], self.fade[here], short[here], value=-1, out=faded[here])
                self.gates.forward(a, faded, row, c, out, peephole, n, row)
            if projection is not None:
                torch.mm(m[here], projection, out=own[here])
            if self.mask is not None:
                torch.mul(own[here], self.mask[place : place + n], out=masked[here])

    def final_states(self, memory: Memory) -> list[Tensor]:
        """All but h."""
        last = self.rows.last(backwards=self.number == 1)
        _, c_0, *gates = self.state
        c = memory.c.index_select(0, last).to(c_0.dtype)
        return [c, *(memory.a[:, : g.shape[1]].index_select(0, last) for g in gates)]

    def backward(
        self, x: Tensor, y: Tensor, memory: Memory, dy: Tensor, dfinals: tuple[Tensor, ...]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Gradients (rows, A) of the net inputs, and those of weights, initial state and mask.

        dfinals are the gradients of `final_states`.
        """
        w, mask, a, c = self.weights, self.mask, memory.a, memory.c
        peephole = c if w.peephole is None else w.peephole.contiguous()
        da = torch.empty_like(a[: len(x)])
        dh = y.new_zeros(self.rows.batch, self.width)
        dc = c.new_empty(self.rows.batch, self.cells).copy_(dfinals[0])
        dgates = dh[:, :0]
        if dfinals[1:]:
            dgates = y.new_empty(dfinals[1].shape).copy_(dfinals[1])
        dr = None if w.projection is None else y.new_empty(len(x), self.width)
        dm = None if w.projection is None else y.new_empty(self.rows.batch, self.cells)
        ds = torch.empty_like(memory.short)
        above = self.own(dy)
        for row, n, before, place, cut in reversed(self.segments):
            here, who = slice(row, row + n), slice(place, place + n)
            if dr is not None and dm is not None:
                torch.add(above[here], dh[who], out=dr[here])
                torch.mm(dr[here], w.projection, out=dm[who])
                d_out, after, d_out_row = dm, None, place
            else:
                d_out, after, d_out_row = above, dh, row
            old, old_row = (c, before) if self.fade is None else (memory.faded, row)
            self.gates.backward(
                a, old, old_row, c, peephole, d_out, after, dc, dgates, da, n, row, place, d_out_row
            )
            # what goes to the frame before
            if self.fade is not None:
                slope = 1 - memory.short[here].square()
                torch.mul(slope * dc[who], -self.fade[here], out=ds[here])
                if not self.how.truncate and w.decay is not None:
                    dc[who].addmm_(ds[here], w.decay.float())
            if self.how.truncate or cut:
                dh[who].zero_()
                dgates[who].zero_()
            elif self.reads_state:
                dh[who].zero_()
                if w.recurrent is not None:
                    dc[who].add_(torch.mm(da[here, : len(w.recurrent)], w.recurrent))
            else:
                torch.mm(da[here, : len(w.recurrent)], w.recurrent, out=dh[who])
                if (fed_back := w.gate_recurrent) is not None:
                    torch.mm(da[here, : len(fed_back)], fed_back, out=dgates[who])
            if cut:
                dc[who].zero_()
            if mask is not None:
                dh[who].mul_(mask[who])
        dw = self._weight_gradients(x, self._read(self.own(y), memory), memory, da, dr, ds)
        states = (dh, dc, dgates)[: len(self.state)]
        return da, [*dw, *states, None, None]

    def _short(self, c: Tensor) -> Tensor:
        """The short-term part (n, N) of states (n, N)."""
        decay, bias = self.weights.decay, self.weights.decay_bias
        assert decay is not None
        assert bias is not None
        return torch.addmm(bias.float(), c, decay.float().t()).tanh()

    def _read(self, own: Tensor, memory: Memory) -> Tensor:
        """What R reads: c, or h with the mask of recurrent dropout."""
        if self.reads_state:
            return memory.c
        return own if self.mask is None else memory.masked

    def _weight_gradients(
        self, x: Tensor, read: Tensor, memory: Memory, da: Tensor, dr: Tensor | None, ds: Tensor
    ) -> list[Tensor | None]:
        """In the order of `Weights`, as sums over all rows that torch takes in a fixed order."""
        w, source = self.weights, self.source
        a, c, m = memory[:3]

        def over_rows(weight: Tensor | None, what: Tensor) -> Tensor | None:
            if weight is None:
                return None
            made_of = what[:, : weight.shape[1]].index_select(0, source).to(da.dtype)
            return da[:, : len(weight)].t() @ made_of

        peephole = None
        if w.peephole is not None:
            before = c.index_select(0, source) if self.fade is None else memory.faded
            seen = dict.fromkeys(self.cell.gates, before)
            if self.cell.peephole == "diagonal":
                seen["o"] = c[: len(da)]  # the output gate sees the new state
            parts = zip(self.cell.gates, da.split(self.cells, dim=1), strict=False)
            peephole = torch.stack([(part * seen[gate]).sum(dim=0) for gate, part in parts])
        return [
            da.t() @ x,
            over_rows(w.recurrent, read),
            over_rows(w.gate_recurrent, a),
            None if w.bias is None else da[:, : len(w.bias)].sum(dim=0),
            peephole,
            None if dr is None else dr.t() @ m,
            None if w.decay is None else (ds.t() @ c.index_select(0, source)).to(w.decay.dtype),
            None if w.decay_bias is None else ds.sum(dim=0).to(w.decay_bias.dtype),
        ]
