"""Time between frames, and the decay of the short-term part of a state.

Equations 1 to 4 of T-LSTM (Baytas et al. 2017), see `seqlabel.lstm.cell`. The decay is kept
as a fade of 1 - γ(Δ) for each row, 0 if no time has passed.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numba import njit
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.lstm.cell import AnyCell, Cell, is_timed
from seqlabel.lstm.gates import tanh
from seqlabel.lstm.rows import Rows

_ONE = np.float32(1)

Fades = Sequence[Tensor | None]
"""Of each direction the fades (rows,) of its frames; None for a cell without decay."""


def fades(
    cell: AnyCell, elapsed: Tensor | None, rows: Rows, dtype: torch.dtype, directions: int
) -> Fades:
    """The fades of frames whose times are `elapsed` seconds (B, T) apart.

    elapsed[b, t] is the time from frame t - 1 to frame t, and before frame 0 the time since the
    state that the sequence starts from. Backwards it is the time from frame t + 1 to frame t, 0
    for the last frame. Raises InputError for times that are missing, not allowed, NaN or negative.
    """
    if not is_timed(cell):
        if elapsed is not None:
            raise InputError(
                "this cell does not take elapsed times: leave them out or use cell='tlstm'"
            )
        return [None] * directions
    assert isinstance(cell, Cell)
    if elapsed is None:
        raise InputError(
            "this cell needs the time before each frame: call it with elapsed=(B, T) "
            "seconds, or use a cell without decay"
        )
    if elapsed.shape != (rows.batch, rows.frames):
        raise InputError(
            f"elapsed has shape {tuple(elapsed.shape)}, expected {(rows.batch, rows.frames)}"
        )
    device = rows.index.device
    forwards = elapsed.to(device, torch.float64).flatten().index_select(0, rows.index)
    _check(forwards, rows)
    found = []
    for backwards in (False, True)[:directions]:
        passed = forwards
        if backwards:
            later = (rows.index + 1).clamp(max=elapsed.numel() - 1)
            passed = elapsed.to(device, torch.float64).flatten().index_select(0, later)
            passed[rows.last(backwards=False)] = 0.0
        units = passed / cell.time_unit
        kept = torch.log(math.e + units) if cell.decay == "log" else units.clamp(min=1.0)
        found.append((1 - 1 / kept).to(dtype))
    return found


def _check(forwards: Tensor, rows: Rows) -> None:
    bad = torch.nonzero(~(forwards >= 0) | forwards.isinf()).flatten()
    if len(bad):
        first = bad[rows.index[bad].argmin()]
        sequence, frame = divmod(int(rows.index[first]), rows.frames)
        raise InputError(
            f"sequence {sequence}: {forwards[first].item():g} seconds before frame "
            f"{frame}: times must be finite and never decrease"
        )


@njit(cache=True, nogil=True)
def fade_state(n, c, before, bias, fade, row, short, faded):
    """faded = c⁻ - fade s with s = tanh(short + bias), which is left in short.

    For n rows: those of c from `before` on, those of fade, short and faded from `row` on.
    """
    for r in range(n):
        share = fade[row + r]
        for k in range(short.shape[1]):
            s = tanh(short[row + r, k] + bias[k])
            short[row + r, k] = s
            faded[row + r, k] = c[before + r, k] - share * s


@njit(cache=True, nogil=True)
def fade_gradient(n, dc, place, fade, row, short, ds, here):
    """ds = gradient of W_d c⁻ + b_d, from the gradient dc of the faded state."""
    for r in range(n):
        share = fade[row + r]
        for k in range(short.shape[1]):
            s = short[row + r, k]
            ds[here + r, k] = -share * dc[place + r, k] * (_ONE - s * s)
