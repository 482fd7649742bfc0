"""Packed rows: the frames of a batch without its padding, time-major, longest sequence first.

Frame t owns the rows offset[t] : offset[t] + active[t], one for each sequence longer than t. Since
the sequences are sorted, the previous state of a step is always the first rows of what the step
before it left, whichever way time runs: no masks, no flips.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError


@dataclass(frozen=True, eq=False)  # compared and hashed as the object it is
class Rows:
    """Where the frames of a padded batch lie in packed rows."""

    order: Tensor  # (B,) int64, sequence numbers from the longest to the shortest
    index: Tensor  # (rows,) int64 into the flattened (B * T) padded batch
    lengths: np.ndarray  # (B,) int64, in this order
    active: np.ndarray  # (T',) int64, sequences that reach frame t; T' the longest length
    offset: np.ndarray  # (T',) int64, first row of frame t
    batch: int  # B
    frames: int  # T of the padded batch

    @classmethod
    def of(cls, lengths: Sequence[int], frames: int, device: torch.device | str = "cpu") -> "Rows":
        """Rows of sequences of the given (checked) lengths, padded to `frames`."""
        length = np.asarray(lengths, dtype=np.int64)
        order = np.argsort(-length, kind="stable")
        alive = length[order] > np.arange(length.max())[:, None]  # (T', B)
        time, place = np.nonzero(alive)
        active = alive.sum(axis=1)
        return cls(
            order=torch.from_numpy(order).to(device),
            index=torch.from_numpy(order[place] * frames + time).to(device),
            lengths=length[order],
            active=active,
            offset=np.cumsum(active) - active,
            batch=len(length),
            frames=frames,
        )

    def pack(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (rows, F)."""
        return x.flatten(0, 1).index_select(0, self.index)

    def unpack(self, y: Tensor) -> Tensor:
        """(rows, F) -> (B, T, F), zero in the padding."""
        padded = y.new_zeros(self.batch * self.frames, y.shape[1])
        return padded.index_copy(0, self.index, y).unflatten(0, (self.batch, self.frames))

    def last(self, backwards: bool) -> Tensor:
        """(B,) int64: the row computed last in each sequence, sequences in `order`."""
        place = np.arange(self.batch)
        last = place if backwards else self.offset[self.lengths - 1] + place
        return torch.from_numpy(last).to(self.index.device)

    def sequence(self) -> Tensor:
        """(rows,) int64: the place in `order` of the sequence each row belongs to."""
        place = np.concatenate([np.arange(n) for n in self.active])
        return torch.from_numpy(place).to(self.index.device)


def check_lengths(lengths: Tensor | Sequence[int] | None, batch: int, frames: int) -> list[int]:
    """Lengths (B,) as a list; None means that every sequence fills the batch.

    Raises InputError for lengths that are not integers, not positive, longer than the batch, or
    not one for each sequence.
    """
    if batch == 0 or frames == 0:
        raise InputError(f"the batch is empty ({batch} sequences of {frames} frames): skip it")
    if lengths is None:
        return [frames] * batch
    if isinstance(lengths, tuple) and any(isinstance(n, Tensor) and n.dim() for n in lengths):
        raise InputError("lengths are a tuple of tensors; a state comes third: (x, lengths, state)")
    lengths = torch.as_tensor(lengths)
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise InputError(
            f"lengths are {lengths.dtype}: lengths must be integers, use lengths.long()"
        )
    if lengths.shape != (batch,):
        raise InputError(
            f"lengths have shape {tuple(lengths.shape)} for {batch} sequences; one for each is "
            "expected"
        )
    numbers = lengths.tolist()
    for place, length in enumerate(numbers):
        if length < 1:
            raise InputError(
                f"sequence {place} has length {length}: leave out sequences without frames"
            )
        if length > frames:
            raise InputError(
                f"sequence {place} has length {length}, but the batch has only {frames} frames: "
                "give lengths in frames of this input (after any subsampling)"
            )
    return numbers


def check_type(x: Tensor, weight: Tensor) -> Tensor:
    """The input in the precision of the weights: cast under autocast, else as it is.

    Raises InputError for another one.
    """
    if x.dtype == weight.dtype:
        return x
    if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
        return x.to(weight.dtype)
    wanted = str(weight.dtype).removeprefix("torch.")
    raise InputError(
        f"the input is {str(x.dtype).removeprefix('torch.')}, the weights are {wanted}: give "
        f"x.to(torch.{wanted})"
    )


def check_finite(x: Tensor, rows: Rows, padded: Tensor) -> None:
    """Raises InputError that names the first sequence of `padded` (B, T, F) with NaN or infinity.

    `x` holds its packed rows. The sum is a cheap witness: only a sum that is not finite is looked
    into (it may also have overflowed).
    """
    if bool(torch.isfinite(x.sum())):
        return
    bad = torch.nonzero(~torch.isfinite(x).all(dim=1)).flatten()
    if len(bad):
        sequence, frame = divmod(int(rows.index[bad].min()), rows.frames)
        features = padded[sequence, frame]
        value = features[~torch.isfinite(features)][0].item()
        raise InputError(
            f"sequence {sequence} has {value} at frame {frame}: correct the features or leave it "
            "out"
        )
