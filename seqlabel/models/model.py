"""A whole network: encoder and criterion."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqlabel.models.consistency import consistency_losses
from seqlabel.models.criteria import find_criterion, has_levels, value_options
from seqlabel.models.distillation import distillation_losses
from seqlabel.models.label_prior import LabelPrior
from seqlabel.models.network import ModelOptions, make_encoder
from seqlabel.models.targets import RowError

Objective = Callable[[Any, Tensor, Tensor, Any], Tensor]
"""(criterion, encoded (B, T, E), lengths (B,), batch) -> (B,) losses."""


@dataclass(frozen=True)
class Terms:
    """What training adds to the loss of the outputs.

    consistency: α of `seqlabel.models.consistency`, for batches with a second view.
    intermediate: w of the loss of the outputs of `layer`, numbered from 1, which the criterion
    takes for those of the encoder (Lee & Watanabe 2021, "Intermediate loss regularization for
    CTC-based speech recognition", equation 9):

        L = (1 - w) L(outputs) + w L(outputs of the layer)

    distillation: α of `seqlabel.models.distillation`, for batches with plain frames, of which
    `teacher`, in evaluation mode, gives the targets. Every view is compared with them.
    prior: counts the distributions of all outputs; its losses are an objective of their own.
    """

    consistency: float = 0.0
    intermediate: float = 0.0
    layer: int = 0
    distillation: float = 0.0
    teacher: "Model | None" = None
    prior: LabelPrior | None = None

    @property
    def of_outputs(self) -> bool:
        """Whether a term needs the distributions at each frame."""
        return bool(self.consistency or self.distillation or self.prior is not None)


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

    def forward(
        self, batch: Any, objective: Objective | None = None, terms: Terms | None = None
    ) -> Tensor:
        """(B,) losses of a `seqlabel.data.Batch` for training, NaN if there is none.

        objective: replaces the criterion's loss, with the same arguments. terms: added to it. With
        two views the loss is the mean of the views' losses plus α times their disagreement.
        Distillation is added first, consistency last.
        """
        terms = terms or Terms()
        x, facts = batch.x, [batch.lengths, batch.elapsed, batch.heights]
        if batch.second is not None:
            x = torch.cat([x, batch.second])
            facts = [None if fact is None else torch.cat([fact, fact]) for fact in facts]
        if not terms.intermediate:
            encoded, lengths = self.encoder(x, *facts)
            losses = self._losses(encoded, lengths, batch, objective)
        else:
            taps = {terms.layer: torch.empty(0)}
            encoded, lengths = self.encoder(x, *facts, taps=taps)
            w = terms.intermediate
            losses = (1 - w) * self._losses(encoded, lengths, batch, objective)
            losses = losses + w * self._losses(taps[terms.layer], lengths, batch, objective)
        if not terms.of_outputs:
            return losses
        outputs = self.criterion.outputs(encoded, lengths)
        own = lengths[: len(losses)]
        if terms.prior is not None and batch.weight:
            terms.prior.count(outputs, lengths)
        if terms.teacher is not None:
            targets, a = terms.teacher.targets(batch), terms.distillation
            views = [distillation_losses(targets, y, own) for y in outputs.split(len(losses))]
            losses = (1 - a) * losses + a * torch.stack(views).mean(dim=0)
        if batch.second is not None and terms.consistency:
            losses = losses + terms.consistency * consistency_losses(outputs, own)
        return losses

    @torch.no_grad()
    def targets(self, batch: Any) -> Tensor:
        """What a teacher gives a student: its outputs (B, T', N) for the plain frames."""
        return self.outputs(batch.plain, batch.lengths, batch.elapsed, batch.heights)[0]

    def _losses(
        self, encoded: Tensor, lengths: Tensor, batch: Any, objective: Objective | None
    ) -> Tensor:
        """(B,) losses, the mean of those of the views that `encoded` has one after the other."""
        size = len(batch.lengths)
        views = [
            self._losses_of_view(view, lengths[:size], batch, objective)
            for view in encoded.split(size)
        ]
        return views[0] if len(views) == 1 else torch.stack(views).mean(dim=0)

    def _losses_of_view(
        self, encoded: Tensor, lengths: Tensor, batch: Any, objective: Objective | None
    ) -> Tensor:
        try:
            if objective is not None:
                return objective(self.criterion, encoded, lengths, batch)
            losses: Tensor = self.criterion.losses(encoded, lengths, batch)
            return losses
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
