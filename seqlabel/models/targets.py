"""Checks of targets: integers in range, and labels that fit into their frames."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError


class Fitting(NamedTuple):
    """What the outputs of a criterion with a target for each frame are to be.

    Its output layer maps what `read` gives, (B, T, E), to D numbers, which `squash` makes
    comparable to `targets`.
    """

    targets: Tensor  # (B, T, D)
    known: Tensor  # (B, T, D) bool: where there is a target


class RowError(InputError):
    """Rows of a batch that have no loss; `rows` holds their positions in the batch."""

    def __init__(self, rows: Iterable[int], cause: str) -> None:
        self.rows = tuple(int(row) for row in rows)
        shown = ", ".join(map(str, self.rows[:8])) + (", ..." if len(self.rows) > 8 else "")
        super().__init__(f"row{'s' * (len(self.rows) > 1)} {shown} of the batch: {cause}")


def whole_numbers(x: Tensor | Sequence[Any] | np.ndarray) -> np.ndarray:
    """Integers, on any device or in lists, as a contiguous int64 array."""
    x = torch.as_tensor(x)
    if x.is_floating_point() or x.is_complex():
        raise InputError(f"lengths and targets must be integers, not {x.dtype}")
    return x.detach().to("cpu", torch.int64).contiguous().numpy()


def check_targets(
    shape: Sequence[int], lengths: np.ndarray, targets: np.ndarray, target_lengths: np.ndarray
) -> None:
    """Raise RowError unless every length and every label lies within (B, T, K) and (B, S)."""
    if len(shape) != 3:
        raise InputError(f"the logits have shape {tuple(shape)}; (B, T, K) is expected")
    B, T, K = shape
    if lengths.shape != (B,) or target_lengths.shape != (B,) or targets.shape[:1] != (B,):
        raise InputError(
            f"a batch of {B} rows has lengths {lengths.shape}, targets {targets.shape} and target "
            f"lengths {target_lengths.shape}; (B,), (B, S) and (B,) are expected"
        )
    if targets.ndim != 2:
        raise InputError(f"targets have shape {targets.shape}; (B, S), padded, is expected")
    S = targets.shape[1]
    for name, values, limit in (("length", lengths, T), ("target length", target_lengths, S)):
        rows = np.flatnonzero((values < 0) | (values > limit))
        if rows.size:
            raise RowError(rows, f"{name} {values[rows[0]]} is not within 0..{limit}")
    used = np.arange(S) < target_lengths[:, None]
    rows = np.flatnonzero((used & ((targets < 1) | (targets >= K))).any(axis=1))
    if rows.size:
        raise RowError(rows, f"labels must lie within 1..{K - 1}; the blank 0 is not a label")


def check_room_for_labels(
    lengths: np.ndarray, targets: np.ndarray, target_lengths: np.ndarray
) -> None:
    """Raise RowError if T < S + adjacent repeats, which no CTC path can represent."""
    inner = np.arange(1, targets.shape[1]) < target_lengths[:, None]
    repeats = (inner & (targets[:, 1:] == targets[:, :-1])).sum(axis=1)
    required = target_lengths + repeats
    rows = np.flatnonzero(required > lengths)
    if rows.size:
        raise RowError(
            rows,
            f"{lengths[rows[0]]} frames are too few for {target_lengths[rows[0]]} labels, which "
            f"need {required[rows[0]]}; leave the utterance out or subsample less",
        )
