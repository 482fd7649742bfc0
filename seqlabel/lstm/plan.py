"""In which order the packed rows of one direction are computed, and from which rows.

A direction runs over segments: rows computed together because the rows they come from lie side by
side too. Forwards a frame is one segment; backwards it is two where sequences begin. Initial states
are kept as further rows behind the last frame's, so that every row has one it comes from, and one
loop serves both directions.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows

# Rows treated by one call of the large products: enough for their full speed, few enough that what
# they write is still in the second-level cache when the gates read it.
CHUNK_ROWS = 512


class Plan(NamedTuple):
    """Segments in the order of computation, and chunks: segments that fill neighbouring rows."""

    row: np.ndarray  # first row of each segment
    size: np.ndarray  # its rows
    before: np.ndarray  # first of the rows it comes from
    place: np.ndarray  # its first sequence, counted from the longest
    cut: np.ndarray  # whether no gradient goes to the rows it comes from
    chunk: np.ndarray  # first segment of each chunk, and the number of segments at the end
    chunk_row: np.ndarray  # first row of each chunk
    chunk_size: np.ndarray  # its rows


@lru_cache(maxsize=8)  # the layers of a stack share it
def plan_direction(rows: Rows, how: Recurrence, backwards: bool) -> Plan:
    """The plan of one direction."""
    active, offset = rows.active.tolist(), rows.offset.tolist()
    initial = offset[-1] + active[-1]
    frames = list(range(len(active)))[:: -1 if backwards else 1]
    segments: list[tuple[int, int, int, int, bool]] = []
    chunk, chunk_row, chunk_size = [0], [], []
    filled = 0
    for then, t in zip([None, *frames], frames, strict=False):
        n, cut = active[t], how.cuts(t, backwards)
        known = 0 if then is None else min(n, active[then])
        if then is not None:
            segments.append((offset[t], known, offset[then], 0, cut))
        if n > known:  # these sequences begin here
            segments.append((offset[t] + known, n - known, initial + known, known, cut))
        filled += n
        if filled >= CHUNK_ROWS or t == frames[-1]:
            chunk.append(len(segments))
            chunk_row.append(offset[t] if backwards else offset[t] + n - filled)
            chunk_size.append(filled)
            filled = 0
    columns = [np.array(column) for column in zip(*segments, strict=True)]
    return Plan(*columns, *map(np.array, (chunk, chunk_row, chunk_size)))
