"""All pixels of a diagonal at once, in plain torch operations, on every device and dtype.

Computes what `reference.py` computes in H + W - 1 steps of a map instead of H W.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seqlabel.lstm.multidimensional.cell import MapCell
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.lstm.multidimensional.plan import plan_columns
from seqlabel.lstm.multidimensional.reference import step
from seqlabel.lstm.weights import Weights


def run_layer(cell: MapCell, weights: Sequence[Weights], x: Tensor, grid: Grid) -> Tensor:
    """As `reference.run_layer`."""
    plan, rows, before = plan_columns(grid)
    spans = list(zip(plan.first[:-1].tolist(), plan.first[1:].tolist(), strict=True))
    # columns before, counted from the first of their diagonal; a row of zeros lies behind its last
    starts = np.repeat([0, *plan.first[:-2]], np.diff(plan.first))
    behind = np.repeat([0, *np.diff(plan.first)[:-1]], np.diff(plan.first))
    where = torch.from_numpy(np.where(before < 0, behind, before - starts)).to(x.device)
    outputs = []
    for w, row in zip(weights, rows, strict=True):
        order = torch.from_numpy(row).to(x.device)
        inputs = x.index_select(0, order) @ w.input.T
        zero = x.new_zeros(1, w.recurrent.shape[1] // cell.dims)
        h = c = zero[:0]
        found = []
        for start, end in spans:
            sources = [torch.cat([state, zero]) for state in (h, c)]
            hs, cs = ([s.index_select(0, at[start:end]) for at in where] for s in sources)
            h, c = step(cell, w, inputs[start:end], hs, cs)
            found.append(h)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=x.device)
        outputs.append(torch.cat(found).index_select(0, back))
    return torch.cat(outputs, dim=1)
