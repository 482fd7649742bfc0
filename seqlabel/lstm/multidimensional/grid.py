"""Packed pixels: the maps of a batch without their padding, and their blocks.

The pixels of a map are rows side by side, the last dimension running fastest; map follows map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError


@dataclass(frozen=True, eq=False)  # compared and hashed as the object it is
class Grid:
    """Where the pixels of a padded batch of maps lie in packed rows.

    sizes: (B, D) int64 extents of each map. padded: the D extents of the padded batch.
    map, place: (P,) number and (P, D) coordinates of every pixel; index: (P,) its position in the
    flattened padded batch. steps: (B, D) rows from a pixel to the next one in each dimension.
    """

    sizes: np.ndarray
    padded: tuple[int, ...]
    map: np.ndarray
    place: np.ndarray
    index: np.ndarray
    steps: np.ndarray

    @classmethod
    def of(cls, sizes: np.ndarray, padded: Sequence[int] | None = None) -> "Grid":
        """Maps of the given (checked) sizes (B, D), padded to `padded` or to the largest."""
        sizes = np.ascontiguousarray(sizes, dtype=np.int64)
        extents = tuple(int(n) for n in (sizes.max(axis=0) if padded is None else padded))
        inside = np.ones((len(sizes), *extents), dtype=bool)
        for d, extent in enumerate(extents):
            shape = [1] * (d + 1) + [extent] + [1] * (len(extents) - d - 1)
            ends = sizes[:, d].reshape(-1, *[1] * len(extents))
            inside &= np.arange(extent).reshape(shape) < ends
        index = np.flatnonzero(inside)
        number, *place = np.unravel_index(index, inside.shape)
        steps = np.ones_like(sizes)
        for d in range(len(extents) - 1, 0, -1):
            steps[:, d - 1] = steps[:, d] * sizes[:, d]
        return cls(sizes, extents, number, np.stack(place, axis=1), index, steps)

    def __len__(self) -> int:
        """P, pixels of all maps."""
        return len(self.map)

    @property
    def batch(self) -> int:
        """B."""
        return len(self.sizes)

    @property
    def dims(self) -> int:
        """D."""
        return self.sizes.shape[1]

    def pack(self, x: Tensor) -> Tensor:
        """(B, *padded, F) -> (P, F)."""
        index = torch.from_numpy(self.index).to(x.device)
        return x.reshape(-1, x.shape[-1]).index_select(0, index)

    def unpack(self, y: Tensor) -> Tensor:
        """(P, F) -> (B, *padded, F), zero in the padding."""
        flat = y.new_zeros(self.batch * int(np.prod(self.padded)), y.shape[1])
        index = torch.from_numpy(self.index).to(y.device)
        return flat.index_copy(0, index, y).reshape(self.batch, *self.padded, y.shape[1])

    def first(self) -> np.ndarray:
        """(B,) row of the first pixel of each map."""
        counts = self.sizes.prod(axis=1)
        return np.cumsum(counts) - counts

    def blocks(self, block: Sequence[int]) -> "Blocks":
        """The maps whose pixels are blocks of these, block[d] pixels in dimension d.

        Blocks begin at the first pixel; what they reach past the last one is zero.
        """
        extent = np.asarray(block, dtype=np.int64)
        coarse = Grid.of(-(-self.sizes // extent))
        offsets = np.indices(tuple(block)).reshape(len(block), -1).T  # (cells of a block, D)
        place = coarse.place[:, None, :] * extent + offsets
        sizes, steps = self.sizes[coarse.map], self.steps[coarse.map]
        rows = self.first()[coarse.map][:, None] + (place * steps[:, None, :]).sum(axis=2)
        there = (place < sizes[:, None, :]).all(axis=2)
        return Blocks(coarse, np.where(there, rows, len(self)))

    def collapse(self, y: Tensor) -> Tensor:
        """(P, F) -> (B, extent of dimension 0, F), summed over the other dimensions."""
        target = self.map * self.padded[0] + self.place[:, 0]
        total = y.new_zeros(self.batch * self.padded[0], y.shape[1])
        total = total.index_add(0, torch.from_numpy(target).to(y.device), y)
        return total.reshape(self.batch, self.padded[0], y.shape[1])


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of the pixels of a grid.

    grid: of the blocks. rows: (P', block pixels) row of every pixel of every block; those past the
    border have the number of the row behind the last.
    """

    grid: Grid
    rows: np.ndarray

    def gather(self, x: Tensor) -> Tensor:
        """(P, F) -> (P', block pixels * F), zero past the border."""
        behind = torch.cat([x, x.new_zeros(1, x.shape[1])])
        rows = torch.from_numpy(self.rows).to(x.device)
        return behind.index_select(0, rows.flatten()).reshape(len(self.grid), -1)


def check_sizes(
    sizes: Tensor | np.ndarray | Sequence[Sequence[int]] | None, batch: int, padded: Sequence[int]
) -> np.ndarray:
    """Sizes (B, D) as integers; None means that every map fills the batch.

    Raises InputError for sizes that are not integers, not positive, larger than the batch, or not
    one for each map.
    """
    if batch == 0 or 0 in padded:
        extents = " x ".join(map(str, padded))
        raise InputError(f"the batch is empty ({batch} maps of {extents} pixels): skip it")
    if sizes is None:
        return np.tile(np.asarray(padded, dtype=np.int64), (batch, 1))
    numbers = np.asarray(sizes.cpu() if isinstance(sizes, Tensor) else sizes)
    if numbers.dtype.kind not in "iu":
        raise InputError(f"sizes are {numbers.dtype}; they must be integers")
    if numbers.shape != (batch, len(padded)):
        raise InputError(
            f"sizes have shape {numbers.shape} for {batch} maps of {len(padded)} dimensions: "
            f"give ({batch}, {len(padded)})"
        )
    bad = np.flatnonzero(((numbers < 1) | (numbers > np.asarray(padded))).any(axis=1))
    if len(bad):
        own = " x ".join(str(n) for n in numbers[bad[0]])
        raise InputError(
            f"map {bad[0]} has the size {own}, but the batch has 1 to "
            f"{' x '.join(map(str, padded))} pixels"
        )
    return numbers.astype(np.int64)
