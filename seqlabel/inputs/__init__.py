"""What comes in from a file: audio samples and digital ink, whatever the format."""

from seqlabel.inputs.audio import Audio, read_audio
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.ink_files import read_ink

__all__ = ["Audio", "Ink", "read_audio", "read_ink"]
