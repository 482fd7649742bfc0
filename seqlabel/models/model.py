"""A whole network: encoder and criterion."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqlabel.models.criteria import find_criterion, has_levels, value_options
from seqlabel.models.network import ModelOptions, make_encoder
from seqlabel.models.targets import RowError

Objective = Callable[[Any, Tensor, Tensor, Any], Tensor]
"""(criterion, encoded (B, T, E), lengths (B,), batch) -> (B,) losses."""


class Model(nn.Module):
    """Frames into losses in training, and into the input of a decoder otherwise.

    inputs: F. labels: K with the blank. criterion: a table with `kind` and the options of that
    kind, see `seqlabel.models.criteria`. levels: K of the lower levels, the finest first, for a
    criterion with levels.
    """

    def __init__(
        self,
        inputs: int,
        labels: int,
        options: ModelOptions,
        criterion: Mapping[str, Any],
        levels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.encoder = make_encoder(inputs, options)
        cls, criterion_options = find_criterion(criterion)
        more: dict[str, Any] = {"levels": levels} if has_levels(criterion) else {}
        if value_options(criterion) is not None:
            more = {"inputs": inputs}
        self.criterion = cls(self.encoder.output_size, labels, criterion_options, **more)
        if options.initial_range:
            for weight in self.criterion.parameters():
                nn.init.uniform_(weight, -options.initial_range, options.initial_range)

    def forward(self, batch: Any, objective: Objective | None = None) -> Tensor:
        """(B,) losses of a `seqlabel.data.Batch` for training, NaN if there is none.

        objective: replaces the criterion's loss, with the same arguments.
        """
        encoded, lengths = self.encoder(batch.x, batch.lengths, batch.elapsed, batch.heights)
        try:
            if objective is not None:
                return objective(self.criterion, encoded, lengths, batch)
            return self.criterion.losses(encoded, lengths, batch)
        except RowError as error:
            # NaN for these rows, still connected to all weights: every process of a distributed run
            # must reach the all-reduce, which tells it to skip the update.
            nothing = sum(weight.sum() * 0 for weight in self.criterion.parameters())
            losses = encoded.sum(dim=(1, 2)) * 0 + nothing
            factors = torch.ones_like(losses, requires_grad=False)
            factors[list(error.rows)] = math.nan
            return losses * factors

    def outputs(
        self,
        x: Tensor,
        lengths: Tensor,
        elapsed: Tensor | None = None,
        heights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """x (B, T, F) -> (B, T', N) input of the decoder, lengths'.

        elapsed: (B, T) seconds before each frame, for cells that need them. heights: of images
        (B,), see `seqlabel.data.Batch`.
        """
        encoded, lengths = self.encoder(x, lengths, elapsed, heights)
        return self.criterion.outputs(encoded, lengths), lengths

    @property
    def weight_count(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.parameters())
