"""In which order the pixels of a grid are computed: along anti-diagonals, all maps together.

Counted from the corner where a direction begins, the pixels whose coordinates have the same sum do
not depend on each other, and come from pixels of the sum before. Every direction meets the same
pixels in its own coordinates, so they share the order and differ in where it leads in the grid.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from seqlabel.lstm.multidimensional.grid import Grid

# Columns treated by one call of the large products: enough for their full speed, few enough that
# what they write is still in the second-level cache when the gates read it.
CHUNK_COLUMNS = 512


class Plan(NamedTuple):
    """P columns, one for each pixel in the order of computation.

    A run is a stretch of columns that come, in one dimension, from columns side by side too.
    """

    first: np.ndarray  # (K + 1,) first column of each diagonal
    chunk: np.ndarray  # (M + 1,) first diagonal of each chunk
    chunk_of: np.ndarray  # (K,) chunk of each diagonal
    runs: np.ndarray  # (K D + 1,) first run of dimension d of diagonal k at k D + d
    run_column: np.ndarray  # first column of each run
    run_size: np.ndarray  # its columns
    run_before: np.ndarray  # first of the columns it comes from, -1 for the border
    widest_chunk: int  # columns
    widest_diagonal: int


@lru_cache(maxsize=16)  # the layers of a network and both passes share it
def plan_columns(grid: Grid) -> tuple[Plan, np.ndarray, np.ndarray]:
    """The plan of a grid; pixels (2^D, P): the row of each column; before (D, P): the column that
    each column comes from in each dimension, -1 at the border.
    """
    diagonal = grid.place.sum(axis=1)
    keys = [grid.place[:, d] for d in range(grid.dims - 1)]
    order = np.lexsort((grid.map, *keys[::-1], diagonal))
    number, place = grid.map[order], grid.place[order]
    column = np.empty_like(order)
    column[order] = np.arange(len(order))
    steps, sizes = grid.steps[number], grid.sizes[number]
    before = np.stack(
        [
            np.where(place[:, d] > 0, column[np.maximum(order - steps[:, d], 0)], -1)
            for d in range(grid.dims)
        ]
    )
    pixels = np.stack(
        [
            grid.first()[number]
            + sum(
                (sizes[:, d] - 1 - place[:, d] if n >> d & 1 else place[:, d]) * steps[:, d]
                for d in range(grid.dims)
            )
            for n in range(1 << grid.dims)
        ]
    )
    first = np.searchsorted(diagonal[order], np.arange(int(diagonal.max()) + 2))
    return _plan(first, before), np.ascontiguousarray(pixels), before


def _plan(first: np.ndarray, before: np.ndarray) -> Plan:
    diagonals, (dims, columns) = len(first) - 1, before.shape
    chunk = [0]
    for k in range(1, diagonals + 1):
        if k == diagonals or first[k] - first[chunk[-1]] >= CHUNK_COLUMNS:
            chunk.append(k)
    chunk_of = np.repeat(np.arange(len(chunk) - 1), np.diff(chunk))
    # a run ends where its diagonal does, and where the next column comes from elsewhere
    starts = np.zeros((dims, columns), dtype=bool)
    starts[:, first[:-1]] = True
    border = before < 0
    both = border[:, 1:] & border[:, :-1]
    starts[:, 1:] |= ~both & (border[:, :-1] | (np.diff(before, axis=1) != 1))
    rows = [np.flatnonzero(row) for row in starts]
    run_diagonal = [np.searchsorted(first, row, "right") - 1 for row in rows]
    dim = np.repeat(np.arange(dims), [len(row) for row in rows])
    column = np.concatenate(rows)
    size = np.concatenate([np.diff(np.append(row, columns)) for row in rows])
    order = np.lexsort((column, dim, np.concatenate(run_diagonal)))
    where = np.concatenate(run_diagonal)[order] * dims + dim[order]
    runs = np.searchsorted(where, np.arange(diagonals * dims + 1))
    return Plan(
        first,
        np.array(chunk),
        chunk_of,
        runs,
        column[order],
        size[order],
        before[dim, column][order],
        int(np.diff(first[chunk]).max()),
        int(np.diff(first).max()),
    )
