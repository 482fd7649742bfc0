"""Front end for series: rows of values, unchanged."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.inputs.series import Series


@dataclass(frozen=True)
class SeriesRows:
    """One frame per row of a series; the values are the features.

    size: F, values per row. period: seconds from one row to the next; with 1, times count rows.
    """

    size: int = 1
    period: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 1 << 20:
            raise InputError(f"size = {self.size} values per row; must be in 1 ... {1 << 20}")
        if not 0 < self.period < float("inf"):
            raise InputError(f"period = {self.period} seconds; must be positive")

    @property
    def dim(self) -> int:
        """F."""
        return self.size

    def __call__(self, series: Series) -> Frames:
        """(T, F) unchanged; InputError if F is not `size`."""
        if series.size != self.size:
            raise InputError(
                f"{series.size} values per row, but features.size in the configuration is "
                f"{self.size}"
            )
        return Frames(series.values, np.arange(len(series)) * self.period, self.period)
