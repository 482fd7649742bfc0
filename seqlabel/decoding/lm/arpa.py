"""ARPA files: n-gram models as text, read in blocks of lines and written whole."""

import codecs
import gzip
import itertools
import logging
import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file

UNKNOWN, START, END = "<unk>", "<s>", "</s>"
LN10 = math.log(10.0)
MISSING_UNKNOWN = -100.0
"""log10 probability of <unk> in a file that has none (KenLM's convention)."""
NEVER = -99.0
"""log10 probability in files of <s>, which is never predicted."""
LARGEST = float(np.finfo(np.float32).max) / LN10
"""Largest log10 value whose natural logarithm float32 can hold."""
LINES = 1 << 16
"""Lines held as Python objects at a time; keeps memory near the size of the arrays."""

log = logging.getLogger("seqlabel")


class Ngrams(NamedTuple):
    """The M n-grams of one order.

    tokens: (M, n) int32, indices into the vocabulary.
    log_probs: (M,) float32, ln p(last token | the others).
    backoffs: (M,) float32, ln of the back-off weight of the n-gram as a context; 0 if none.
    first_line: line of the file with row 0, for messages; 0 if there is no file.
    """

    tokens: np.ndarray
    log_probs: np.ndarray
    backoffs: np.ndarray
    first_line: int = 0


def read_arpa(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], list[Ngrams]]:
    r"""Read an ARPA file, plain or gzip: the vocabulary, and the n-grams of order 1, 2, ...

    Token 0 is `<unk>` (or `<UNK>`), the others follow the order of the file; a file without
    `<unk>` gets one at log10 probability -100. Anything before the line `\data\` is free
    text. The n-grams of a section may come in any order (KenLM and SRILM do not sort them either);
    the sections must ascend. In a file without `<s>` (for example a model over characters)
    sentences begin without a context, and blank lines after the head of a section are skipped; both
    with a remark in the log.
    Raises InputError, with file and line, for a file that is cut off or not an ARPA file, miscounts
    its n-grams, skips or permutes its sections, repeats a word, uses a word that is not a 1-gram,
    has an invalid number, one beyond float32 or a probability above one, or lacks `</s>`.
    """
    try:
        with open(path, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream: Iterable[bytes] = _unzipped(raw, os.fspath(path)) if zipped else raw
            return _Reader(os.fspath(path), stream).read()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name an ARPA file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged or cut-off gzip file ({error}); copy it again") from None


LONGEST_LINE = 1 << 20
"""Maximum bytes of a line, because a small gzip file can expand to a line that fills the memory."""


def _unzipped(raw: BinaryIO, path: str) -> Iterator[bytes]:
    stream = gzip.GzipFile(fileobj=raw)
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"{path}: a line of more than {LONGEST_LINE} bytes; not an ARPA file")
        yield line


