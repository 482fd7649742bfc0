"""The weights of one direction of one layer, and the initialisations of the literature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm.cell import Cell


class Weights(NamedTuple):
    """Matrices and vectors of `Cell.shapes`; None for those that a cell lacks."""

    input: Tensor
    recurrent: Tensor
    gate_recurrent: Tensor
    bias: Tensor
    peephole: Tensor | None
    projection: Tensor
    decay: Tensor | None = None
    decay_bias: Tensor | None = None


class Direction(nn.Module):
    """Holds the weights of one direction as parameters named as in `Cell.shapes`.

    cell: of the family, or over maps (`seqlabel.lstm.multidimensional`): it gives the shapes.
    """

    bias: Tensor

    def __init__(self, cell: Any, inputs: int, cells: int, **where) -> None:
        super().__init__()
        self.cell, self.cells = cell, cells
        shapes = cell.shapes(inputs, cells)
        for name in Weights._fields:
            there = name in shapes
            value = nn.Parameter(torch.empty(shapes[name], **where)) if there else None
            self.register_parameter(name, value)

    def weights(self) -> Weights:
        return Weights(*(getattr(self, name) for name in Weights._fields))

    @torch.no_grad()
    def initialise(self, scheme: "Initialisation", forget_bias: float | None = None) -> None:
        """Draws all weights; gate biases then get the constants of the scheme."""
        for name, weight in self.named_parameters():
            scheme.draw(name, weight, self.cells)
        self.set_biases(scheme.biases, forget_bias)

    @torch.no_grad()
    def set_biases(
        self, biases: Mapping[str, Sequence[float]], forget_bias: float | None = None
    ) -> None:
        """Constants for gate biases, repeated over the blocks; others stay as they are."""
        cell = self.cell
        if isinstance(cell, Cell):
            gates = cell.gates if cell.bias != "none" else ""
            blocks = self.cells // cell.block_size
        else:
            gates, blocks = getattr(cell, "gates", ""), self.cells
        if forget_bias is not None and "f" not in gates:
            raise InputError(
                "forget_bias is given, but this cell has no bias of a forget gate: leave it out"
            )
        for place, gate in enumerate(gates):
            steps = biases.get(gate, ())
            if gate == "f" and forget_bias is not None:
                steps = (forget_bias,)
            if steps:
                repeated = torch.tensor(steps).repeat(blocks // len(steps) + 1)[:blocks]
                self.bias[place * blocks : (place + 1) * blocks] = repeated


@dataclass(frozen=True)
class Initialisation:
    """A distribution for all weights; constants for gate biases, repeated over the blocks."""

    law: Literal["uniform", "normal", "orthogonal"]
    scale: float = 0.0  # half width or standard deviation; 0: 1 / sqrt(cells)
    biases: dict[str, tuple[float, ...]] = field(default_factory=dict)
    bias: float | None = None  # of everything that has one; None: drawn as the weights

    def draw(self, name: str, weight: Tensor, cells: int) -> None:
        scale = self.scale or cells**-0.5
        if self.bias is not None and name in ("bias", "decay_bias"):
            nn.init.constant_(weight, self.bias)
        elif self.law == "uniform":
            nn.init.uniform_(weight, -scale, scale)
        elif self.law == "normal":
            nn.init.normal_(weight, std=scale)
        elif name in ("bias", "decay_bias", "peephole"):
            nn.init.zeros_(weight)
        elif name == "recurrent":
            for rows in weight.split(cells):
                nn.init.orthogonal_(rows)
        else:
            nn.init.xavier_uniform_(weight)


INITIALISATIONS = {
    "uniform": Initialisation("uniform"),  # as torch.nn.LSTM
    "orthogonal": Initialisation("orthogonal"),  # recurrent; Glorot the rest; no bias
    # Hochreiter & Schmidhuber 1997: gates closed at first, output gates one after the other
    "1997": Initialisation("uniform", 0.1, {"i": (-1,), "o": (-1, -2, -3, -4)}),
    # Gers, Schmidhuber & Cummins 2000
    "gers2000": Initialisation(
        "uniform",
        0.2,
        {"i": (-0.5, -1, -1.5, -2), "f": (0.5, 1, 1.5, 2), "o": (-0.5, -1, -1.5, -2)},
    ),
    # Gers, Schraudolph & Schmidhuber 2002, timing
    "gers2002": Initialisation("uniform", 0.1, {"i": (0,), "f": (-2,), "o": (2,)}),
    "graves": Initialisation("normal", 0.1),  # Graves & Schmidhuber 2005 and after
    "sak2014": Initialisation("uniform", 0.02),
    "baytas2017": Initialisation("normal", 0.1, bias=1.0),  # T-LSTM
}
