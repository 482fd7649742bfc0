"""Ink and sound kept with their right text, in a folder that `seqlabel prepare folder` takes.

DIR/ink-20260131-120000-4f1c09.json    what was written, in the form of web pages
DIR/ink-20260131-120000-4f1c09.txt     what it says
DIR/speech-20260131-120312-90ab7e.wav  what was spoken
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
    """A folder that grows; names of files are made here, never taken from a request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, signal: Ink | tuple[np.ndarray, int], text: str) -> str:
        """Write a signal and its transcript; returns the name of the signal's file.

        signal: ink, or samples (N,) float32 with their rate. The transcript comes first: one
        without a signal is no utterance, where a signal without a transcript is an error.
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
