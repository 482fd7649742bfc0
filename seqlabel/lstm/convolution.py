"""The peephole convolutional LSTM (Shi et al. 2015): cells in maps with convolutions over their
neighbours.

"Convolutional LSTM network: a machine learning approach for precipitation nowcasting", equation 3.
x, h and c are maps with channels, * is a convolution that keeps the size of the maps, ∘ a product
for each cell:

    i = σ(W_i * x + U_i * h⁻ + p_i ∘ c⁻ + b_i)
    f = σ(W_f * x + U_f * h⁻ + p_f ∘ c⁻ + b_f)
    c = f ∘ c⁻ + i ∘ tanh(W_z * x + U_z * h⁻ + b_z)
    o = σ(W_o * x + U_o * h⁻ + p_o ∘ c + b_o)
    h = o ∘ tanh(c)

By the weight counts of the paper there is one peephole for each channel; there may be one for each
channel and position. The output gate sees the new c, not c⁻ as in some later texts. Other
cells of the family (`seqlabel.lstm.cell`) are made convolutional in the same way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm.cell import AnyCell, Cell, as_cell
from seqlabel.lstm.convolution_direction import run_compiled, why_not_compiled
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.reference import run_gates
from seqlabel.lstm.rows import Rows, check_finite, check_lengths, check_type

State = tuple[Tensor, Tensor]


class ConvLSTM(nn.Module):
    """One layer of convolutional cells, in one or both directions of time.

        y, state = layer(x, lengths)    # (B, T, C, H, W), (B,) -> (B, T, D * N, H, W), see forward

    input_channels      C; 0 for maps without input
    channels    N of the cells, for each direction
    kernel      width of U and, unless `input_kernel` says otherwise, of W; odd
    cell        a preset's name, a `Cell` or its flags; no blocks, projection, fed-back gates, decay
    positions   (H, W) gives every position peepholes of its own, and fixes the size of the maps;
                None shares them within a channel, for maps of any size
    truncate, tbptt     as in `LSTM`
    backend     "reference", "fused" (CPU, float32: the gates compiled, the convolutions of all
                frames as large calls), or "auto" for the faster one that can

    Sequences are computed without their padding. Raises InputError for contradictory options.
    """

    def __init__(
        self,
        input_channels: int,
        channels: int,
        kernel: int = 3,
        input_kernel: int = 0,
        bidirectional: bool = False,
        cell: AnyCell | str | Mapping[str, Any] = "peephole",
        positions: tuple[int, int] | None = None,
        *,
        truncate: Literal["none", "1997"] = "none",
        tbptt: int = 0,
        forget_bias: float | None = None,
        backend: Literal["auto", "reference", "fused"] = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        input_kernel = input_kernel or kernel
        self.cell = _convolutional(cell)
        if input_channels < 0 or min(channels, kernel, input_kernel) < 1:
            raise InputError(
                "channels, kernel and input_kernel must be at least 1, input_channels not negative"
            )
        if kernel % 2 == 0 or input_kernel % 2 == 0:
            raise InputError(
                f"kernels of width {kernel} and {input_kernel}: must be odd to keep the size of "
                "the maps"
            )
        if truncate not in ("none", "1997"):
            raise InputError(f"truncate={truncate!r} is not one of none, 1997")
        if forget_bias is not None and "f" not in self.cell.gates:
            raise InputError("forget_bias is given, but this cell has no forget gate: leave it out")
        self.input_channels, self.channels, self.positions = input_channels, channels, positions
        self.directions = 1 + bidirectional
        self.how = Recurrence(truncate == "1997", tbptt)
        self.forget_bias, self.backend = forget_bias, backend
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        gates, parts = len(self.cell.gates), len(self.cell.gates) + 1
        shapes: dict[str, tuple[int, ...]] = {}
        if input_channels:
            shapes["input"] = (parts * channels, input_channels, input_kernel, input_kernel)
        shapes |= {
            "recurrent": (parts * channels, channels, kernel, kernel),
            "bias": (parts * channels,),
        }
        if self.cell.peephole != "none":
            shapes["peephole"] = (gates, channels, *(positions or (1, 1)))
        self.weights = nn.ModuleList(
            nn.ParameterDict(
                {name: nn.Parameter(torch.empty(shape, **where)) for name, shape in shapes.items()}
            )
            for _ in range(self.directions)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws kernels uniformly in ± 1 / sqrt(what a cell sees by them), the rest as U."""
        for weights in self.weights:
            for name, weight in weights.items():  # type: ignore[operator]
                kernel = weight if name == "input" else weights["recurrent"]  # type: ignore[index]
                scale = kernel[0].numel() ** -0.5
                nn.init.uniform_(weight, -scale, scale)
            if self.forget_bias is not None:
                first = self.cell.gates.find("f") * self.channels
                with torch.no_grad():
                    weights["bias"][first : first + self.channels] = self.forget_bias  # type: ignore[index]

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | Sequence[int] | None = None,
        state: State | None = None,
    ) -> tuple[Tensor, State]:
        """x (B, T, C, H, W), lengths (B,) integers (None: all T) -> y (B, T, D * N, H, W), state.

        state: initial (h, c) of shape (D, B, N, H, W) each, zeros if None; the returned one is
        that after the last frame of each sequence, for the backward direction after the first one.
        y is zero in the padding. Raises InputError for shapes, lengths or values that do not fit.
        """
        if x.dim() != 5 or x.shape[2] != self.input_channels or 0 in x.shape[3:]:
            raise InputError(
                f"the input has shape {tuple(x.shape)}, expected "
                f"(B, T, {self.input_channels}, H, W)"
            )
        if self.positions is not None and tuple(x.shape[3:]) != tuple(self.positions):
            raise InputError(
                f"maps of {tuple(x.shape[3:])}, but the peepholes are of {self.positions}: give "
                "maps of this size, or positions=None"
            )
        x = check_type(x, next(self.parameters()))
        rows = Rows.of(check_lengths(lengths, *x.shape[:2]), x.shape[1], x.device)
        frames = rows.pack(x)
        check_finite(frames.flatten(1), rows, x.flatten(2))
        start = self._split_state(state, rows, frames)
        outputs, finals = [], []
        for number, weights in enumerate(self.weights):
            y, final = self._run(number, weights, frames, rows, start[number])
            outputs.append(y)
            finals.append(final)
        packed = torch.cat(outputs, dim=1)
        y = rows.unpack(packed.flatten(1)).unflatten(2, packed.shape[1:])
        back = rows.order.argsort()
        h, c = (torch.stack(part).index_select(1, back) for part in zip(*finals, strict=True))
        return y, (h, c)

    def _split_state(self, state: State | None, rows: Rows, frames: Tensor) -> list[State]:
        """(h, c) of each direction, in the order of the rows."""
        shape = (self.directions, rows.batch, self.channels, *frames.shape[2:])
        if state is None:
            zeros = frames.new_zeros(shape)
            return [(zeros[d], zeros[d]) for d in range(self.directions)]
        if [tuple(s.shape) for s in state] != [shape, shape]:
            raise InputError(
                f"the initial state has shapes {[tuple(s.shape) for s in state]}, "
                f"expected h, c of {shape}"
            )
        h, c = (s.index_select(1, rows.order) for s in state)
        return [(h[d], c[d]) for d in range(self.directions)]

    def _run(
        self, number: int, weights: Any, frames: Tensor, rows: Rows, start: State
    ) -> tuple[Tensor, State]:
        """One direction: frames (rows, C, H, W) -> y (rows, N, H, W) and the final state."""
        size = frames.shape[2:]
        peephole = None
        if "peephole" in weights:
            peephole = weights["peephole"].expand(-1, -1, *size).flatten(1)
        recurrent = weights["recurrent"]
        bias = weights["bias"]
        if self.input_channels:
            net = _convolve(frames, weights["input"], bias)
        else:
            net = bias[:, None, None].expand(len(frames), -1, *size)
        reason = why_not_compiled(frames, recurrent)
        if self.backend == "fused" and reason:
            raise InputError(f"backend='fused' {reason}: use backend='auto'")
        backwards = number == 1
        if self.backend == "reference" or reason:
            return _run_reference(
                self.cell, self.how, recurrent, peephole, net, rows, start, backwards
            )
        return run_compiled(self.cell, self.how, recurrent, peephole, net, rows, start, backwards)


