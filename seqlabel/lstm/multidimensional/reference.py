"""The equations of `cell.py`, one pixel after the other, in plain torch operations.

This is the definition the other ways are tested against. It runs on every device and dtype, in any
number of dimensions, and autograd differentiates it any number of times.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seqlabel.lstm.multidimensional.cell import LEAST, MapCell
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.lstm.weights import Weights


def run_layer(cell: MapCell, weights: Sequence[Weights], x: Tensor, grid: Grid) -> Tensor:
    """All directions: x (P, I) of packed pixels -> y (P, 2^D N).

    Direction n runs against dimension d where bit d of n is set, and fills the columns from n N.
    """
    return torch.cat(
        [run_direction(cell, w, x, grid, number) for number, w in enumerate(weights)], dim=1
    )


def run_direction(cell: MapCell, w: Weights, x: Tensor, grid: Grid, number: int) -> Tensor:
    """One direction, (P, N)."""
    reverse = [bool(number >> d & 1) for d in range(grid.dims)]
    axes = [d for d, against in enumerate(reverse) if against]
    outputs = []
    for size, start in zip(grid.sizes.tolist(), grid.first().tolist(), strict=True):
        pixels = x[start : start + int(np.prod(size))].reshape(*size, -1).flip(axes)
        found: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
        for place in np.ndindex(*size):
            before = [found.get(_neighbour(place, d)) for d in range(grid.dims)]
            zero = x.new_zeros(1, w.recurrent.shape[1] // cell.dims)
            h, c = zip(*[(zero, zero) if state is None else state for state in before], strict=True)
            found[place] = step(cell, w, pixels[place][None] @ w.input.T, h, c)
        y = torch.cat([h for h, _ in found.values()]).reshape(*size, -1).flip(axes)
        outputs.append(y.reshape(-1, y.shape[-1]))
    return torch.cat(outputs)


def _neighbour(place: tuple[int, ...], d: int) -> tuple[int, ...]:
    """The pixel before in dimension d; at the border it is none."""
    return (*place[:d], place[d] - 1, *place[d + 1 :])


def step(
    cell: MapCell, w: Weights, wx: Tensor, h: Sequence[Tensor], c: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """h and c (n, N) of n pixels from W x (n, A) and, per dimension, those of the pixels before."""
    a = wx + torch.cat(list(h), dim=1) @ w.recurrent.T + w.bias
    net_i, *net_f, net_o, net_z = a.chunk(cell.dims + 3, dim=1)
    total = torch.stack(list(c)).sum(dim=0)
    if w.peephole is not None:
        p_i, *p_f, p_o = w.peephole
        net_i = net_i + p_i * total
        net_f = [net + p * before for net, p, before in zip(net_f, p_f, c, strict=True)]
    i, z = torch.sigmoid(net_i), torch.tanh(net_z)
    f = [torch.sigmoid(net) for net in net_f]
    kept = torch.stack([gate * before for gate, before in zip(f, c, strict=True)]).sum(dim=0)
    if cell.forget == "leaky":
        kept = (1 - i) * kept / (torch.stack(f).sum(dim=0) + LEAST)
    elif cell.forget == "mean":
        kept = kept / cell.dims
    now = i * z + kept
    if w.peephole is not None:
        net_o = net_o + p_o * now
    return torch.sigmoid(net_o) * torch.tanh(now), now
