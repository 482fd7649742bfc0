"""Connections between the layers of a stack: dropout, residual and highway."""

from typing import Literal

import torch
from torch import Tensor, nn

from seqlabel.lstm.chunks import Chunks
from seqlabel.lstm.dropout import dropout
from seqlabel.lstm.rows import Rows

Between = Literal["plain", "residual", "highway"]


class Plain(nn.Module):
    """y: the layer's output only."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return y


class Residual(nn.Module):
    """x + y (He et al. 2015)."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


FIRST_BIAS = -1.0
"""Of the gates of a highway: at first, it hands on its input."""


class Highway(nn.Linear):
    """T y + (1 - T) x, T = σ(W_T x + b_T), b_T = `FIRST_BIAS` at first (Srivastava et al. 2015)."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias, FIRST_BIAS)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        gate = torch.sigmoid(super().forward(x))
        return x + gate * (y - x)


def connection(kind: Between, width: int, **where) -> nn.Module:
    """The module that joins a layer's input x and output y, both (rows, width)."""
    if kind == "highway":
        return Highway(width, width, **where)
    return Residual() if kind == "residual" else Plain()


def drop_frames(x: Tensor, p: float, rows: Rows | Chunks, variational: bool) -> Tensor:
    """Dropout on x (rows, W); variational: one mask per sequence for all its frames."""
    if not variational:
        return dropout(x, p)
    return x * drop_mask(x, p, rows, x.shape[1])[rows.sequence()]


def drop_mask(x: Tensor, p: float, rows: Rows | Chunks, width: int) -> Tensor:
    """(B, width) of zeros and 1 / (1 - p), one line per sequence (Gal & Ghahramani 2016)."""
    return dropout(x.new_ones(rows.batch, width), p)
