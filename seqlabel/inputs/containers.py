"""Containers of audio: the type of a file, and whether it has the length in its header."""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from seqlabel.errors import InputError
from seqlabel.inputs import sphere
from seqlabel.inputs.shards import open_signal, shard_of

UNKNOWN_SIZE = 0x7FFFF000
"""RIFF sizes from here on are placeholders of writers that do not know the size."""

CHUNKS = 1 << 12
"""Bytes that the chunks after the samples of a WAV file may have where there are no samples."""


def sphere_header(path: Path) -> sphere.SphereHeader | None:
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
        raise InputError(f"{path}: is a folder; name an audio file") from None
    except PermissionError:
        raise InputError(f"{path}: permission denied; change its permissions") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read: {cause}") from None
    if not begin:
        raise InputError(f"{path}: the file is empty (0 bytes); get a complete copy")
    if begin.startswith(sphere.MAGIC):
        return sphere.read_sphere_header(path)
    return None


def _check_size(path: Path, head: bytes, held: int) -> None:
    """InputError for RF64, W64, AIFF and AU files shorter than their header says, as in
    `_check_riff`.

    head: the first 36 bytes. held: bytes of the file.
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
        promised = offset + size if size < UNKNOWN_SIZE else 0
    if held < promised:
        raise InputError(
            f"{path}: truncated: the header says {promised} bytes, the file has {held}; get "
            "a complete copy"
        )


def _check_riff(path: Path, stream: BinaryIO) -> None:
    """InputError for a WAV file that ends before its samples (libsndfile does not report it)."""
    place = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(place)
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            held = end - stream.tell()
            if held < size < UNKNOWN_SIZE:
                raise InputError(
                    f"{path}: truncated: the header says {size} bytes of samples, the file "
                    f"has {held}; get a complete copy"
                )
            if not size and held > CHUNKS:
                raise InputError(
                    f"{path}: the header says that there are no samples, but {held} bytes follow, "
                    "as in a recording that was not closed; repair it (ffmpeg -ignore_length 1 "
                    "-i IN OUT.wav)"
                )
            return
        stream.seek(size + size % 2, os.SEEK_CUR)
    raise InputError(f"{path}: WAV without samples; the file is truncated or damaged")


@contextlib.contextmanager
def for_soundfile(path: Path) -> Iterator[bytes | BinaryIO]:
    """What libsndfile opens: the path of a file, or the stream of a member of a shard."""
    if shard_of(path) is None:
        yield os.fsencode(path)
    else:
        with open_signal(path) as stream:
            yield stream


def unreadable(path: Path, error: Exception) -> InputError:
    cause = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
    return InputError(
        f"{path}: not readable as audio ({cause}); the file is damaged or its format unknown: "
        "convert it to WAV"
    )