def _run_reference(
    cell: Cell,
    how: Recurrence,
    recurrent: Tensor,
    peephole: Tensor | None,
    net: Tensor,
    rows: Rows,
    state: State,
    backwards: bool,
) -> tuple[Tensor, State]:
    """From W * x + b (rows, A, H, W) on, step by step in plain torch operations."""
    h, c = state
    maps = c.shape[1:]
    frames = range(len(rows.active))
    outputs: list[Tensor] = [h] * len(frames)
    for t in reversed(frames) if backwards else frames:
        n, start = rows.active[t], rows.offset[t]
        h_before, c_before = h[:n], c[:n]
        if how.cuts(t, backwards):
            h_before, c_before = h_before.detach(), c_before.detach()
        source = h_before.detach() if how.truncate else h_before
        a = (net[start : start + n] + _convolve(source, recurrent)).flatten(1)
        cells = c_before[0].numel()
        gates, z = a[:, : a.shape[1] - cells], a[:, a.shape[1] - cells :]
        h_new, c_new, _ = run_gates(cell, gates, z, peephole, c_before.flatten(1), how.truncate)
        outputs[t] = h_new.unflatten(1, maps)
        # sequences that ended (forwards) or have not begun (backwards) keep their state
        h = torch.cat([outputs[t], h[n:]])
        c = torch.cat([c_new.unflatten(1, maps), c[n:]])
    return torch.cat(outputs), (h, c)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)


def _convolutional(cell: AnyCell | str | Mapping[str, Any]) -> Cell:
    """The cell, if it can be made convolutional."""
    made = as_cell(cell)
    if not isinstance(made, Cell):
        raise InputError(f"{cell!r} has no convolutional form: use an LSTM cell")
    if (
        made.block_size > 1
        or made.projection
        or made.gate_recurrence != "none"
        or made.bias != "all"
        or made.decay != "none"
        or made.peephole.startswith("state")
    ):
        raise InputError(
            "a convolutional cell has no blocks, projection, fed-back gates, decay, missing biases "
            f"or gates that are fed by the state: {made}"
        )
    return made
