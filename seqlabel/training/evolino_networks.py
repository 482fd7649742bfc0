"""The networks that Evolino tries, computed in parallel, and their output weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.lstm.cell import AnyCell, Cell
from seqlabel.lstm.reference import State, step
from seqlabel.lstm.weights import Direction, Weights


class Genes:
    """Conversion between the weights of a layer and the genes of each of its cells.

    The genes of a cell are its rows of every weight matrix, of all gates and of the cell input.
    length: G, number of genes of a cell.
    """

    def __init__(self, direction: Direction) -> None:
        self.cells, cell = direction.cells, direction.cell
        biased = isinstance(cell, Cell) and cell.bias != "none"
        self.gates = cell.gates if biased else ""
        self.shapes = {name: weight.shape for name, weight in direction.named_parameters()}
        self.sizes = [shape.numel() // self.cells for shape in self.shapes.values()]
        self.length = sum(self.sizes)

    def weights(self, genes: Tensor) -> Weights:
        """Genes (..., H, G) -> the weights of layers, with the same leading axes."""
        found = {}
        for (name, shape), part in zip(
            self.shapes.items(), genes.split(self.sizes, dim=-1), strict=True
        ):
            rows = _rows(name, shape) // self.cells
            by_row = part.unflatten(-1, (rows, -1)).transpose(-2, -3)
            found[name] = by_row.reshape(*genes.shape[:-2], *shape)
        return Weights(*(found.get(name) for name in Weights._fields))  # type: ignore[arg-type]

    def scale(self, of_inputs: float) -> Tensor:
        """(G,) factors: `of_inputs` for weights from the inputs, 1 for all others."""
        each = {name: of_inputs if name == "input" else 1.0 for name in self.shapes}
        return torch.tensor(list(each.values())).repeat_interleave(torch.tensor(self.sizes))

    def centre(self, forget_bias: float) -> Tensor:
        """(H, G) `forget_bias` for the biases of forget gates, 0 for all others."""
        weights = {name: torch.zeros(shape) for name, shape in self.shapes.items()}
        if "f" in self.gates:
            place = self.gates.index("f") * self.cells
            weights["bias"][place : place + self.cells] = forget_bias
        return self._by_cell(weights)

    def read(self, direction: Direction) -> Tensor:
        """(H, G) genes of a layer."""
        return self._by_cell({name: w.detach() for name, w in direction.named_parameters()})

    def _by_cell(self, weights: Mapping[str, Tensor]) -> Tensor:
        parts = []
        for name, weight in weights.items():
            columns = weight.numel() // _rows(name, weight.shape)
            by_row = weight.reshape(-1, self.cells, columns)
            parts.append(by_row.transpose(0, 1).flatten(1))
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def write(self, genes: Tensor, direction: Direction) -> None:
        """Set the weights of a layer from genes (H, G)."""
        weights = self.weights(genes)
        for name, weight in direction.named_parameters():
            weight.copy_(getattr(weights, name))


def _rows(name: str, shape: torch.Size) -> int:
    """Rows of a weight, each of one cell; `peephole` (gates, N) has one entry per row."""
    return shape.numel() if name == "peephole" else shape[0]


class Networks:
    """P layers of one cell type, computed in parallel. weights: theirs, with a leading axis P."""

    def __init__(self, cell: AnyCell, weights: Weights, cells: int) -> None:
        self.cell, self.sizes = cell, cell.state_sizes(cells)
        self.count, self._input = len(weights.input), weights.input
        there = [name for name, weight in weights._asdict().items() if weight is not None]
        self._weights = tuple(getattr(weights, name) for name in there)

        def one(own: tuple[Tensor, ...], wx: Tensor, before: State) -> State:
            w = Weights(**{**dict.fromkeys(Weights._fields), **dict(zip(there, own, strict=True))})  # type: ignore[arg-type]
            return step(cell, w, wx, before[0], before, truncate=False)

        self._step = torch.func.vmap(one)

    @torch.no_grad()
    def run(self, x: Tensor) -> tuple[Tensor, State]:
        """Run all networks on x (N, T, F) -> outputs (P, N, T, H) and last states."""
        wx = torch.einsum("ntf,paf->tpna", x, self._input)
        state = tuple(x.new_zeros(self.count, len(x), size) for size in self.sizes)
        outputs = []
        for net in wx:
            state = self._step(self._weights, net, state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=2), state

    @torch.no_grad()
    def step(self, x: Tensor, state: State) -> State:
        """Advance by one frame (P, N, F), a different one for each network."""
        stepped: State = self._step(self._weights, x @ self._input.mT, state)
        return stepped


def with_ones(h: Tensor) -> Tensor:
    """(..., H) -> (..., H + 1): appends the constant input of the bias."""
    return torch.cat([h, h.new_ones(*h.shape[:-1], 1)], dim=-1)


def least_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    """Output weights W (P, H + 1, D) with the least squared error, by the pseudo-inverse.

    outputs: (P, M, H) of the cells at M frames. targets: (M, D). If several solutions exist, this
    is the one with the smallest norm. Computed in float64; directions in which the outputs vary by
    less than the rounding error of float32 are ignored.
    """
    design = with_ones(outputs.double())
    cutoff = float(np.finfo(np.float32).eps)
    return torch.linalg.pinv(design, rtol=cutoff) @ targets.double()


def import_svr() -> Any:
    """The support vector regression of scikit-learn; InputError if it is not installed."""
    try:
        from sklearn.svm import SVR
    except ImportError:
        raise InputError(
            "readout = 'svr' needs scikit-learn: pip install 'seqlabel[svr]', or set readout = "
            "'least_squares'"
        ) from None
    return SVR


def support_vectors(outputs: Tensor, targets: Tensor, epsilon: float, penalty: float) -> Tensor:
    """Output weights (P, H + 1, D) of linear ε-support vector regressions, one per target column.

    An error costs nothing up to `epsilon`, and `penalty` times its excess beyond that.
    """
    svr = import_svr()
    weights = []
    for rows in outputs.double().numpy():
        fits = [
            svr(kernel="linear", epsilon=epsilon, C=penalty).fit(rows, column)
            for column in targets.double().numpy().T
        ]
        weights.append([np.append(fit.coef_[0], fit.intercept_[0]) for fit in fits])
    return torch.tensor(np.array(weights)).mT
