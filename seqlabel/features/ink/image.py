"""The low-resolution image of ink: the number of points in each cell of a grid."""

import numpy as np

from seqlabel.errors import InputError

CELL = 0.2
"""Side of a cell in corpus heights."""

TALLEST = 10.0
"""Maximum distance of points from the base line, in corpus heights; larger ones are clipped."""

WIDEST = 200_000
"""Maximum columns of an image."""


class Image:
    """Counts of points of ink of corpus height 1 with its base line at y = 0.

    The matrix B of Liwicki & Bunke: B[row, column] is the number of points with
    floor(y / CELL) = row and floor(x / CELL) = column.

    sums: (rows + 1, columns + 1) points above and to the left of each corner of a cell. rows,
    columns: (N,) of the cell of each point (N, 2 or more), counted from the first ones. base: the
    row whose upper edge is the base line.
    """

    def __init__(self, points: np.ndarray) -> None:
        columns = np.floor(points[:, 0] / CELL).astype(np.int64)
        rows = np.floor(np.clip(points[:, 1], -TALLEST, TALLEST) / CELL).astype(np.int64)
        self.base = -int(rows.min())
        self.columns, self.rows = columns - columns.min(), rows + self.base
        height, width = int(self.rows.max()) + 1, int(self.columns.max()) + 1
        if width > WIDEST:
            raise InputError(
                f"ink {width * CELL:.0f} times as wide as its corpus is high; remove outliers"
            )
        counts = np.bincount(self.rows * width + self.columns, minlength=height * width)
        self.sums = np.zeros((height + 1, width + 1), dtype=np.int64)
        np.cumsum(counts.reshape(height, width), axis=0, out=self.sums[1:, 1:])
        np.cumsum(self.sums[1:, 1:], axis=1, out=self.sums[1:, 1:])
