"""Audio files into mono samples, with checks of the files."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from seqlabel.errors import InputError
from seqlabel.inputs.containers import for_soundfile, sphere_header, unreadable
from seqlabel.inputs.recording import Recording, check_rates
from seqlabel.inputs.resampling import resample

SUFFIXES = (".wav", ".sph", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".nist")
"""Suffixes of recordings in a folder (the format is that of the content)."""

_COMPRESSED = ("FLAC", "MP3", "OGG")
"""Formats of libsndfile whose headers do not tell where the file ends."""


@dataclass(frozen=True, eq=False)
class Audio:
    """A mono signal.

    samples: (N,) float32 in [-1, 1]; 16-bit integers are accepted and divided by 32768.
    rate: samples per second. Raises InputError for other shapes, for no samples and for NaN.
    """

    samples: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.dtype == np.int16:
            samples = samples.astype(np.float32) / 32768
        elif samples.dtype.kind != "f":
            raise InputError(f"audio: samples of type {samples.dtype}; float or int16 is expected")
        if samples.ndim != 1:
            raise InputError(
                f"audio: samples of shape {samples.shape}; one channel (N,) is expected"
            )
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if not len(samples):
            raise InputError("audio: no samples")
        if not np.isfinite(samples).all():
            raise InputError("audio: samples that are NaN or infinite")
        rate: Any = self.rate
        number = isinstance(rate, int | float | np.integer | np.floating)
        if not (number and 1 <= rate <= 1e9 and rate == int(rate)):
            raise InputError(f"audio: rate {rate!r}; a number of samples per second is expected")
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "rate", int(rate))

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    def at_rate(self, rate: int) -> "Audio":
        """The signal at another rate; InputError where the two have no large common factor."""
        if rate == self.rate:
            return self
        check_rates(self.rate, rate, "audio")
        return Audio(resample(self.samples, self.rate, rate), rate)


@dataclass(frozen=True)
class AudioHeader:
    """The header of an audio file: `frames` samples in each of `channels` channels."""

    rate: int
    channels: int
    frames: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.rate


def read_audio_header(path: str | os.PathLike[str]) -> AudioHeader:
    """Read the header of an audio file and compare it with the size of the file.

    Raises InputError as `read_audio` does, except for errors in the samples.
    """
    path = Path(path)
    header = sphere_header(path)
    if header is None:
        try:
            with for_soundfile(path) as source, soundfile.SoundFile(source) as stream:
                rate, channels, frames = stream.samplerate, stream.channels, stream.frames
                if stream.format in _COMPRESSED and frames > 0:
                    stream.seek(frames - 1)  # a truncated end shows only when it is read
                    if len(stream.read(1)) < 1:
                        raise InputError(f"{path}: truncated; get a complete copy")
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise unreadable(path, error) from None
    else:
        rate, channels, frames = header.rate, header.channels, header.frames
    if frames < 1:
        raise InputError(f"{path}: no samples; record it again or leave it out")
    return AudioHeader(rate, channels, frames)


def read_audio(
    path: str | os.PathLike[str],
    rate: int | None = None,
    channel: int | None = None,
    resample: bool = True,
    start: float = 0.0,
    end: float = 0.0,
) -> Audio:
    """Read a recording: NIST SPHERE by its first bytes, anything else by libsndfile.

    rate: sampling rate of the result. A file with another rate is resampled, with one log line per
        pair of rates, or an error if `resample` is False.
    channel: channel to use, from 0; without it several channels are an error.
    start, end: seconds of the segment to be read; an end of 0 is that of the file. Its samples are
        those of the whole file, bit for bit, resampled or not.
    Raises InputError naming the file for one that is missing, unreadable, truncated, compressed
    SPHERE, without samples, with several channels, or with samples that are not numbers, and for a
    segment that is empty or not within the file.
    """
    with Recording(path, rate, channel, resample) as recording:
        first, last = recording.stretch(start, end)
        samples = recording.read(first, last)
        try:
            return Audio(samples, recording.rate)
        except InputError as error:
            raise InputError(
                f"{recording.path}: {error}; record it again or leave it out"
            ) from None
