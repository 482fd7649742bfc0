"""The equations of the family, one step at a time, in plain torch operations.

This is the definition the fast paths are tested against. It runs on every device and dtype, and
autograd differentiates it any number of times. A direction is computed on packed rows (`Rows`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqlabel.lstm.cell import AnyCell, Cell, Gru
from seqlabel.lstm.elapsed import Fades
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.weights import Weights

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
    """One layer: x (rows, F) -> y (rows, D * output), and the final state of each direction.

    Direction 0 runs forwards, direction 1, if there is one, backwards; each has its weights, its
    initial state (tensors of shape (B, width) in the order of the rows), its dropout mask for the
    recurrent source ((B, width) or None), and its fades ((rows,), see `elapsed.py`, or None).
    """
    each = zip(weights, states, masks, fades, strict=True)
    runs = [
        run_direction(cell, w, x, rows, state, mask, how, fade, backwards=number == 1)
        for number, (w, state, mask, fade) in enumerate(each)
    ]
    return torch.cat([y for y, _ in runs], dim=1), [final for _, final in runs]


def run_direction(
    cell: AnyCell,
    w: Weights,
    x: Tensor,
    rows: Rows,
    state: State,
    mask: Tensor | None,
    how: Recurrence,
    fade: Tensor | None,
    backwards: bool,
) -> tuple[Tensor, State]:
    """One direction of one layer, see `run_layer`."""
    frames = range(len(rows.active))
    inputs = x @ w.input.T
    outputs: list[Tensor] = [x] * len(frames)
    for t in reversed(frames) if backwards else frames:
        n, start = rows.active[t], rows.offset[t]
        before = tuple(s[:n] for s in state)
        if how.cuts(t, backwards):
            before = tuple(s.detach() for s in before)
        source = before[0] if mask is None else before[0] * mask[:n]
        if fade is not None:
            before = _fade(w, before, fade[start : start + n], how.truncate)
        after = step(cell, w, inputs[start : start + n], source, before, how.truncate)
        # sequences that ended (forwards) or have not begun (backwards) keep their state
        state = tuple(torch.cat([new, s[n:]]) for new, s in zip(after, state, strict=True))
        outputs[t] = after[0]
    return torch.cat(outputs), state


def _fade(w: Weights, before: State, fade: Tensor, truncate: bool) -> State:
    """The state before without the share of its short-term part that time has taken.

    By the rule of 1997 c⁻ alone carries error back, not what W_d reads of it.
    """
    h, c, *gates = before
    assert w.decay is not None
    assert w.decay_bias is not None
    short = torch.tanh((c.detach() if truncate else c) @ w.decay.T + w.decay_bias)
    return h, c - fade[:, None] * short, *gates


def step(
    cell: AnyCell, w: Weights, wx: Tensor, source: Tensor, before: State, truncate: bool
) -> State:
    """One step: from W x (n, A), the source (n, R) and the state before to the state after.

    Time has had its share of the state before.
    `truncate` is the rule of 1997: no error passes through the recurrent source and the peepholes,
    only the carousel c⁻ -> c carries it.
    """
    if isinstance(cell, Cell):
        return _lstm_step(cell, w, wx, source, before, truncate)
    if truncate:
        source = source.detach()
    if isinstance(cell, Gru):
        return _gru_step(cell, w, wx, source, before)
    return (torch.tanh(wx + source @ w.recurrent.T + w.bias),)


def _lstm_step(
    cell: Cell, w: Weights, wx: Tensor, source: Tensor, before: State, truncate: bool
) -> State:
    _, c, *gates_before = before
    seen = c  # what the peepholes look at
    if truncate:
        source, seen = source.detach(), seen.detach()
        gates_before = [gates.detach() for gates in gates_before]

    # net inputs of the gates and of the cell input: the rows of the weights
    n_gates = wx.shape[1] - c.shape[1]
    a, z = wx[:, :n_gates], wx[:, n_gates:]
    if cell.peephole == "state":
        a = a + seen @ w.recurrent.T
    elif cell.peephole != "state-diagonal":
        recurrent = source @ w.recurrent.T
        a, z = a + recurrent[:, :n_gates], z + recurrent[:, n_gates:]
    if gates_before:
        recurrent = gates_before[0] @ w.gate_recurrent.T
        a = a + recurrent[:, :n_gates]
        if cell.gate_recurrence == "all":
            z = z + recurrent[:, n_gates:]
    if cell.bias != "none":
        a = a + w.bias[:n_gates]
        if cell.bias == "all":
            z = z + w.bias[n_gates:]

    h, c, active = run_gates(cell, a, z, w.peephole, c, truncate)
    if cell.projection:
        h = h @ w.projection.T
    if gates_before:
        return h, c, torch.cat([active[name] for name in cell.gates], dim=1)
    return h, c


def run_gates(
    cell: Cell, a: Tensor, z: Tensor, peephole: Tensor | None, c: Tensor, truncate: bool
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """From net inputs and the state before to the output before projection, the state, the gates.

    a: (n, gates * blocks) of the gates. z: (n, N) of the cell inputs. peephole: (gates, N) or None.
    c: (n, N). The gates' activations are (n, blocks) each.
    """
    seen = c.detach() if truncate else c  # what the peepholes look at
    net = dict(zip(cell.gates, a.chunk(max(1, len(cell.gates)), dim=1), strict=False))
    p = dict(zip(cell.gates, peephole, strict=True)) if peephole is not None else {}

    def gate(name: str, looks_at: Tensor) -> Tensor:
        """Activation (n, blocks) of one gate; the cells of a block share it."""
        if name not in p:
            return torch.sigmoid(net[name])
        peep = (p[name] * looks_at).unflatten(1, (-1, cell.block_size)).sum(dim=2)
        return torch.sigmoid(net[name] + peep)

    def spread(activation: Tensor) -> Tensor:
        """One gate per block -> one per cell."""
        return activation.repeat_interleave(cell.block_size, dim=1)

    active = {name: gate(name, seen) for name in cell.gates if name != "o"}
    z = _squash_input(cell, z)
    if cell.input_gate:
        z = spread(active["i"]) * z
    if cell.coupled:
        c = spread(1 - active["i"]) * c
    elif cell.forget:
        c = spread(active["f"]) * c
    c = c + z
    if cell.cell_clip:
        c = c.clamp(-cell.cell_clip, cell.cell_clip)
    h = _squash_output(cell, c)
    if cell.output_gate:
        if not cell.peephole.startswith("state"):  # the output gate sees the new c
            seen = c.detach() if truncate else c
        active["o"] = gate("o", seen)
        h = spread(active["o"]) * h
    return h, c, active


def _squash_input(cell: Cell, z: Tensor) -> Tensor:
    if cell.g == "tanh":
        return torch.tanh(z)
    return 4 * torch.sigmoid(z) - 2 if cell.g == "logistic" else z


def _squash_output(cell: Cell, c: Tensor) -> Tensor:
    if cell.output == "tanh":
        return torch.tanh(c)
    return 2 * torch.sigmoid(c) - 1 if cell.output == "logistic" else c


def _gru_step(cell: Gru, w: Weights, wx: Tensor, source: Tensor, before: State) -> State:
    (h,) = before
    wx_r, wx_u, wx_n = (wx + w.bias).chunk(3, dim=1)
    R_r, R_u, R_n = w.recurrent.chunk(3)
    r = torch.sigmoid(wx_r + source @ R_r.T)
    u = torch.sigmoid(wx_u + source @ R_u.T)
    if cell.reset == "before":
        n = torch.tanh(wx_n + (r * source) @ R_n.T)
    else:
        n = torch.tanh(wx_n + r * (source @ R_n.T))
    return (u * h + (1 - u) * n,)
