"""Pixels as features: the columns of an image, ink 1 and paper 0."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.image.resize import resize
from seqlabel.inputs.image import Image

MOST_FRAMES = 100_000
"""Maximum columns of an image after scaling."""


@dataclass(frozen=True)
class ImageColumns:
    """A frame per column of pixels, `height` features from the top down.

    scale: "always" scales every image to `height` rows; "larger" scales only images with more rows,
    and the others keep theirs (`Frames.height`, zeros below); with "never" more rows are an error.
    ink: "dark", "light", or "either" if not known: most pixels are then paper.
    contrast: stretch brightness so that paper becomes 0 and the strongest ink 1.
    crop: cut off rows above and below the ink before scaling.

    Times count columns of the file.
    """

    height: int = 32
    scale: Literal["always", "larger", "never"] = "always"
    ink: Literal["either", "dark", "light"] = "either"
    contrast: bool = True
    crop: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.height <= 4096:
            raise InputError(f"height = {self.height} must be in 1 ... 4096")

    @property
    def dim(self) -> int:
        """F."""
        return self.height

    def __call__(self, image: Image) -> Frames:
        """(T, height) in 0...1; InputError if there are more than `MOST_FRAMES` columns after
        scaling.
        """
        x = self._ink(image.pixels)
        if self.crop:
            rows = np.flatnonzero(x.max(axis=1) > 0.5)
            if len(rows):
                x = x[rows[0] : rows[-1] + 1]
        height, width = x.shape
        if height > self.height and self.scale == "never":
            raise InputError(
                f"an image of {height} rows, but features.height = {self.height} and "
                "scale = 'never'; choose scale = 'larger'"
            )
        factor = 1.0
        if self.scale == "always" or height > self.height:
            factor = self.height / height
            height = self.height
        frames = max(1, round(width * factor))
        if frames > MOST_FRAMES:
            raise InputError(
                f"an image of {image.width} x {image.height} pixels becomes {frames} columns at "
                f"height {self.height}; cut it into lines"
            )
        x = resize(x, height, frames)
        columns = np.zeros((frames, self.height), dtype=np.float32)
        columns[:, :height] = x.T.clip(0, 1)
        period = width / frames
        times = np.arange(frames) * period
        return Frames(columns, times, period, height=None if self.scale == "always" else height)

    def _ink(self, pixels: np.ndarray) -> np.ndarray:
        """Brightness to ink: 0 for paper; an image of one brightness has none."""
        paper = float(np.median(pixels))
        least, most = float(pixels.min()), float(pixels.max())
        dark = self.ink == "dark" or (self.ink == "either" and paper - least >= most - paper)
        if not self.contrast:
            return 1 - pixels if dark else pixels
        away = (paper - pixels) if dark else (pixels - paper)
        strongest = float(away.max())
        if strongest <= 0:
            return np.zeros_like(pixels)
        # a few specks do not decide how dark ink is
        strong = away[away > strongest / 2]
        return (away / float(np.median(strong))).clip(0, 1)
