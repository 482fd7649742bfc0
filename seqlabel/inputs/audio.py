"""Audio files become mono samples; whatever is wrong with a file is said before it is used."""

import contextlib
import logging
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from seqlabel.errors import InputError
from seqlabel.inputs import sphere
from seqlabel.inputs.resampling import resample
from seqlabel.inputs.shards import open_signal, shard_of

log = logging.getLogger("seqlabel")

SUFFIXES = (".wav", ".sph", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".nist")
"""File names that a folder of recordings is searched for (a file's content decides its format)."""

_UNKNOWN_SIZE = 0x7FFFF000
"""RIFF sizes from here on are what streaming writers put when they cannot know the size."""

_COMPRESSED = ("FLAC", "MP3", "OGG")
"""Formats of libsndfile whose headers do not tell where the file ends."""

_MOST_PHASES = 2000
"""Samples per period of the two rates that resampling takes; its filter has as many phases."""

_resampled: set[tuple[int, int]] = set()


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
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if samples.ndim != 1:
            raise InputError(
                f"audio: samples of shape {samples.shape}; one channel (N,) is expected"
            )
        if not len(samples):
            raise InputError("audio: no samples")
        if not np.isfinite(samples).all():
            raise InputError("audio: samples that are NaN or infinite")
        if self.rate < 1:
            raise InputError(f"audio: rate {self.rate}; samples per second are expected")
        object.__setattr__(self, "samples", samples)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class AudioHeader:
    """What an audio file says about itself: `frames` samples in each of `channels` channels."""

    rate: int
    channels: int
    frames: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.rate


def read_audio_header(path: str | os.PathLike[str]) -> AudioHeader:
    """Read the header of an audio file and hold it against the size of the file.

    Raises InputError, as `read_audio` does, for all that can be seen without the samples.
    """
    path = Path(path)
    header = _sphere_header(path)
    if header is None:
        try:
            with _for_soundfile(path) as source, soundfile.SoundFile(source) as stream:
                rate, channels, frames = stream.samplerate, stream.channels, stream.frames
                if stream.format in _COMPRESSED and frames > 0:
                    stream.seek(frames - 1)  # the end is missed only by who looks for it
                    if len(stream.read(1)) < 1:
                        raise InputError(f"{path}: truncated; get a whole copy")
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise _unreadable(path, error) from None
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
) -> Audio:
    """Read a recording: NIST SPHERE by its first bytes, anything else by libsndfile.

    rate: samples per second wanted. A file with another rate is resampled, with one notice per
        pair of rates, or refused when `resample` is False.
    channel: which channel of several to take, from 0; without it several channels are refused.
    Raises InputError naming the file for one that is missing, unreadable, truncated, compressed
    SPHERE, without samples, with several channels, or with samples that are no numbers.
    """
    path = Path(path)
    header = _sphere_header(path)
    if header is None:
        samples, found = _read_soundfile(path)
    else:
        raw = sphere.read_sphere_samples(path, header)
        samples, found = raw.astype(np.float32) / 32768, header.rate
        if len(raw) and header.extremes not in (None, (int(raw.min()), int(raw.max()))):
            log.warning(
                "%s: samples from %d to %d, the header says %d to %d; is the copy damaged?",
                path, raw.min(), raw.max(), *header.extremes,
            )  # fmt: skip
    channels = samples.shape[1]
    if channel is None and channels > 1:
        raise InputError(
            f"{path}: {channels} channels; make it mono (ffmpeg -i IN -ac 1 OUT) or choose one "
            "with read_audio(path, channel=0)"
        )
    if not 0 <= (channel or 0) < channels:
        raise InputError(f"{path}: no channel {channel}; the file has {channels}")
    samples = samples[:, channel or 0]
    if rate is not None and rate != found:
        if not resample:
            raise InputError(
                f"{path}: {found} samples per second where {rate} are expected; convert it "
                f"(ffmpeg -i IN -ar {rate} OUT) or allow resampling"
            )
        samples = _resample(samples, found, rate, path)
        found = rate
    try:
        return Audio(samples, found)
    except InputError as error:
        raise InputError(f"{path}: {error}; record it again or leave it out") from None


