"""The gates of a cell for the rows of one time step as one Triton kernel, forwards and backwards.

A row of `a` holds the net inputs (biases added) of all parts of a cell side by side, N each: its
gates in the order of `Cell.gates`, then the cell input z. The forward kernel leaves the activations
in their place; with the states they are all that the backward kernel needs. What a flag switches
off is not compiled. Matrices may be of 16 bits; states and all arithmetic are float32.

Imports triton, which not every build of torch brings: to be imported where it is used.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from seqlabel.lstm.cell import Cell

_ROWS, _CELLS = 4, 64  # of a step, treated by one program

# Row numbers change from step to step: specialised, each kernel would be compiled several times.
_FORWARD_COUNTS = ["n", "row", "old_row"]
_BACKWARD_COUNTS = ["n", "row", "old_row", "place", "above_row"]


class Gates:
    """The two kernels with the flags of one cell."""

    def __init__(self, cell: Cell, cells: int, truncate: bool) -> None:
        self.cells = cells
        self.flags: dict[str, Any] = {
            "I": cell.gates.find("i"),
            "F": cell.gates.find("f"),
            "O": cell.gates.find("o"),
            "Z": len(cell.gates),
            "COUPLED": cell.coupled,
            "PEEPHOLE": cell.peephole,
            "G": cell.g,
            "PHI": cell.output,
            "CLIP": float(cell.cell_clip),
            "ROWS": _ROWS,
            "CELLS": min(_CELLS, triton.next_power_of_2(cells)),
            "enable_fp_fusion": True,
        }
        self.backward_flags = {
            "FEEDBACK": cell.gate_recurrence != "none",
            "THROUGH_PEEPHOLE": cell.peephole.endswith("diagonal") and not truncate,
        }

    def _grid(self, n: int) -> tuple[int, int]:
        return triton.cdiv(n, _ROWS), triton.cdiv(self.cells, self.flags["CELLS"])

    def forward(
        self,
        a: Tensor,
        old: Tensor,
        old_row: int,
        c: Tensor,
        h: Tensor,
        p: Tensor,
        n: int,
        row: int,
    ) -> None:
        """Fills n rows, from `row` on, of c (., N) and h (., N), and of a (., parts * N) in place.

        The states before are the rows of old (., N) from `old_row` on. p holds the peepholes
        (gates, N), and is not read without. h may lie in the columns of a wider matrix.
        """
        forward[self._grid(n)](
            a, old, c, h, h.stride(0), p, self.cells, n, row, old_row, **self.flags
        )  # fmt: skip

    def backward(
        self,
        a: Tensor,
        old: Tensor,
        old_row: int,
        c: Tensor,
        p: Tensor,
        above: Tensor,
        after: Tensor | None,
        dc: Tensor,
        dgates: Tensor,
        da: Tensor,
        n: int,
        row: int,
        place: int,
        above_row: int,
    ) -> None:
        """Fills n rows of da, from `row` on, and leaves in dc what goes to the states before.

        The gradient of h is that of `above` (., N), from `above_row` on, plus that of `after`
        (B, N), from `place` on, if there is any. dc (B, N) and dgates (B, gates * N), from `place`
        on, come from the step computed next.
        """
        backward[self._grid(n)](
            a, old, c, p, above, above.stride(0), dc if after is None else after, dc, dgates, da,
            self.cells, n, row, old_row, place, above_row,
            AFTER=after is not None, **self.flags, **self.backward_flags,
        )  # fmt: skip


def interpreted() -> bool:
    """Whether triton runs its kernels in Python, on tensors of the CPU (TRITON_INTERPRET=1)."""
    return not isinstance(forward, triton.JITFunction)


@triton.jit
def _tanh(x):
    """tanh(x) to 4e-7, with small errors for small x (the coefficients of Eigen's ptanh)."""
    x = tl.where(x > 7.90531110763549805, 7.90531110763549805, x)  # false for NaN, which stays
    x = tl.where(x < -7.90531110763549805, -7.90531110763549805, x)
    q = x * x
    p = -2.76076847742355e-16 * q + 2.00018790482477e-13
    p = p * q + -8.60467152213735e-11
    p = p * q + 5.12229709037114e-08
    p = p * q + 1.48572235717979e-05
    p = p * q + 6.37261928875436e-04
    p = p * q + 4.89352455891786e-03
    d = 1.19825839466702e-06 * q + 1.18534705686654e-04
    d = d * q + 2.26843463243900e-03
    d = d * q + 4.89352518554385e-03
    return p * x / d


@triton.jit
def _read(pointer, inside):
    return tl.load(pointer, mask=inside, other=0.0).to(tl.float32)


@triton.jit(do_not_specialize=_FORWARD_COUNTS)
def forward(
    a, old_c, c, h, h_stride, p, N, n, row, old_row,
    I: tl.constexpr, F: tl.constexpr, O: tl.constexpr, Z: tl.constexpr,
    COUPLED: tl.constexpr, PEEPHOLE: tl.constexpr, G: tl.constexpr, PHI: tl.constexpr,
    CLIP: tl.constexpr, ROWS: tl.constexpr, CELLS: tl.constexpr,
):  # fmt: skip
    """I, F, O and Z are the numbers of the parts, negative for a gate that the cell has not."""
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    j = tl.program_id(1) * CELLS + tl.arange(0, CELLS)[None, :]
    inside = (r < n) & (j < N)
    here, there = (row + r).to(tl.int64), (old_row + r).to(tl.int64)
    net = a + here * ((Z + 1) * N) + j
    old = _read(old_c + there * N + j, inside)

    z = _read(net + Z * N, inside)
    if G == "tanh":
        z = _tanh(z)
    elif G == "logistic":
        z = 2.0 * _tanh(0.5 * z)
    tl.store(net + Z * N, z, mask=inside)

    if I >= 0:
        i = _read(net + I * N, inside)
        if PEEPHOLE == "diagonal" or PEEPHOLE == "state-diagonal":
            i += _read(p + I * N + j, j < N) * old
        i = tl.sigmoid(i)
        tl.store(net + I * N, i, mask=inside)
        z = i * z
    if F >= 0:
        f = _read(net + F * N, inside)
        if PEEPHOLE == "diagonal" or PEEPHOLE == "state-diagonal":
            f += _read(p + F * N + j, j < N) * old
        f = tl.sigmoid(f)
        tl.store(net + F * N, f, mask=inside)
        new = f * old + z
    elif COUPLED:
        new = (1.0 - i) * old + z
    else:
        new = old + z
    if CLIP > 0:
        new = tl.where(new > CLIP, CLIP, new)
        new = tl.where(new < -CLIP, -CLIP, new)
    tl.store(c + here * N + j, new, mask=inside)

    out = new
    if PHI == "tanh":
        out = _tanh(new)
    elif PHI == "logistic":
        out = _tanh(0.5 * new)
    if O >= 0:
        o = _read(net + O * N, inside)
        if PEEPHOLE == "diagonal":
            o += _read(p + O * N + j, j < N) * new
        elif PEEPHOLE == "state-diagonal":
            o += _read(p + O * N + j, j < N) * old
        o = tl.sigmoid(o)
        tl.store(net + O * N, o, mask=inside)
        out = o * out
    tl.store(h + here * h_stride + j, out, mask=inside)


@triton.jit(do_not_specialize=_BACKWARD_COUNTS)
def backward(
    a, old_c, c, p, above, above_stride, after, dc, dgates, da, N, n, row, old_row, place,
    above_row, AFTER: tl.constexpr,
    I: tl.constexpr, F: tl.constexpr, O: tl.constexpr, Z: tl.constexpr,
    COUPLED: tl.constexpr, PEEPHOLE: tl.constexpr, G: tl.constexpr, PHI: tl.constexpr,
    CLIP: tl.constexpr, ROWS: tl.constexpr, CELLS: tl.constexpr,
    FEEDBACK: tl.constexpr, THROUGH_PEEPHOLE: tl.constexpr,
):  # fmt: skip
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    j = tl.program_id(1) * CELLS + tl.arange(0, CELLS)[None, :]
    inside = (r < n) & (j < N)
    here, there = (row + r).to(tl.int64), (old_row + r).to(tl.int64)
    who = (place + r).to(tl.int64)
    active = a + here * ((Z + 1) * N) + j
    dnet = da + here * ((Z + 1) * N) + j
    dgate = dgates + who * (Z * N) + j
    carried = dc + who * N + j
    old, new = _read(old_c + there * N + j, inside), _read(c + here * N + j, inside)
    d = _read(carried, inside)
    d_old = tl.zeros_like(d)

    # h = o φ(c)
    d_out = _read(above + (above_row + r).to(tl.int64) * above_stride + j, inside)
    if AFTER:
        d_out += _read(after + who * N + j, inside)
    out = new
    if PHI == "tanh":
        out = _tanh(new)
    elif PHI == "logistic":
        out = _tanh(0.5 * new)
    if O >= 0:
        o = _read(active + O * N, inside)
        d_o = d_out * out
        if FEEDBACK:
            d_o += _read(dgate + O * N, inside)
        d_o *= o * (1.0 - o)
        tl.store(dnet + O * N, d_o, mask=inside)
        d_out *= o
        if THROUGH_PEEPHOLE:
            if PEEPHOLE == "diagonal":
                d += d_o * _read(p + O * N + j, j < N)
            else:
                d_old += d_o * _read(p + O * N + j, j < N)
    if PHI == "tanh":
        d_out *= 1.0 - out * out
    elif PHI == "logistic":
        d_out *= 0.5 * (1.0 - out * out)
    d += d_out
    if CLIP > 0:
        d = tl.where(tl.abs(new) >= CLIP, 0.0, d)

    # c = f c⁻ + i z
    z = _read(active + Z * N, inside)
    d_z = d
    if I >= 0:
        i = _read(active + I * N, inside)
        d_z = d * i
        d_i = d * z
        if COUPLED:
            d_i -= d * old
            d_old += d * (1.0 - i)
        if FEEDBACK:
            d_i += _read(dgate + I * N, inside)
        d_i *= i * (1.0 - i)
        tl.store(dnet + I * N, d_i, mask=inside)
        if THROUGH_PEEPHOLE:
            d_old += d_i * _read(p + I * N + j, j < N)
    if F >= 0:
        f = _read(active + F * N, inside)
        d_old += d * f
        d_f = d * old
        if FEEDBACK:
            d_f += _read(dgate + F * N, inside)
        d_f *= f * (1.0 - f)
        tl.store(dnet + F * N, d_f, mask=inside)
        if THROUGH_PEEPHOLE:
            d_old += d_f * _read(p + F * N + j, j < N)
    elif not COUPLED:
        d_old += d
    if G == "tanh":
        d_z *= 1.0 - z * z
    elif G == "logistic":
        d_z *= 1.0 - 0.25 * z * z
    tl.store(dnet + Z * N, d_z, mask=inside)
    tl.store(carried, d_old, mask=inside)