class _Reader:
    """One pass over the lines of an ARPA file; `number` is the line read last, from 1."""

    def __init__(self, path: str, stream: Iterable[bytes]) -> None:
        self.path = path
        self.lines: Iterator[bytes] = iter(stream)
        self.number = 0
        self.index: dict[bytes, int] = {b"<unk>": 0, b"<UNK>": 0}
        self.words: list[str] = [UNKNOWN]

    def read(self) -> tuple[tuple[str, ...], list[Ngrams]]:
        counts = self.read_counts()
        orders = []
        for order, count in enumerate(counts, 1):
            orders.append(self.read_section(order, count))
            expected = rb"\end" + b"\\" if order == len(counts) else rb"\%d-grams:" % (order + 1)
            line = self.next_line()
            if line != expected:
                if re.match(rb"[-+.\d]", line):
                    raise self.error(f"more than the {count} {order}-grams of the header")
                raise self.error(f"{_show(line)}; expected {_show(expected)}")
        if END.encode() not in self.index:
            raise InputError(f"{self.path}: no {END} among the 1-grams; sentences need it")
        return tuple(self.words), orders

    def read_counts(self) -> list[int]:
        r"""The head: everything up to `\1-grams:`."""
        for line in self.lines:
            self.number += 1
            if line.strip().removeprefix(codecs.BOM_UTF8) == rb"\data" + b"\\":
                break
        else:
            raise InputError(f"{self.path}: no \\data\\ line: not an ARPA file, or an empty one")
        counts: list[int] = []
        while (line := self.next_line()) != rb"\1-grams:":
            match = re.fullmatch(rb"ngram\s+(\d{1,12})\s*=\s*(\d{1,12})", line)
            if not match:
                raise self.error(f"{_show(line)}; expected 'ngram N=COUNT' or \\1-grams:")
            if int(match[1]) != len(counts) + 1:
                raise self.error(f"{_show(line)} out of order; expected ngram {len(counts) + 1}")
            counts.append(int(match[2]))
        if not counts:
            raise self.error("no 'ngram 1=COUNT' line before \\1-grams:")
        return counts

    def read_section(self, order: int, count: int) -> Ngrams:
        """The `count` lines of one section."""
        self.pass_blank_lines(order if count else 0)
        first_line = self.number + 1
        tokens, numbers = [], []
        while (done := self.number + 1 - first_line) < count:
            block = [*itertools.islice(self.lines, min(LINES, count - done))]
            rows = [line.split() for line in block]
            start = self.number
            for i, row in enumerate(rows):
                if not order + 1 <= len(row) <= order + 2:
                    self.number = start + i + 1
                    raise self.bad_row(row, order, self.number - first_line, count)
            if not rows:
                raise self.error(f"cut off after {done} of {count} {order}-grams; copy it again")
            tokens.append(self.tokens(rows, order))
            numbers.append(self.numbers(rows, order))
            self.number = start + len(rows)
        if order == 1 and not any((block == 0).any() for block in tokens):
            tokens.append(np.zeros((1, 1), np.int32))
            numbers.append(np.array([[MISSING_UNKNOWN, 0.0]]))
        if order == 1 and START.encode() not in self.index:
            log.warning("%s: no <s>; sentences begin without a context", self.path)
            self.index[START.encode()] = len(self.words)
            tokens.append(np.array([[len(self.words)]], np.int32))
            numbers.append(np.array([[NEVER, 0.0]]))
            self.words.append(START)
        log10 = np.concatenate(numbers) if numbers else np.zeros((0, 2))
        ln = (log10 * LN10).astype(np.float32)
        all_tokens = np.concatenate(tokens) if tokens else np.zeros((0, order), np.int32)
        return Ngrams(all_tokens, ln[:, 0], ln[:, 1], first_line)

    def tokens(self, rows: list[list[bytes]], order: int) -> np.ndarray:
        """Token indices (rows, order); the 1-grams define them."""
        if order == 1:
            for i, row in enumerate(rows, 1):
                word = row[1]
                if word not in self.index:
                    self.index[word] = len(self.words)
                    try:
                        self.words.append(word.decode())
                    except UnicodeDecodeError:
                        raise self.error(f"{word!r} is not UTF-8 text", i) from None
        try:
            flat = [self.index[word] for row in rows for word in row[1 : order + 1]]
        except KeyError as error:
            word = error.args[0]
            i = next(i for i, row in enumerate(rows, 1) if word in row[1 : order + 1])
            raise self.error(f"{_show(word)} is not among the 1-grams", i) from None
        return np.array(flat, np.int32).reshape(-1, order)

    def numbers(self, rows: list[list[bytes]], order: int) -> np.ndarray:
        """(rows, 2) float64: log10 probability and back-off weight."""
        values = np.zeros((len(rows), 2))
        try:
            values[:, 0] = [float(row[0]) for row in rows]
            values[:, 1] = [float(row[-1]) if len(row) == order + 2 else 0.0 for row in rows]
        except ValueError:
            for i, row in enumerate(rows, 1):
                for text in [row[0], *row[order + 1 :]]:
                    try:
                        float(text)
                    except ValueError:
                        raise self.error(f"{_show(text)} is not a number", i) from None
        bad = ~((values[:, 0] <= 0.0) & np.isfinite(values[:, 1]))
        if bad.any():
            i = int(np.argmax(bad))
            raise self.error(
                f"log10 probability {values[i, 0]:g}, back-off {values[i, 1]:g}: the first must be "
                "at most 0, the second finite",
                i + 1,
            )
        beyond = (np.isfinite(values) & (np.abs(values) > LARGEST)).any(axis=1)
        if beyond.any():
            i = int(np.argmax(beyond))
            shown = " ".join(f"{value:g}" for value in values[i])
            raise self.error(f"{shown}: beyond the range of float32; correct the model", i + 1)
        return values

    def pass_blank_lines(self, order: int) -> None:
        """Go to the first line of a section of this order that is not blank (0: stay)."""
        first = self.number
        for line in self.lines if order else ():
            if line.strip():
                self.lines = itertools.chain([line], self.lines)
                break
            self.number += 1
        if self.number > first:
            log.warning("%s:%d: blank line in the %d-grams", self.path, self.number, order)

    def next_line(self) -> bytes:
        """The next line that is not blank."""
        for line in self.lines:
            self.number += 1
            if line := line.strip():
                return line
        raise self.error("the file ends here without \\end\\: cut off; copy it again")

    def bad_row(self, row: list[bytes], order: int, done: int, count: int) -> InputError:
        if not row or row[0].startswith(b"\\"):
            return self.error(f"{done} {order}-grams, but the header says {count}")
        return self.error(
            f"{_show(b' '.join(row))} is not a line of a {order}-gram: log10 probability, {order} "
            f"word{'s'[: order > 1]}, optional back-off weight; is the file cut off?"
        )

    def error(self, cause: str, offset: int = 0) -> InputError:
        return InputError(f"{self.path}:{self.number + offset}: {cause}")


def _show(text: bytes) -> str:
    shown = text.decode(errors="replace")
    return repr(shown if len(shown) <= 40 else shown[:37] + "...")


def write_arpa(
    path: str | os.PathLike[str], vocabulary: Sequence[str], orders: Iterable[Ngrams]
) -> None:
    """Write an ARPA file (gzip when the name ends in .gz), whole or not at all.

    A back-off weight of 1 is left out, because it is the default of readers.
    """
    orders = list(orders)
    words = list(vocabulary)
    with whole_file(path, "wb") as raw:
        stream = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if _is_gz(path) else raw
        head = "".join(f"ngram {n}={len(o.log_probs)}\n" for n, o in enumerate(orders, 1))
        stream.write(f"\\data\\\n{head}".encode())
        for n, ngrams in enumerate(orders, 1):
            stream.write(f"\n\\{n}-grams:\n".encode())
            for start in range(0, len(ngrams.log_probs), LINES):
                block = slice(start, start + LINES)
                log10 = ngrams.log_probs[block].astype(np.float64) / LN10
                backoff = ngrams.backoffs[block].astype(np.float64) / LN10
                text = []
                rows = zip(log10, ngrams.tokens[block].tolist(), backoff, strict=True)
                for p, tokens, b in rows:
                    line = f"{p:.7g}\t{' '.join([words[token] for token in tokens])}"
                    text.append(f"{line}\t{b:.7g}\n" if b else f"{line}\n")
                stream.write("".join(text).encode())
        stream.write(b"\n\\end\\\n")
        if stream is not raw:
            stream.close()


def _is_gz(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).endswith(".gz")
