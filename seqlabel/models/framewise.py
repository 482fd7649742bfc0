"""Framewise classification from hand segmentations (Graves & Schmidhuber 2005)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.models.targets import Fitting

UNLABELLED = -1
"""Marks frames without a label: padding, and frames outside the segmentation."""


class Framewise(nn.Module):
    """Softmax cross-entropy at every frame; there is no blank, so the output layer has K-1 units.

    encoder_size: E.  labels: K with the blank, as everywhere else.
    """

    per_label = True

    @dataclass(frozen=True)
    class Options:
        """delay: frames that outputs lag behind their targets, if the network cannot look ahead.

        weighted: all segments have the same weight, frames have 1 / duration ("weighted error").
        """

        delay: int = 0
        weighted: bool = False

        def __post_init__(self) -> None:
            if self.delay < 0:
                raise InputError(f"delay = {self.delay} frames must not be negative")

    def __init__(self, encoder_size: int, labels: int, options: "Framewise.Options") -> None:
        super().__init__()
        self.options = options
        self.output = nn.Linear(encoder_size, labels - 1)

    def losses(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        """-Σ_t ln p(label of frame t) of each utterance, weighted if requested."""
        expected = frame_targets(encoded, lengths, batch)
        weights = (
            segment_weights(expected)
            if self.options.weighted
            else torch.ones_like(encoded[:, :, 0])
        )
        scores = self._scores(encoded, lengths)
        known = expected != UNLABELLED
        losses = F.cross_entropy(
            scores.transpose(1, 2), (expected - 1).clamp(min=0), reduction="none"
        )
        return (losses * weights * known).sum(dim=1)

    def outputs(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, K) log-probabilities, without the delay.

        The blank has -inf. The last `delay` frames get the last output.
        """
        return F.pad(self._scores(encoded, lengths).log_softmax(dim=2), (1, 0), value=-torch.inf)

    def best_labels(self, encoded: Tensor, lengths: Tensor) -> list[list[int]]:
        """The best label of each frame, repeats merged."""
        best = 1 + self._scores(encoded, lengths).argmax(dim=2).cpu()
        return [
            torch.unique_consecutive(row[:length]).tolist()
            for row, length in zip(best, lengths.tolist(), strict=True)
        ]

    def frame_errors(self, encoded: Tensor, lengths: Tensor, batch: Any) -> tuple[int, int]:
        """Wrong frames and labelled frames; their ratio is the frame error rate."""
        expected = frame_targets(encoded, lengths, batch)
        known = expected != UNLABELLED
        wrong = (1 + self._scores(encoded, lengths).argmax(dim=2) != expected) & known
        return int(wrong.sum()), int(known.sum())

    def fitting(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Fitting:
        """Targets: 1 for the label of a frame, 0 for others."""
        expected = frame_targets(encoded, lengths, batch)
        known = (expected != UNLABELLED)[:, :, None].expand(-1, -1, self.output.out_features)
        targets = F.one_hot((expected - 1).clamp(min=0), self.output.out_features)
        return Fitting(targets.to(encoded.dtype), known)

    def squash(self, found: Tensor) -> Tensor:
        """Probabilities of the output layer's logits."""
        return found.softmax(dim=-1)

    def deviations(self, squashed: Tensor) -> Tensor:
        """Those of independent targets that stand for the label of a frame with probabilities p.

        Its covariance C = diag(p) - p pᵀ has no inverse, but diag(p) takes its place. With the
        derivatives J of the logits, those of p are H = C J, and C 1 = 0. So Hᵀ diag(p)⁻¹ H = Jᵀ C J
        is the Fisher information, and Hᵀ diag(p)⁻¹ (d - p) = Jᵀ (d - p) the gradient.
        """
        return squashed.sqrt()

    def _scores(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, K-1) logits."""
        return self.output(self.read(encoded, lengths))

    def read(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) what the output layer reads for frame t: output t + delay, the last at most."""
        if self.options.delay:
            frames = torch.arange(encoded.shape[1]) + self.options.delay
            last = (lengths.cpu() - 1).clamp(min=0)
            source = torch.minimum(frames[None], last[:, None]).to(encoded.device)
            encoded = encoded.gather(1, source[:, :, None].expand_as(encoded))
        return encoded


def frame_targets(encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
    """(B, T) labels of the frames, `UNLABELLED` in the padding; InputError if there are none."""
    labels = batch.frame_labels
    if labels is None or not bool((labels != UNLABELLED).any()):
        raise InputError(
            f"{batch.ids[0]}: no hand segmentation; framewise training needs `segments` in the "
            "manifest; criterion kind ctc does not"
        )
    if labels.shape != encoded.shape[:2]:
        raise InputError(
            f"{batch.ids[0]}: {encoded.shape[1]} outputs for {labels.shape[1]} labelled frames; "
            "framewise training needs subsample = 1"
        )
    behind = torch.arange(labels.shape[1]) >= lengths.cpu()[:, None]
    return labels.masked_fill(behind.to(labels.device), UNLABELLED)


def segment_weights(labels: Tensor) -> Tensor:
    """1 / duration of the segment that a frame is in: (B, T) labels -> (B, T) float32.

    A segment is a run of equal labels; two adjacent segments of one label count as one.
    """
    starts = F.pad(labels[:, 1:] != labels[:, :-1], (1, 0), value=True)
    starts[:, 0] = True
    number = starts.flatten().cumsum(0) - 1
    durations = torch.bincount(number)
    return durations[number].reshape(labels.shape).float().reciprocal()
