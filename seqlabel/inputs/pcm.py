"""Raw samples from a pipe: PCM without a header."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from seqlabel.errors import InputError

FORMATS: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
"""Little-endian 16-bit integers, and 32-bit floats in [-1, 1]."""

_BLOCK = 1 << 16  # bytes taken at most at a time
_LOUDEST = 100.0
"""Larger floats are not samples but bytes of another format."""

_CONTAINERS = (b"RIFF", b"RF64", b"NIST", b"fLaC", b"OggS", b"FORM", b".snd", b"ID3")


def read_pcm(stream: BinaryIO, name: str, form: str) -> Iterator[np.ndarray]:
    """Blocks of samples (n,), int16 or float32, as soon as they arrive.

    form: a key of `FORMATS`. Raises InputError, which begins with `name`, for a file with a header,
    for floats that are not samples, and at the end if there was nothing, only zeros, or part of a
    sample; samples before the error are given first.
    """
    dtype = FORMATS[form]
    rest, count, heard = b"", 0, False
    while data := _available(stream):
        if not count and (rest + data).startswith(_CONTAINERS):
            raise InputError(
                f"{name}: begins with {(rest + data)[:4].decode('ascii', 'replace')}, so it is an "
                "audio file; give it with --file, or pipe samples without a header (arecord -t raw)"
            )
        data = rest + data
        whole = len(data) - len(data) % dtype.itemsize
        rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype)
        if dtype.kind == "f" and not (good := np.abs(samples) <= _LOUDEST).all():
            bad = int(np.argmin(good))
            yield samples[:bad]
            raise InputError(
                f"{name}: sample {count + bad} is {samples[bad]:g}, not in [-1, 1]; is it "
                "--format s16le?"
            )
        count += len(samples)
        heard = heard or bool(samples.any())
        yield samples
    if rest:
        raise InputError(
            f"{name}: ends {len(rest)} bytes into a sample of {dtype.itemsize}; was it cut off, "
            f"or is it not --format {form}?"
        )
    if not count:
        raise InputError(f"{name}: no samples; check the program before the pipe")
    if not heard:
        raise InputError(f"{name}: all {count} samples are 0; is the microphone muted?")


def _available(stream: BinaryIO) -> bytes:
    """Available bytes, waiting for the first; b"" at the end."""
    read = getattr(stream, "read1", stream.read)
    return bytes(read(_BLOCK))
