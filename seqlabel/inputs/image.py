"""Images of handwriting or print as grey pixels.

Pillow decodes the files; install it with `pip install seqlabel[image]`.
"""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.reading import read_bytes

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

SUFFIXES = (".png", ".tif", ".tiff", ".pgm", ".pbm", ".ppm", ".jpg", ".jpeg", ".bmp", ".webp")
"""Suffixes of images in a folder (the format is that of the content)."""

FORMATS = ("PNG", "TIFF", "PPM", "JPEG", "BMP", "WEBP")
"""Formats by Pillow's names (PPM includes PGM and PBM); no others are tried."""

MOST_PIXELS = 50_000_000
"""Maximum pixels of an image; a page of A4 at 600 dpi has 35 million."""

_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # tags of TIFF
_WHITE_IS_ZERO = 0


@dataclass(frozen=True, eq=False)
class Image:
    """pixels: (H, W) float32, brightness from 0 (black) to 1 (white), at least one pixel.

    Where other signals have times, an image has columns of pixels, counted from 0.
    """

    pixels: np.ndarray

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels, dtype=np.float32)
        if pixels.ndim != 2 or not pixels.size:
            raise InputError(
                f"an image of shape {np.shape(self.pixels)}; (H, W) grey pixels are expected"
            )
        if pixels.size > MOST_PIXELS:
            raise InputError(_too_large(pixels.shape[1], pixels.shape[0]))
        if not np.isfinite(pixels).all():
            raise InputError("an image with pixels that are NaN or infinite")
        if pixels.min() < 0 or pixels.max() > 1:
            raise InputError("an image with pixels outside [0, 1]; divide by the largest value")
        object.__setattr__(self, "pixels", pixels)

    @property
    def height(self) -> int:
        """H."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """W."""
        return self.pixels.shape[1]


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image file in any of `FORMATS`: colours become grey, transparent pixels white.

    Raises InputError that names the file for one that is missing, cut, of another format, larger
    than `MOST_PIXELS` or of several pages, and if Pillow is not installed.
    """
    data = read_bytes(path)
    pillow, operations = _pillow(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, and sizes checked below
            image = pillow.open(io.BytesIO(data), formats=FORMATS)
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise InputError(f"{path}: {_too_large(width, height)}")
            if not width or not height:
                raise InputError(f"{path}: an image of {width} x {height} pixels; it is empty")
            pages = getattr(image, "n_frames", 1)
            if pages > 1:
                raise InputError(f"{path}: {pages} pages; save each in its own file")
            image.load()
            form, (black, white) = image.format, _range(image)
            image = operations.exif_transpose(image)
            return Image(_grey(image, form, path, black, white))
    except pillow.DecompressionBombError:
        raise InputError(
            f"{path}: an image of more than {MOST_PIXELS} pixels; cut out the lines, or scale it"
        ) from None
    except pillow.UnidentifiedImageError:
        raise InputError(
            f"{path}: not an image of a known format, or without pixels; expected PNG, TIFF, "
            "PGM, JPEG, BMP or WebP"
        ) from None
    except InputError:
        raise
    except Exception as error:  # the exceptions of decoders have no other common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: a damaged image ({reason}); copy it again") from None


def read_image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(H, W) of a file that `read_image` reads; it is decoded, so that a cut one is found."""
    image = read_image(path)
    return image.height, image.width


def write_image(path: str | os.PathLike[str], image: Image) -> None:
    """Write an image as PNG of 8 bits, whole or not at all."""
    pillow, _ = _pillow(path)
    grey = np.round(image.pixels * 255).astype(np.uint8)
    with whole_file(path, "wb") as stream:
        pillow.fromarray(grey).save(stream, format="PNG")


def _range(image: Any) -> tuple[int, int]:
    """Values of black and of white in an image of 16 bits, before it is transposed.

    Pillow gives such pixels of a TIFF as they are in the file: of 12 bits they end at 4095, and
    where 0 is white (TIFF 6.0, PhotometricInterpretation) they are inverted.
    """
    tags = getattr(image, "tag_v2", {}) if image.mode.startswith("I;16") else {}
    bits = tags.get(_BITS_PER_SAMPLE, 16)
    largest = 2 ** (bits[0] if isinstance(bits, tuple) else bits) - 1
    return (largest, 0) if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else (0, largest)


def _grey(
    image: "PillowImage", form: str | None, path: str | os.PathLike[str], black: int, white: int
) -> np.ndarray:
    """(H, W) brightness in 0...1 of an image of a format; black, white: see `_range`."""
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and form in ("PNG", "PPM")):
        values = np.asarray(image, dtype=np.float32)
        return ((values - black) / (white - black)).clip(0, 1)
    if mode in ("I", "F"):
        raise InputError(
            f"{path}: pixels of 32 bits, whose range is not known; save it as grey of 8 or 16 bits"
        )
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        paper = coloured.copy()
        paper.paste((255, 255, 255, 255), (0, 0, *image.size))
        paper.alpha_composite(coloured)
        image = paper
    return np.asarray(image.convert("L"), dtype=np.float32) / 255


def _too_large(width: int, height: int) -> str:
    return (
        f"an image of {width} x {height} pixels, more than {MOST_PIXELS} in all; cut out the "
        "lines, or scale it"
    )


def _pillow(path: str | os.PathLike[str]) -> tuple[Any, Any]:
    """Pillow's modules Image and ImageOps."""
    try:
        from PIL import Image as pillow
        from PIL import ImageOps
    except ImportError:
        raise InputError(
            f"{Path(path)}: images need Pillow, which is not installed: pip install seqlabel[image]"
        ) from None
    return pillow, ImageOps
