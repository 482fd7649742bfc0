"""Input files: audio, digital ink, images and series in all their formats."""

from seqlabel.inputs.audio import Audio, read_audio
from seqlabel.inputs.image import Image, read_image
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.ink_files import read_ink
from seqlabel.inputs.series import Series, read_series

__all__ = [
    "Audio",
    "Image",
    "Ink",
    "Series",
    "read_audio",
    "read_image",
    "read_ink",
    "read_series",
]
