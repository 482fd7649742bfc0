"""Which utterances go together, and the tensors they become."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError


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


@dataclass(frozen=True)
class BatchOptions:
    """How utterances are grouped.

    frames: most frames in a batch, padding included. utterances: most utterances in a batch.
    pool: batches whose utterances are sorted by length together; a small pool is more random, a
    large one pads less.
    """

    frames: int = 6000
    utterances: int = 64
    pool: int = 24

    def __post_init__(self) -> None:
        if min(self.frames, self.utterances, self.pool) < 1:
            raise InputError("frames, utterances and pool must be at least 1")


def make_batches(
    lengths: Sequence[int], options: BatchOptions, rng: np.random.Generator | None
) -> list[list[int]]:
    """Group utterances 0..N-1 into batches within the frame budget.

    With `rng` the utterances are shuffled, sorted by length within pools of `options.pool` batches,
    cut into batches, and the batches shuffled; without it the order is by length, the longest
    first (for decoding). An utterance longer than the budget makes a batch of its own.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if rng is None:
        return _cut(np.argsort(-sizes, kind="stable"), sizes, options)
    order = rng.permutation(len(sizes))
    mean = max(1.0, float(sizes.mean())) if len(sizes) else 1.0
    pool = max(1, round(options.pool * min(options.utterances, options.frames / mean)))
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        batches += _cut(part[np.argsort(-sizes[part], kind="stable")], sizes, options)
    return [batches[n] for n in rng.permutation(len(batches))]


def _cut(order: np.ndarray, sizes: np.ndarray, options: BatchOptions) -> list[list[int]]:
    """Cut utterances sorted from long to short into batches of even size within the budget."""
    batches: list[list[int]] = []
    batch: list[int] = []
    for n in order.tolist():
        longest = int(sizes[batch[0]]) if batch else int(sizes[n])
        full = (len(batch) + 1) * longest > options.frames or len(batch) >= options.utterances
        if batch and full:
            batches.append(batch)
            batch = []
        batch.append(n)
    if batch:
        batches.append(batch)
    return batches


def padding_share(batches: Sequence[Sequence[int]], lengths: Sequence[int]) -> float:
    """Share of the batches' frames that is padding."""
    total = sum(len(batch) * max(lengths[n] for n in batch) for batch in batches)
    return 1.0 - sum(lengths[n] for batch in batches for n in batch) / total if total else 0.0


def shard(batch: Sequence[int], rank: int, world: int) -> tuple[list[int], float]:
    """The part of a batch that one of `world` processes computes, and the weight of its loss.

    The parts of all ranks make up the batch, so that `world` processes take the steps of one. A
    rank without a part computes the first utterance with weight 0, as every rank must take part
    in the all-reduce.
    """
    part = list(batch[rank::world])
    return (part, 1.0) if part else ([batch[0]], 0.0)


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
    y = torch.zeros(len(frames), max((len(t) for t in targets), default=0), dtype=torch.int64)
    for b, (sequence, labels) in enumerate(zip(frames, targets, strict=True)):
        x[b, : len(sequence)] = torch.from_numpy(np.ascontiguousarray(sequence))
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
