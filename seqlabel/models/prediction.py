"""The prediction network: an LSTM over labels, in a transducer or as a language model alone."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlabel.lstm import LSTM
from seqlabel.lstm.reference import step
from seqlabel.lstm.weights import Direction
from seqlabel.models.inner_cells import check_inner_cell

State = tuple[Tensor, ...]


class PredictionNetwork(nn.Module):
    """One unidirectional layer over the labels so far (Graves 2012, section 2.1).

    labels: K with the blank. A label enters as a one-hot vector of K-1 components; the first input,
    before any label, is the zero vector.
    """

    def __init__(self, labels: int, hidden: int, cell: str = "peephole") -> None:
        super().__init__()
        check_inner_cell(cell)
        self.labels = labels
        self.lstm = LSTM(labels - 1, hidden, cell=cell)
        self.output_size: int = self.lstm.output_size

    def forward(self, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """targets (B, S) -> outputs (B, S+1, H); output u depends on the first u labels."""
        before = F.pad(targets, (1, 0))
        predicted, _ = self.lstm(self._one_hot(before), target_lengths + 1)
        return predicted

    def step(self, labels: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """One more label each, (N,), 0 for the start -> outputs (N, H) and the new state.

        The state is a tuple of (N, width) tensors. One step of the reference equations: a search
        takes thousands of single steps, for which the compiled layer is not made.
        """
        direction, cell = cast(Direction, next(self.lstm.layers[0].children())), self.lstm.cell
        weights = direction.weights()
        x = self._one_hot(labels)
        if state is None:
            sizes = cell.state_sizes(self.lstm.hidden_size)
            state = tuple(x.new_zeros(len(x), size) for size in sizes)
        state = step(cell, weights, x @ weights.input.T, state[0], state, truncate=False)
        return state[0], state

    def _one_hot(self, labels: Tensor) -> Tensor:
        """Without the blank's component, so that 0 becomes the zero vector."""
        weight = next(self.parameters())
        return F.one_hot(labels.to(weight.device), self.labels)[..., 1:].to(weight.dtype)


class LabelModel(nn.Module):
    """A prediction network with an output layer for the next label: a language model over labels.

    The output layer has K-1 units, as no label follows the last one (Graves, Mohamed & Hinton 2013,
    section 3.3). After training, its prediction network is used in a transducer.
    """

    def __init__(self, labels: int, hidden: int, cell: str = "peephole") -> None:
        super().__init__()
        self.prediction = PredictionNetwork(labels, hidden, cell)
        self.output = nn.Linear(self.prediction.output_size, labels - 1)

    def losses(self, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """-ln p of each labelling, in nats: targets (B, S), target_lengths (B,) -> (B,)."""
        predicted = self.prediction(targets, target_lengths)[:, :-1]
        device = predicted.device
        after = torch.arange(targets.shape[1]) >= target_lengths[:, None]
        expected = (targets - 1).masked_fill(after, -1).to(device)
        scores = self.output(predicted).transpose(1, 2)
        return F.cross_entropy(scores, expected, ignore_index=-1, reduction="none").sum(dim=1)


def pad_labels(labellings: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """B labellings as targets (B, S), padded with 0, and target lengths (B,)."""
    lengths = torch.tensor([len(labels) for labels in labellings], dtype=torch.int64)
    targets = torch.zeros(len(labellings), int(lengths.max()), dtype=torch.int64)
    for row, labels in zip(targets, labellings, strict=True):
        row[: len(labels)] = torch.as_tensor(labels, dtype=torch.int64)
    return targets, lengths
