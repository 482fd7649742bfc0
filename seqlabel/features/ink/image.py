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
    """

    def __init__(self, points: np.ndarray) -> None:
        columns, rows = _cells(points)
        self._left, self._top = columns.min(), rows.min()
        shape = (rows.max() - self._top + 1, columns.max() - self._left + 1)
        if shape[1] > WIDEST:
            raise InputError(
                f"ink {shape[1] * CELL:.0f} times as wide as its corpus is high; remove outliers"
            )
        counts = np.zeros(shape, dtype=np.int64)
        np.add.at(counts, (rows - self._top, columns - self._left), 1)
        self._sums = np.pad(counts, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)

    def count(
        self,
        top: np.ndarray | int,
        bottom: np.ndarray | int,
        left: np.ndarray | int,
        right: np.ndarray | int,
    ) -> np.ndarray:
        """Points in the cells of rows top...bottom and columns left...right, both included."""
        height, width = self._sums.shape
        a = np.clip(np.asarray(top) - self._top, 0, height - 1)
        b = np.clip(np.asarray(bottom) - self._top + 1, 0, height - 1)
        c = np.clip(np.asarray(left) - self._left, 0, width - 1)
        d = np.clip(np.asarray(right) - self._left + 1, 0, width - 1)
        return self._sums[b, d] - self._sums[a, d] - self._sums[b, c] + self._sums[a, c]

    @staticmethod
    def cells(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(column, row) of the cell of each point (N, 2 or more)."""
        return _cells(points)


def _cells(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = points[:, 0], np.clip(points[:, 1], -TALLEST, TALLEST)
    return np.floor(x / CELL).astype(np.int64), np.floor(y / CELL).astype(np.int64)
