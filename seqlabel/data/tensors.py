"""The tensors of a batch of utterances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from seqlabel.data.batches import elapsed_times


@dataclass(frozen=True)
class Batch:
    """B utterances, padded at the end with zeros.

    x: (B, T, F) float32 frames. lengths: (B,) int64 frames.
    targets: (B, S) int64 label indices. target_lengths: (B,) int64.
    ids: B utterance ids. frame_labels: (B, T) int64 label of each frame from a hand segmentation,
    -1 if there is none; None unless the criterion needs it. elapsed: (B, T) float32 seconds
    from the previous frame to each frame, 0 for the first; None unless the cells need them.
    levels: targets (B, S') and their lengths (B,) of each level that the labels are made of, the
    finest first; none unless the criterion needs them.
    values: (B, T, D) float32 what is to be predicted of each frame, in its own units, NaN where it
    is not known and in the padding; absent unless the criterion needs it.
    heights: (B,) int64 rows of images, whose frames are columns of pixels: the number of features
    that are not padding. None for other signals and if all images have F rows. weight: share of the
    batch's utterances that count (0 for a rank without a part, see `shard`). second: (B, T, F)
    float32 frames of a second view, the same frames with other masks and noise; None unless
    training compares the two. plain: (B, T, F) float32 the same frames without masks and noise;
    None unless a teacher reads them.
    """

    x: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    ids: tuple[str, ...]
    frame_labels: Tensor | None = None
    weight: float = 1.0
    elapsed: Tensor | None = None
    levels: tuple[tuple[Tensor, Tensor], ...] = ()
    heights: Tensor | None = None
    values: Tensor | None = None
    second: Tensor | None = None
    plain: Tensor | None = None

    @property
    def frames(self) -> int:
        """Frames of the signals without padding."""
        return int(self.lengths.sum())

    def to(self, device: torch.device | str) -> "Batch":
        """The batch with its frames, their labels, values and times on `device`; the rest stays."""
        labels, elapsed, values = self.frame_labels, self.elapsed, self.values
        second, plain = self.second, self.plain
        return replace(
            self,
            x=self.x.to(device, non_blocking=True),
            frame_labels=None if labels is None else labels.to(device),
            elapsed=None if elapsed is None else elapsed.to(device),
            values=None if values is None else values.to(device),
            second=None if second is None else second.to(device, non_blocking=True),
            plain=None if plain is None else plain.to(device, non_blocking=True),
        )

    def select(self, rows: Sequence[int]) -> "Batch":
        """The batch of some of its utterances, with the same padding."""
        labels, elapsed, heights = self.frame_labels, self.elapsed, self.heights
        values, second, plain = self.values, self.second, self.plain
        return replace(
            self,
            x=self.x[rows],
            lengths=self.lengths[rows],
            targets=self.targets[rows],
            target_lengths=self.target_lengths[rows],
            ids=tuple(self.ids[row] for row in rows),
            frame_labels=None if labels is None else labels[rows],
            elapsed=None if elapsed is None else elapsed[rows],
            levels=tuple((targets[rows], sizes[rows]) for targets, sizes in self.levels),
            heights=None if heights is None else heights[rows],
            values=None if values is None else values[rows],
            second=None if second is None else second[rows],
            plain=None if plain is None else plain[rows],
        )


def collate(
    frames: Sequence[np.ndarray],
    targets: Sequence[Sequence[int]],
    ids: Sequence[str],
    frame_labels: Sequence[np.ndarray] | None = None,
    weight: float = 1.0,
    times: Sequence[np.ndarray] | None = None,
    levels: Sequence[Sequence[Sequence[int]]] = (),
    heights: Sequence[int] | None = None,
    values: Sequence[np.ndarray] | None = None,
    second: Sequence[np.ndarray] | None = None,
    plain: Sequence[np.ndarray] | None = None,
) -> Batch:
    """Pad B arrays (T_b, F) and their label indices into one batch.

    times: (T_b,) seconds of the frames of each, for `Batch.elapsed`. levels: B lists of
    label indices for each level. values: (T_b, D) of each, where `Batch.values` is wanted.
    second, plain: (T_b, F) of each, for `Batch.second` and `Batch.plain`.
    """
    lengths = [len(x) for x in frames]
    x = pad_frames(frames)
    aligned = None
    if frame_labels is not None:
        aligned = torch.full(x.shape[:2], -1, dtype=torch.int64)
        for b, labels_of_frames in enumerate(frame_labels):
            aligned[b, : len(labels_of_frames)] = torch.from_numpy(labels_of_frames)
    wanted = None
    if values is not None:
        wanted = torch.full((*x.shape[:2], values[0].shape[1]), torch.nan)
        for row, values_of_frames in zip(wanted.numpy(), values, strict=True):
            row[: len(values_of_frames)] = values_of_frames
    return Batch(
        x,
        torch.tensor(lengths, dtype=torch.int64),
        *pad_targets(targets),
        tuple(ids),
        aligned,
        weight,
        None if times is None else torch.from_numpy(elapsed_times(times, ids)),
        tuple(map(pad_targets, levels)),
        None if heights is None else torch.tensor(heights, dtype=torch.int64),
        wanted,
        None if second is None else pad_frames(second),
        None if plain is None else pad_frames(plain),
    )


def pad_frames(frames: Sequence[np.ndarray]) -> Tensor:
    """B arrays (T_b, F) -> (B, T, F) float32, padded with zeros."""
    x = torch.zeros(len(frames), max(map(len, frames)), frames[0].shape[1])
    rows = x.numpy()  # features mapped from disk are read-only, which torch does not support
    for row, sequence in zip(rows, frames, strict=True):
        row[: len(sequence)] = sequence
    return x


def pad_targets(targets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """B lists of label indices -> (B, S) int64, padded with zeros, and their lengths (B,)."""
    lengths = torch.tensor([len(labels) for labels in targets], dtype=torch.int64)
    y = torch.zeros(len(targets), max(map(len, targets), default=0), dtype=torch.int64)
    for row, labels in zip(y, targets, strict=True):
        row[: len(labels)] = torch.as_tensor(labels, dtype=torch.int64)
    return y, lengths
