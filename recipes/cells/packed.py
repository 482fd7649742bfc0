"""Several small networks trained at once as one: the same cell, one network per seed.

For a network of a few cells the calls cost more than the computation. So R networks of H cells are
packed into one layer of R * H cells with block-diagonal recurrent matrices: each network computes
what it would compute alone. Only the elementwise optimisers (SGD, Adam) keep the networks apart;
the gradient norm is clipped for each network by itself (`Packed.clip`).
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from seqlabel.lstm import LSTM, weight_count
from seqlabel.lstm.cell import AnyCell, Cell, as_cell
from seqlabel.lstm.weights import Direction, Initialisation

LINKS = ("recurrent", "gate_recurrent")  # weights from cells to cells: both axes hold networks


class Packed(nn.Module):
    """R networks, each one layer of H cells and a linear layer, with the weights of R seeds.

    All see the same sequences. The cell has no projection and no blocks.
    """

    def __init__(
        self,
        cell: AnyCell | str,
        inputs: int,
        cells: int,
        outputs: int,
        seeds: Iterable[int],
        init: Initialisation,
    ) -> None:
        super().__init__()
        self.cell, self.cells = as_cell(cell), cells
        assert not isinstance(self.cell, Cell) or self.cell.block_size == 1
        alone = [_network(self.cell, inputs, cells, outputs, seed, init) for seed in seeds]
        self.runs = len(alone)
        self.weights = weight_count(self.cell, inputs, cells) + outputs * (cells + 1)
        self.lstm = LSTM(inputs, self.runs * cells, cell=self.cell)
        self.weight = nn.Parameter(torch.stack([output.weight for _, output in alone]))
        self.bias = nn.Parameter(torch.stack([output.bias for _, output in alone]))
        direction = self.lstm.layers[0][0]
        for name, packed in direction.named_parameters():
            self._fill(name, packed, [getattr(cells_, name) for cells_, _ in alone])

    @torch.no_grad()
    def _fill(self, name: str, packed: nn.Parameter, alone: Sequence[Tensor]) -> None:
        """Puts each network's weights into its block and keeps the rest at zero."""
        packed.zero_()
        mask = torch.zeros_like(packed)
        for run, weight in enumerate(alone):
            own = self._own(name, packed, run)
            own.copy_(weight.view_as(own))
            self._own(name, mask, run).fill_(1)
        if name in LINKS:
            packed.register_hook(lambda gradient: gradient * mask)

    def _own(self, name: str, packed: Tensor, run: int) -> Tensor:
        """The part of one network, a view: rows are (gate, run, cell), links have such columns."""
        split = (self.runs, self.cells)
        if name not in LINKS:
            return self._by_run(name, packed)[:, run]
        wide = self.runs * self.cells
        rows, columns = packed.shape
        return packed.view(rows // wide, *split, columns // wide, *split)[:, run, :, :, run]

    def _by_run(self, name: str, packed: Tensor) -> Tensor:
        """(gates, R, H, columns)"""
        columns = 1 if name in ("bias", "peephole") else packed.shape[1]
        return packed.view(-1, self.runs, self.cells, columns)

    def forward(
        self,
        x: Tensor,
        lengths: Sequence[int] | Tensor | None = None,
        state: tuple[Tensor, ...] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> outputs before any squashing (R, B, T, outputs), and the last state."""
        h, state = self.lstm(x, lengths, state)
        h = h.unflatten(2, (self.runs, self.cells)).permute(2, 0, 1, 3)
        return h @ self.weight.mT[:, None] + self.bias[:, None, None], state

    @torch.no_grad()
    def clip(self, norm: float) -> None:
        """Scales the gradient of each network down to a norm of at most `norm`."""
        parts = [self.weight.grad, self.bias.grad[..., None]]  # (R, outputs, H), (R, outputs, 1)
        for name, weight in self.lstm.layers[0][0].named_parameters():
            parts.append(self._by_run(name, weight.grad).transpose(0, 1))
        squares = sum(part.square().flatten(1).sum(dim=1) for part in parts)
        scale = (norm / squares.sqrt().clamp(min=1e-12)).clamp(max=1)
        for part in parts:
            part *= scale.view(-1, *[1] * (part.dim() - 1))


def _network(
    cell: AnyCell, inputs: int, cells: int, outputs: int, seed: int, init: Initialisation
) -> tuple[Direction, nn.Linear]:
    """Weights of one network, drawn from its seed."""
    torch.manual_seed(seed)
    direction, output = Direction(cell, inputs, cells), nn.Linear(cells, outputs)
    direction.initialise(init)
    init.draw("input", output.weight, cells)
    init.draw("bias", output.bias, cells)
    return direction, output
