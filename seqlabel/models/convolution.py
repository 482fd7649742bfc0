"""A baseline encoder of images: small convolutions, then a recurrent stack."""

from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.lstm.dropout import Dropout
from seqlabel.models.encoder import FrameEncoder


@dataclass(frozen=True)
class ConvOptions:
    """Convolutions of 3 x 3 pixels with ReLU, each followed by a maximum over a block.

    channels: of each convolution. pools: (frames, rows) of the block after each.
    """

    channels: tuple[int, ...] = (16, 32, 48)
    pools: tuple[tuple[int, int], ...] = ((2, 2), (2, 2), (1, 2))

    def __post_init__(self) -> None:
        if not self.channels or len(self.channels) != len(self.pools):
            raise InputError(
                f"channels ({len(self.channels)}) and pools ({len(self.pools)}) need an entry for "
                "each convolution, and at least one"
            )
        for number in (*self.channels, *(n for pool in self.pools for n in pool)):
            if not 1 <= number <= 4096:
                raise InputError("channels and pools must be in 1 ... 4096")

    @property
    def reduction(self) -> int:
        """Frames that become one output."""
        return prod(frames for frames, _ in self.pools)

    def rows(self, inputs: int) -> int:
        """Rows that remain of `inputs`."""
        for _, rows in self.pools:
            inputs = -(-inputs // rows)
        return inputs


class ConvEncoder(FrameEncoder):
    """Maps (B, T, F) of F rows of pixels -> outputs (B, T', E), T' = ceil(T / reduction).

    After every convolution the padding is set to zero, so that padding and the other images of the
    batch have no effect; there is no batch normalisation.
    stack: its input are, frame by frame, the channels of all remaining rows.
    """

    def __init__(
        self, options: ConvOptions, stack: LSTM, dropout: float = 0.0, variational: bool = False
    ) -> None:
        super().__init__(options.reduction)
        self.options = options
        inputs = [1, *options.channels[:-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(inputs, options.channels, strict=True)
        )
        for convolution in self.convolutions:
            nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")  # type: ignore[arg-type]
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        self.stack = stack
        self.dropout = Dropout(dropout, variational)
        self.output_size: int = stack.output_size

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        elapsed: Tensor | None = None,
        heights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """x (B, T, F), lengths (B,) and heights (B,), F where None -> outputs (B, T', E), lengths'.

        Pixels beyond an image's frames and rows have no effect. elapsed: not used.
        """
        rows = torch.full_like(lengths, x.shape[2]) if heights is None else heights
        y = _mask(x[:, None], lengths, rows)
        for convolution, pool in zip(self.convolutions, self.options.pools, strict=True):
            y = _mask(F.relu(convolution(y)), lengths, rows)
            y = F.max_pool2d(y, pool, ceil_mode=True)  # what is masked is no larger than the rest
            lengths, rows = (-(-n // size) for n, size in zip((lengths, rows), pool, strict=True))
        y = y.permute(0, 2, 1, 3).flatten(2)
        y, _ = self.stack(self.dropout(y), lengths)
        return self.dropout(y), lengths


def _mask(y: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
    """(B, C, T, V) with zeros beyond each map's frames and rows."""
    inside = torch.arange(y.shape[2], device=y.device) < lengths.to(y.device)[:, None]
    if int(rows.min()) < y.shape[3]:
        below = torch.arange(y.shape[3], device=y.device) < rows.to(y.device)[:, None]
        there = inside[:, :, None] & below[:, None, :]
    else:
        there = inside[:, :, None]
    return y.masked_fill(~there[:, None], 0.0)
