"""Signals inside other files, read in place: members of tar files, lines of JSON lines.

A plain tar file, a shard of WebDataset, keeps each member in one piece, and so does a file of JSON
lines each line. `SHARD.tar@OFFSET+SIZE/MEMBER` is the path of a member whose bytes begin at OFFSET,
`FILE.ndjson@OFFSET+SIZE/NAME` that of a line; all readers of signals take such a path like that
of a file.
"""

import io
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from seqlabel.errors import InputError

_PLACE = re.compile(r"(.+?\.(?:tar|ndjson|jsonl))@(\d+)\+(\d+)/", re.DOTALL)

_COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5": "unzstd"}
"""First bytes of a compressed file, and what unpacks it."""


def shard_of(path: str | os.PathLike[str]) -> tuple[Path, int, int] | None:
    """Shard, offset and size if `path` is that of a member, None for that of a file."""
    place = _PLACE.match(os.fspath(path))
    return (Path(place[1]), int(place[2]), int(place[3])) if place else None


def signal_file(path: Path) -> Path:
    """The file that holds a signal: its shard, or itself."""
    place = shard_of(path)
    return place[0] if place else path


def open_signal(path: str | os.PathLike[str]) -> BinaryIO:
    """A file, a member of a shard, or a line of a file, opened to be read.

    Raises OSError as `open` does, and InputError for a shard that has changed.
    """
    place = shard_of(path)
    if place is None:
        return open(path, "rb")
    shard, start, size = place
    stream = open(shard, "rb")  # noqa: SIM115 - the caller closes it
    if shard.suffix != ".tar":
        stream.seek(max(0, start - 1))
        around = stream.read(size + 2)
        whole = b"\n" + around if start == 0 else around
        if whole[:1] != b"\n" or whole[size + 1 : size + 2] not in (b"", b"\n", b"\r"):
            stream.close()
            raise InputError(f"{path}: the file has changed here; run seqlabel prepare again")
        return io.BufferedReader(_Window(stream, start, size))
    try:
        stream.seek(max(0, start - tarfile.BLOCKSIZE))
        header = tarfile.TarInfo.frombuf(
            stream.read(tarfile.BLOCKSIZE), tarfile.ENCODING, "surrogateescape"
        )
        if header.size != size or os.fstat(stream.fileno()).st_size < start + size:
            raise tarfile.HeaderError
    except tarfile.HeaderError:
        stream.close()
        raise InputError(
            f"{path}: the shard has changed here; run seqlabel prepare again"
        ) from None
    return io.BufferedReader(_Window(stream, start, size))


class _Window(io.RawIOBase):
    """`size` bytes of a file from `start` on, as if they were a file."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream, self._start, self._size, self._at = stream, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._stream.seek(self._start + self._at)
        part = self._stream.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


def line_of(path: Path, start: int, size: int, name: str) -> Path:
    """The path for `open_signal` of a line: its first byte, its length, a readable name."""
    return path.with_name(f"{path.name}@{start}+{size}") / name


def list_members(shard: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name in the shard, path for `open_signal`) of each file in a shard; hidden ones not.

    Raises InputError for a shard that is compressed, cut off or not a tar file, and for members
    that are links, or whose names point outside the shard.
    """
    with open(shard, "rb") as stream:
        begin = stream.read(5)
        for magic, command in _COMPRESSED.items():
            if begin.startswith(magic):
                raise InputError(
                    f"{shard}: a compressed tar file; unpack it ({command}), so that its members "
                    "can be read in place"
                )
        stream.seek(0)
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined] # it would keep all
                    if not member.isdir() and not PurePosixPath(member.name).name.startswith("."):
                        yield member.name, _member_path(shard, member)
                end = tar.offset
        except tarfile.TarError as error:
            raise InputError(
                f"{shard}: damaged or cut off tar file ({error}); get a complete copy"
            ) from None
        # tarfile treats a damaged header as the end; the true end is marked by zeros.
        stream.seek(end)
        if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise InputError(f"{shard}: damaged or cut off at byte {end}; get a complete copy")


def _member_path(shard: Path, member: tarfile.TarInfo) -> Path:
    name = PurePosixPath(member.name)
    if not member.isreg() or member.issparse():
        raise InputError(
            f"{shard}: member {member.name!r} is a link or a special file; pack the shard again "
            "with tar --dereference --hard-dereference"
        )
    if name.is_absolute() or ".." in name.parts:
        raise InputError(
            f"{shard}: member {member.name!r} has a name that points outside the shard; pack it "
            "again with plain names"
        )
    return shard.with_name(f"{shard.name}@{member.offset_data}+{member.size}") / name
