"""Ink and sound with their correct text, in a folder for `seqlabel prepare folder`.

DIR/ink-20260131-120000-4f1c09.json    the ink, in the form of web pages
DIR/ink-20260131-120000-4f1c09.txt     its text
DIR/speech-20260131-120312-90ab7e.wav  the sound
"""

import io
import secrets
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from seqlabel.files import whole_file
from seqlabel.inputs import Ink
from seqlabel.inputs.formats.ink_json import write_ink_json


class Corpus:
    """A growing folder; file names are generated here, never taken from a request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, signal: Ink | tuple[np.ndarray, int], text: str) -> str:
        """Write a signal and its transcript; returns the name of the signal's file.

        signal: ink, or samples (N,) float32 with their rate. The transcript is written
        first, because a signal without a transcript would be an error.
        """
        kind = "ink" if isinstance(signal, Ink) else "speech"
        stem = f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        suffix = ".json" if kind == "ink" else ".wav"
        with whole_file(self.folder / f"{stem}.txt") as stream:
            stream.write(text + "\n")
        path = self.folder / (stem + suffix)
        if isinstance(signal, Ink):
            write_ink_json(path, signal)
        else:
            write_wav(path, *signal)
        return path.name


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    """Write samples (N,) in [-1, 1] as 16-bit WAV, whole or not at all."""
    content: Any = io.BytesIO()
    whole = np.rint(np.clip(samples * 32768, -32768, 32767)).astype(np.int16)
    soundfile.write(content, whole, rate, format="WAV", subtype="PCM_16")
    with whole_file(path, "wb") as stream:
        stream.write(content.getvalue())
