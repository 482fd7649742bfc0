"""The joint network of a transducer, in two published forms.

Both are additions, `frames` of the transcription and `labels` of the prediction network, which the
search and the loss add at the nodes (t, u) that they visit.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seqlabel.models.transducer_loss import loss_row_by_row


class Joint(Protocol):
    """Interface for loss and search."""

    def frames(self, encoded: Tensor) -> Tensor: ...
    def labels(self, predicted: Tensor) -> Tensor: ...
    def logits(self, frames: Tensor, labels: Tensor) -> Tensor: ...
    def losses(self, frames: Tensor, labels: Tensor, *sizes: Tensor) -> Tensor: ...


class OutputNetwork(nn.Module):
    """The output network of Graves, Mohamed & Hinton 2013, equations 15-18.

        l_t = W_→l →h_t + W_←l ←h_t + b_l
        h_{t,u} = tanh(W_lh l_t + W_pb p_u + b_h)
        y_{t,u} = W_hy h_{t,u} + b_y

    encoded: E, both directions of h_t. predicted: P. hidden: N of l_t and h_{t,u}. labels: K.
    """

    def __init__(self, encoded: int, predicted: int, hidden: int, labels: int) -> None:
        super().__init__()
        self.transcription = nn.Linear(encoded, hidden)
        self.from_transcription = nn.Linear(hidden, hidden, bias=False)
        self.from_prediction = nn.Linear(predicted, hidden)
        self.output = nn.Linear(hidden, labels)

    def frames(self, encoded: Tensor) -> Tensor:
        """(..., E) -> W_lh l_t, (..., N)."""
        return self.from_transcription(self.transcription(encoded))

    def labels(self, predicted: Tensor) -> Tensor:
        """(..., P) -> W_pb p_u + b_h, (..., N)."""
        return self.from_prediction(predicted)

    def logits(self, frames: Tensor, labels: Tensor) -> Tensor:
        """(..., N) and (..., N), broadcast -> (..., K)."""
        return self.output(torch.tanh(frames + labels))

    def losses(self, frames: Tensor, labels: Tensor, *sizes: Tensor) -> Tensor:
        """(B, T, N), (B, S+1, N), lengths, targets, target lengths -> (B,) losses."""
        output = self.output
        weights = (output.weight, output.bias)
        return loss_row_by_row(_output, output.out_features, frames, labels, weights, *sizes)


def _output(frames: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return linear(torch.tanh(frames + labels), weight, bias)


class Product(nn.Module):
    """The product of two distributions of Graves 2012: Pr(k|t, u) ∝ exp(f_t^k + g_u^k).

    encoded: E. predicted: P. labels: K. `frames` are f_t and `labels` are g_u, both K wide.
    """

    def __init__(self, encoded: int, predicted: int, labels: int) -> None:
        super().__init__()
        self.frames = nn.Linear(encoded, labels)
        self.labels = nn.Linear(predicted, labels)

    def logits(self, frames: Tensor, labels: Tensor) -> Tensor:
        """(..., K) and (..., K), broadcast -> (..., K)."""
        return frames + labels

    def losses(self, frames: Tensor, labels: Tensor, *sizes: Tensor) -> Tensor:
        """(B, T, K), (B, S+1, K), lengths, targets, target lengths -> (B,) losses."""
        return loss_row_by_row(torch.add, frames.shape[2], frames, labels, (), *sizes)
