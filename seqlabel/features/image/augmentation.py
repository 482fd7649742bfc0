"""Augmentation of images."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.image import Image


@dataclass(frozen=True)
class ImageAugmentation:
    """Standard deviations of random changes of every image in every epoch; 0 for none.

    slant: tangent of the angle by which upright strokes lean. rotation: in degrees.
    width, height: logarithm of the factors by which the writing is stretched.
    shift: rows up or down. waves: rows and columns by which the writing is bent; the bends are
    about `wave_length` pixels long. brightness: of the ink against the paper, a share.
    noise: of every pixel, in brightness.
    """

    slant: float = 0.0
    rotation: float = 0.0
    width: float = 0.0
    height: float = 0.0
    shift: float = 0.0
    waves: float = 0.0
    wave_length: float = 8.0
    brightness: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        values = (self.slant, self.rotation, self.width, self.height, self.shift, self.waves)
        if min(*values, self.brightness, self.noise) < 0 or self.wave_length < 1:
            raise InputError("deviations must not be negative, wave_length must be at least 1")
        if max(self.width, self.height) > 0.5 or self.rotation > 20:
            raise InputError("width and height must be in 0 ... 0.5, rotation in 0 ... 20 degrees")

    @property
    def moves_columns(self) -> bool:
        """Whether what is written in a column may get into another one."""
        return max(self.slant, self.rotation, self.width, self.waves) > 0


def distort_image(image: Image, rng: np.random.Generator, options: ImageAugmentation) -> Image:
    """The image transformed about its centre; pixels from outside are paper.

    The size is unchanged, except for the columns that a changed width needs.
    """
    slant, turn, wide, high, up, bright = rng.normal(size=6)
    wide, high = np.exp(np.clip([wide * options.width, high * options.height], -1, 1))
    angle = np.deg2rad(turn * options.rotation)
    pixels = image.pixels
    paper = float(np.median(pixels))
    height, width = pixels.shape
    columns = max(1, round(width * wide))
    y = (np.arange(height) - (height - 1) / 2 - up * options.shift)[:, None] / high
    x = (np.arange(columns) - (columns - 1) / 2)[None, :] / wide
    x = x + slant * options.slant * y
    source_x = np.cos(angle) * x - np.sin(angle) * y + (width - 1) / 2
    source_y = np.sin(angle) * x + np.cos(angle) * y + (height - 1) / 2
    if options.waves:
        source_x = source_x + options.waves * _waves(height, columns, options.wave_length, rng)
        source_y = source_y + options.waves * _waves(height, columns, options.wave_length, rng)
    drawn = _sample(pixels, source_y, source_x, paper)
    drawn = paper + (drawn - paper) * max(0.2, 1 + bright * options.brightness)
    if options.noise:
        drawn = drawn + rng.normal(0, options.noise, drawn.shape)
    return Image(drawn.clip(0, 1).astype(np.float32))


def _waves(height: int, width: int, length: float, rng: np.random.Generator) -> np.ndarray:
    """(height, width) of about unit variance, smooth over `length` pixels."""
    rows, columns = (max(2, round(n / length) + 1) for n in (height, width))
    knots = rng.normal(size=(rows, columns))
    y = np.linspace(0, rows - 1, height)[:, None]
    x = np.linspace(0, columns - 1, width)[None, :]
    y, x = np.broadcast_arrays(y, x)
    return _sample(knots, y, x, 0.0)


def _sample(pixels: np.ndarray, y: np.ndarray, x: np.ndarray, outside: float) -> np.ndarray:
    """Bilinear values at places (in rows and columns); `outside` beyond the border."""
    padded = np.pad(pixels, 1, constant_values=outside)
    height, width = padded.shape
    y, x = np.clip(y + 1, 0, height - 1), np.clip(x + 1, 0, width - 1)
    top = np.minimum(y.astype(np.int64), height - 2)
    left = np.minimum(x.astype(np.int64), width - 2)
    down, right = y - top, x - left
    place = top * width + left
    flat = padded.ravel()
    upper = flat[place] * (1 - right) + flat[place + 1] * right
    lower = flat[place + width] * (1 - right) + flat[place + width + 1] * right
    return upper * (1 - down) + lower * down