def _sphere_header(path: Path) -> sphere.SphereHeader | None:
    """The header of a SPHERE file, None for other containers; checks that there is a file."""
    try:
        with open_signal(path) as stream:
            begin = stream.read(12)
            if begin[:4] == b"RIFF" and begin[8:] == b"WAVE":
                _check_riff(path, stream)
            else:
                _check_size(path, begin + stream.read(24), stream.seek(0, os.SEEK_END))
    except FileNotFoundError:
        raise InputError(f"{path}: no such audio file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, an audio file is expected") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read; change its permissions") from None
    if not begin:
        raise InputError(f"{path}: the file is empty (0 bytes); get a whole copy")
    if begin.startswith(sphere.MAGIC):
        return sphere.read_sphere_header(path)
    return None


def _check_size(path: Path, head: bytes, held: int) -> None:
    """Refuse RF64, W64, AIFF and AU files that are shorter than they say, as `_check_riff` does.

    head: the first 36 bytes. held: the bytes of the file.
    """
    promised = 0
    if len(head) == 36 and head[:4] == b"RF64" and head[12:16] == b"ds64":
        promised = struct.unpack_from("<Q", head, 20)[0] + 8
    elif len(head) >= 24 and head[:8] == b"riff\x2e\x91\xcf\x11":  # W64 has GUIDs for names
        promised = struct.unpack_from("<Q", head, 16)[0]
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        promised = struct.unpack_from(">I", head, 4)[0] + 8
    elif len(head) >= 12 and head[:4] == b".snd":
        offset, size = struct.unpack_from(">II", head, 4)
        promised = offset + size if size < _UNKNOWN_SIZE else 0
    if held < promised:
        raise InputError(
            f"{path}: truncated: the header promises {promised} bytes, the file holds {held}; get "
            "a whole copy"
        )


def _check_riff(path: Path, stream: BinaryIO) -> None:
    """Refuse a WAV file that ends before its samples do (libsndfile reads on silently)."""
    place = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(place)
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            held = end - stream.tell()
            if held < size < _UNKNOWN_SIZE:
                raise InputError(
                    f"{path}: truncated: the header promises {size} bytes of samples, the file "
                    f"holds {held}; get a whole copy"
                )
            return
        stream.seek(size + size % 2, os.SEEK_CUR)
    raise InputError(f"{path}: WAV without samples; the file is truncated or damaged")


def _read_soundfile(path: Path) -> tuple[np.ndarray, int]:
    try:
        with _for_soundfile(path) as source, soundfile.SoundFile(source) as stream:
            samples = stream.read(dtype="float32", always_2d=True)
            if len(samples) != stream.frames:
                raise InputError(
                    f"{path}: truncated after {len(samples)} of {stream.frames} samples; get a "
                    "whole copy"
                )
            return samples, stream.samplerate
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise _unreadable(path, error) from None


@contextlib.contextmanager
def _for_soundfile(path: Path) -> Iterator[bytes | BinaryIO]:
    """What libsndfile opens: the path of a file, or the stream of a member of a shard."""
    if shard_of(path) is None:
        yield os.fsencode(path)
    else:
        with open_signal(path) as stream:
            yield stream


def _unreadable(path: Path, error: Exception) -> InputError:
    cause = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
    return InputError(
        f"{path}: no readable audio ({cause}); the file is damaged or of an unknown format: "
        "convert it to WAV"
    )


def _resample(samples: np.ndarray, found: int, wanted: int, path: Path) -> np.ndarray:
    if wanted // math.gcd(found, wanted) > _MOST_PHASES:
        raise InputError(
            f"{path}: {found} samples per second, which have hardly a factor in common with "
            f"{wanted}; convert it (ffmpeg -i IN -ar {wanted} OUT)"
        )
    if (found, wanted) not in _resampled:
        _resampled.add((found, wanted))
        log.warning(
            "%s: resampled from %d to %d samples per second, like all files of that rate",
            path, found, wanted,
        )  # fmt: skip
    return resample(samples, found, wanted)
