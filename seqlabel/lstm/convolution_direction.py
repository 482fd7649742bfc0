"""The fast CPU path of `ConvLSTM`: one direction as one autograd function.

The maps of a frame are one row of N * H * W cells, so that the compiled gates of the family
(`gates.py`) serve here too. The convolution of all inputs is one call of the library, before; so
are, backwards, those of the gradients by U and by the inputs. Only U * h⁻ is left to the time loop,
in the order of `plan.py`.
"""

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_weight

from seqlabel.lstm import runtime
from seqlabel.lstm.cell import Cell
from seqlabel.lstm.gates import kernels
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.plan import plan_direction
from seqlabel.lstm.rows import Rows

State = tuple[Tensor, Tensor]


def why_not_compiled(frames: Tensor, weight: Tensor) -> str | None:
    """What keeps this path from computing a layer; None if nothing does."""
    if frames.device.type != "cpu":
        return f"runs on the CPU, the maps are on {frames.device}"
    if frames.dtype != torch.float32 or weight.dtype != torch.float32:
        return f"computes in float32, the maps are {frames.dtype}, the weights {weight.dtype}"
    return None


def run_compiled(
    cell: Cell,
    how: Recurrence,
    recurrent: Tensor,
    peephole: Tensor | None,
    net: Tensor,
    rows: Rows,
    state: State,
    backwards: bool,
) -> tuple[Tensor, State]:
    """From W * x + b (rows, A, H, W) to h (rows, N, H, W) and the final h, c (B, N, H, W)."""
    runtime.settle()
    peep = recurrent.new_zeros(0) if peephole is None else peephole
    h, c_final = _Direction.apply(cell, how, rows, backwards, recurrent, peep, net, *state)
    return h, (h.index_select(0, rows.last(backwards)), c_final)


class _Direction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        how: Recurrence,
        rows: Rows,
        backwards: bool,
        recurrent: Tensor,
        peephole: Tensor,
        net: Tensor,
        h_0: Tensor,
        c_0: Tensor,
    ) -> tuple[Tensor, Tensor]:
        total, maps = len(net), h_0.shape[1:]
        cells, width = h_0[0].numel(), net[0].numel()
        plan = plan_direction(rows, how, backwards)
        a = net.detach().clone(memory_format=torch.contiguous_format)
        h, c = net.new_empty(total + len(h_0), *maps), net.new_empty(total + len(h_0), *maps)
        h[total:], c[total:] = h_0, c_0
        peep, nothing = peephole.detach().contiguous(), net.new_zeros(width)
        kernel, padding = _forward(kernels(cell, how.truncate).forward), recurrent.shape[2] // 2
        columns = plan.row.tolist(), plan.size.tolist(), plan.before.tolist()
        for row, n, before in zip(*columns, strict=True):
            here = slice(row, row + n)
            a[here] += F.conv2d(h[before : before + n], recurrent, padding=padding)
            kernel(
                n, cells, _at(a, row), _at(c, before), _at(c, row), _at(h, row), cells,
                nothing.data_ptr(), peep.data_ptr(),
            )  # fmt: skip
        ctx.cell, ctx.how, ctx.rows, ctx.backwards = cell, how, rows, backwards
        ctx.save_for_backward(recurrent, peephole, a, h, c)
        return h[:total].clone(), c.index_select(0, rows.last(backwards))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, dc_final: Tensor) -> tuple[Any, ...]:
        recurrent, peephole, a, h, c = ctx.saved_tensors
        how, rows = ctx.how, ctx.rows
        plan = plan_direction(rows, how, ctx.backwards)
        total, cells = len(a), h[0].numel()
        dy, peep = dy.contiguous(), peephole.contiguous()
        dh, dc = torch.zeros_like(h[total:]), dc_final.clone(memory_format=torch.contiguous_format)
        da, source = torch.empty_like(a), torch.empty_like(h[:total])
        dp, unused = torch.zeros_like(peep), a.new_zeros(a[0].numel())
        none = a.new_zeros(rows.batch, a[0].numel())  # gradients of gates that nothing reads
        kernel, padding = (
            _backward(kernels(ctx.cell, how.truncate).backward),
            recurrent.shape[2] // 2,
        )
        segments = zip(*(column.tolist() for column in plan[:5]), strict=True)
        for row, n, before, place, cut in reversed(list(segments)):
            here, who = slice(row, row + n), slice(place, place + n)
            kernel(
                n, cells, _at(a, row), _at(c, before), _at(c, row), _at(dy, row), cells,
                _at(dh, place), _at(dc, place), none.data_ptr(), _at(da, row), peep.data_ptr(),
                dp.data_ptr(), unused.data_ptr(),
            )  # fmt: skip
            source[here] = h[before : before + n]
            if how.truncate or cut:
                dh[who] = 0
            else:
                dh[who] = F.conv_transpose2d(da[here], recurrent, padding=padding)
            if cut:
                dc[who] = 0
        d_recurrent = conv2d_weight(source, recurrent.shape, da, padding=padding)
        return None, None, None, None, d_recurrent, dp, da, dh, dc


def _at(rows: Tensor, row: int) -> int:
    """Address of a row."""
    return rows.data_ptr() + row * rows.stride(0) * rows.element_size()


def _forward(address: int) -> Any:
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 9)(address)


def _backward(address: int) -> Any:
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 14)(address)
