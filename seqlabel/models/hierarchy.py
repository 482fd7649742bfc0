"""Hierarchical CTC: levels of labels, each with a CTC loss (Fernández, Graves & Schmidhuber 2007).

    "Sequence labelling in structured domains with hierarchical recurrent neural networks", section
    3. The labels of level l consist of those of level l - 1: words of phones. Every level is a
    bidirectional stack with a CTC output layer, and what a level says of each frame,

        y_k = exp(a_k) / Σ_j exp(a_j)      blank and labels alike,

    is the only input of the next one. The loss is the sum over levels; a level gets the gradient of
    its own targets, and that of the level above through y.

The encoder is the stack of the first level. The top level has the labels of the corpus, those below
have the `levels` of its alphabet. With one level this is CTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.lstm.dropout import Dropout
from seqlabel.models.ctc import best_path, ctc_loss
from seqlabel.models.inner_cells import check_inner_cell


class HierarchicalCtc(nn.Module):
    """CTC at every level.

    encoder_size: E. labels: K of the top level. levels: K of each level below, the finest first.
    """

    per_label = True

    @dataclass(frozen=True)
    class Options:
        """hidden, layers, bidirectional, cell, dropout, variational: of the stack of each level but
        the first, as in `ModelOptions`.

        weights: of the levels' losses, the finest level first and the labels last; 1 each if empty.
        """

        hidden: int = 128
        layers: int = 1
        bidirectional: bool = True
        cell: str | dict[str, Any] = "peephole"
        dropout: float = 0.0
        variational: bool = False
        weights: tuple[float, ...] = ()

        def __post_init__(self) -> None:
            check_inner_cell(self.cell)
            if self.hidden < 1 or self.layers < 1 or not 0 <= self.dropout < 1:
                raise InputError("hidden and layers must be at least 1, dropout in [0, 1)")
            if any(weight < 0 for weight in self.weights) or (
                self.weights and not self.weights[-1]
            ):
                raise InputError(
                    "weights must not be negative, and that of the labels must be above 0"
                )

    def __init__(
        self,
        encoder_size: int,
        labels: int,
        options: "HierarchicalCtc.Options",
        levels: Sequence[int] = (),
    ) -> None:
        super().__init__()
        sizes = [*levels, labels]
        self.weights = options.weights or (1.0,) * len(sizes)
        if len(self.weights) != len(sizes):
            raise InputError(
                f"criterion.weights: {len(self.weights)} for {len(sizes)} levels; give one for "
                "each, the finest level first and the labels last"
            )
        stacks = [
            LSTM(
                below,
                options.hidden,
                options.layers,
                options.bidirectional,
                options.dropout if options.layers > 1 else 0.0,
                options.cell,
                variational=options.variational,
            )
            for below in sizes[:-1]
        ]
        self.stacks = nn.ModuleList(stacks)
        self.dropout = Dropout(options.dropout, options.variational)
        widths = [encoder_size, *(stack.output_size for stack in stacks)]
        self.layers = nn.ModuleList(
            nn.Linear(width, size) for width, size in zip(widths, sizes, strict=True)
        )

    def scores(self, encoded: Tensor, lengths: Tensor) -> list[Tensor]:
        """Logits (B, T, K) of every level, the finest first."""
        found = [self.layers[0](encoded)]
        for stack, layer in zip(self.stacks, list(self.layers)[1:], strict=True):
            y, _ = stack(found[-1].softmax(dim=2), lengths)
            found.append(layer(self.dropout(y)))
        return found

    def losses(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        """Σ_l -weight_l ln p(labels of level l | frames) of each utterance."""
        if len(batch.levels) < len(self.stacks):
            raise InputError(
                f"{batch.ids[0]}: {len(batch.levels)} levels below its labels, but the network has "
                f"{len(self.stacks)}; prepare the corpus with its levels"
            )
        targets = [*batch.levels, (batch.targets, batch.target_lengths)]
        each = zip(self.weights, self.scores(encoded, lengths), targets, strict=True)
        losses = [
            weight * ctc_loss(logits, lengths, labels, sizes)
            for weight, logits, (labels, sizes) in each
            if weight
        ]
        return torch.stack(losses).sum(dim=0)

    def outputs(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, N) natural log-probabilities: K of the labels, then those of each level below.

        The finest of the lower levels comes first; see `seqlabel.decoding.LevelsDecoder`.
        """
        *below, top = (a.log_softmax(dim=2) for a in self.scores(encoded, lengths))
        return torch.cat([top, *below], dim=2)

    def best_labels(self, encoded: Tensor, lengths: Tensor) -> list[list[int]]:
        """Labels of the most probable path of the top level."""
        return best_path(self.scores(encoded, lengths)[-1], lengths)
