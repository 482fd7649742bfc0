"""The lines of NIST's .stm and .ctm files (SCTK, `doc/infmts.htm`)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlabel.errors import InputError
from seqlabel.files import read_text

IGNORED = "IGNORE_TIME_SEGMENT_IN_SCORING"
"""The transcript, in any case, of a stretch that an .stm file excludes."""

SPECIAL = "{}@;*()"
"""Characters with a special meaning in sclite."""

LONGEST = 1e12
"""Maximum time in seconds; larger than Unix time."""

Channel = tuple[str, str]
"""(recording, channel)"""


@dataclass(frozen=True)
class StmLine:
    """One segment; times in seconds."""

    channel: Channel
    speaker: str
    start: float
    end: float
    subset: str
    words: list[str]
    where: str

    @property
    def ignored(self) -> bool:
        """Whether the segment is excluded from scoring; as in sclite, case does not matter."""
        return len(self.words) == 1 and self.words[0].upper() == IGNORED


@dataclass(frozen=True)
class CtmLine:
    """One label; times in seconds."""

    channel: Channel
    start: float
    end: float
    label: str
    probability: float
    where: str


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) without empty lines and the `;;` comments of the NIST formats."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip() and not line.startswith(";;"):
            yield number, line.strip()


def seconds(value: str | float) -> float:
    """A time or a duration; ValueError for anything but a number of plausible size."""
    if not abs(time := float(value)) <= LONGEST:
        raise ValueError(f"{value} seconds")
    return time


def escape(label: str, special: str = "") -> str:
    """A label as one word: no white space, no character of `special`."""
    if label == " ":
        return "<space>"
    pattern = rf"[\s{re.escape(special)}]|<(?=x[0-9a-f]+>)"
    return re.sub(pattern, lambda match: f"<x{ord(match[0]):x}>", label)


def unescape(word: str) -> str:
    """The label of a word: `<space>` is a space, `<x2a>` the character of this code.

    Codes of surrogates (d800 to dfff), which are no characters, stay as they are.
    """
    if "<" not in word:
        return word
    if word == "<space>":
        return " "
    return re.sub(r"<x([0-9a-f]{1,5})>", _character, word)


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return match[0] if 0xD800 <= code <= 0xDFFF else chr(code)


def read_stm_lines(path: Path) -> Iterator[StmLine]:
    """Recording, channel, speaker, start, end, labels (a <subset> before them)."""
    for number, line in lines_of(path):
        where = f"{path}:{number}"
        try:
            recording, channel, speaker, start, end, *words = line.split()
            begin, finish = seconds(start), seconds(end)
        except ValueError:
            raise InputError(
                f"{where}: expected: recording channel speaker start end [<subset>] labels"
            ) from None
        if not finish > begin:
            raise InputError(f"{where}: the segment ends at {end}, not after its start {start}")
        # As in sclite, a first word in angle brackets is the subset.
        subset = words.pop(0)[1:-1] if words and re.fullmatch(r"<[^<>]*>", words[0]) else ""
        yield StmLine((recording, channel), speaker, begin, finish, subset, words, where)


def stm_line(
    channel: Channel, speaker: str, start: float, end: float, subset: str, labels: Iterable[str]
) -> str:
    """The line of a segment, which `read_stm_lines` and `unescape` turn back; times in seconds.

    White space in the speaker, and in the subset also angle brackets, become `_`.
    """
    text = " ".join(escape(label, SPECIAL) for label in labels)
    if subset or text.startswith("<"):  # a first word in angle brackets would be the subset
        subset = re.sub(r"[\s<>]", "_", subset)
        text = f"<{subset}> {text}"
    speaker = re.sub(r"\s", "_", speaker)
    return f"{' '.join(channel)} {speaker} {start:.3f} {end:.3f} {text}".rstrip()


def read_ctm_lines(path: Path) -> Iterator[CtmLine]:
    """Recording, channel, start, duration, label, confidence (may be absent)."""
    for number, line in lines_of(path):
        where = f"{path}:{number}"
        try:
            recording, channel, start, duration, word, *more = line.split()
            begin, end = seconds(start), seconds(start) + seconds(duration)
            probability = float(more[0]) if more else 1.0
        except ValueError:
            raise InputError(
                f"{where}: expected: recording channel start duration label [confidence]"
            ) from None
        yield CtmLine((recording, channel), begin, end, unescape(word), probability, where)
