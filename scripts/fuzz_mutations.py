"""Damage done to files on purpose: what transfers, editors, other programs and attackers do."""

import gzip
import random
import re
import zlib
from collections.abc import Callable, Sequence

Folder = dict[str, bytes]
"""Path below a folder -> content: one input of a reader."""

NUMBERS = (
    b"0", b"-1", b"1", b"1e999", b"-1e308", b"1e-400", b"nan", b"inf", b"-0", b"0.1e-5", b"", b"-",
    b"4294967296", b"18446744073709551616", b"9" * 5000, b"1e4000", b"0x10", b"1_000",
    b"2147483647",
)  # fmt: skip
TOKENS = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\xef\xbb\xbf", b"\r", b"\x1b[2J",
    b"\xe2\x80\xa8", b'"', b"'", b"<", b">", b"&", b"{", b"}", b"[", b"]", b",", b"null",
    b"true", b"{}", b"[]", b'""', b"<![CDATA[", b"&#0;", b"../", b"/", b"|", b"\t", b"  ", b"\n\n",
    b"#", b"%", b"\\", b"=",
)  # fmt: skip
NESTS = (
    (b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"{", b"}"), (b"(", b")"), (b"[[", b"]]"),
    (b"<traceGroup>", b"</traceGroup>"), (b"a=[", b"]"), (b"'", b"'"),
)  # fmt: skip
INTEGERS = (0, 1, -1, 2**31 - 1, -(2**31), 2**16, 255, 2**24)
"""Written over four bytes of a file."""


def flip(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Some bits the other way round."""
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def extreme_bytes(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Some bytes at the ends of their range."""
    for _ in range(rng.choice((1, 2, 4))):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
    return bytes(data)


def extreme_integer(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Four bytes that a binary format may take for a size; often in the head of the file."""
    place = rng.randrange(min(len(data), rng.choice((64, 1 << 30))))
    value = rng.choice(INTEGERS) & 0xFFFFFFFF
    data[place : place + 4] = value.to_bytes(4, rng.choice(("little", "big")))
    return bytes(data)


def cut(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The end is missing, as after a broken transfer."""
    return bytes(data[: rng.randrange(len(data) + 1)])


def drop(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A stretch is missing."""
    start = rng.randrange(len(data))
    del data[start : start + rng.choice((1, 2, 4, 16, 256))]
    return bytes(data)


def repeat(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A stretch stands there again, once or many times."""
    start = rng.randrange(len(data))
    part = data[start : start + rng.choice((1, 4, 16, 256))]
    data[start:start] = part * rng.choice((1, 2, 50))
    return bytes(data)


def splice(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The beginning of one file and the end of another."""
    other = rng.choice(others)
    return bytes(data[: rng.randrange(len(data) + 1)]) + other[rng.randrange(len(other) + 1) :]


def number(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A number written in digits is another one."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
    if not found:
        return extreme_integer(data, rng, others)
    place = rng.choice(found)
    data[place.start() : place.end()] = rng.choice(NUMBERS)
    return bytes(data)


def token(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Characters that mean something to a parser where none are expected."""
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.choice(TOKENS)
    return bytes(data)


def nest(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Brackets or elements nested deeper than any parser's stack."""
    opening, closing = rng.choice(NESTS)
    depth = rng.choice((150, 2000, 100_000))
    place = rng.randrange(len(data) + 1)
    data[place:place] = opening * depth + closing * rng.choice((0, depth))
    return bytes(data)


def lines(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Two lines or two words change places, one is missing or there twice."""
    parts = re.split(rng.choice((rb"(\n)", rb"([ \t,]+)")), bytes(data))
    a, b = (rng.randrange(0, len(parts), 2) for _ in range(2))
    change = rng.randrange(3)
    if change == 0:
        parts[a], parts[b] = parts[b], parts[a]
    elif change == 1:
        parts[a] = b""
    else:
        parts[b] += b"\n" + parts[a]
    return b"".join(parts)


def line_ends(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A transfer in text mode."""
    pairs = ((b"\n", b"\r\n"), (b"\r\n", b"\n"), (b"\n", b"\r"), (b"\n", b" "))
    return bytes(data.replace(*rng.choice(pairs)))


Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], bytes]
MUTATIONS: tuple[Mutation, ...] = (
    flip, extreme_bytes, extreme_integer, cut, drop, repeat, splice, number, number, token, nest,
    lines, line_ends,
)  # fmt: skip


def mutate(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to three mutations; of a gzip file half of the time those of its content."""
    if data[:2] == b"\x1f\x8b" and rng.random() < 0.7:
        try:
            return gzip.compress(mutate(gzip.decompress(data), rng, others), 1, mtime=0)
        except (OSError, EOFError, zlib.error):
            pass  # an input that is spoilt already
    for _ in range(rng.choice((1, 1, 2, 3))):
        if data:
            data = rng.choice(MUTATIONS)(bytearray(data), rng, others)
    return data


def mutate_folder(folder: Folder, rng: random.Random, others: Sequence[Folder]) -> Folder:
    """A folder with one or two files damaged, missing, or in the place of others."""
    changed = dict(folder)
    contents = [data for other in others for data in other.values() if data]
    for _ in range(rng.choice((1, 1, 1, 2))):
        name = rng.choice(sorted(changed))
        chance = rng.random() if len(folder) > 1 else 1.0
        if chance < 0.03 and len(changed) > 1:
            del changed[name]
        elif chance < 0.06:
            changed[name] = changed[rng.choice(sorted(changed))]
        else:
            changed[name] = mutate(changed[name], rng, contents)
    return changed
