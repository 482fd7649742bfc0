"""The tensors that utterances become."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B utterances, padded at the end with zeros.

    x: (B, T, F) float32 frames. lengths: (B,) int64 frames.
    targets: (B, S) int64 label indices. target_lengths: (B,) int64.
    ids: B utterance ids. frame_labels: (B, T) int64 label of each frame from a hand segmentation,
    -1 where there is none; absent unless the criterion needs it.
    weight: share of the batch's utterances that count (0 for a rank's stand-in, see `shard`).
    """

    x: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    ids: tuple[str, ...]
    frame_labels: Tensor | None = None
    weight: float = 1.0

    @property
    def frames(self) -> int:
        """Frames of speech or ink, the padding not counted."""
        return int(self.lengths.sum())

    def to(self, device: torch.device) -> "Batch":
        """The batch with its frames and frame labels on `device`; lengths and targets stay."""
        labels = self.frame_labels
        return Batch(
            self.x.to(device, non_blocking=True),
            self.lengths,
            self.targets,
            self.target_lengths,
            self.ids,
            None if labels is None else labels.to(device),
            self.weight,
        )


def collate(
    frames: Sequence[np.ndarray],
    targets: Sequence[Sequence[int]],
    ids: Sequence[str],
    frame_labels: Sequence[np.ndarray] | None = None,
    weight: float = 1.0,
) -> Batch:
    """Pad B arrays (T_b, F) and their label indices into one batch."""
    lengths = [len(x) for x in frames]
    x = torch.zeros(len(frames), max(lengths), frames[0].shape[1])
    rows = x.numpy()  # features mapped from disk are read-only, which torch does not know
    y = torch.zeros(len(frames), max((len(t) for t in targets), default=0), dtype=torch.int64)
    for b, (sequence, labels) in enumerate(zip(frames, targets, strict=True)):
        rows[b, : len(sequence)] = sequence
        y[b, : len(labels)] = torch.as_tensor(labels, dtype=torch.int64)
    aligned = None
    if frame_labels is not None:
        aligned = torch.full(x.shape[:2], -1, dtype=torch.int64)
        for b, labels_of_frames in enumerate(frame_labels):
            aligned[b, : len(labels_of_frames)] = torch.from_numpy(labels_of_frames)
    return Batch(
        x,
        torch.tensor(lengths, dtype=torch.int64),
        y,
        torch.tensor([len(t) for t in targets], dtype=torch.int64),
        tuple(ids),
        aligned,
        weight,
    )
