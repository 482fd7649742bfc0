"""One utterance a line, white space between labels: what .trn, .stm, .ctm and Kaldi text share.

A blank label is written `<space>`, and a character that the format would take for something else
as its code in hexadecimal: `<x2a>` is an asterisk.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from sys import intern

from seqlabel.files import read_text
from seqlabel.scoring.transcripts.transcript import Transcript


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, line) without empty lines and the `;;` comments of the NIST formats."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip() and not line.startswith(";;"):
            yield number, line.strip()


def seconds(value: str | float) -> float:
    """A time or a duration; ValueError for what is no number, NaN and infinity included."""
    if not math.isfinite(time := float(value)):
        raise ValueError(f"{value} seconds")
    return time


def labels_of(transcript: Transcript) -> tuple[str, ...]:
    """The labels, or the words of a transcript that only has text."""
    return (
        tuple((transcript.text or "").split()) if transcript.labels is None else transcript.labels
    )


def join_labels(transcript: Transcript, special: str = "") -> str:
    """The labels with blanks between them; `special` holds characters to be escaped."""
    return " ".join(escape(label, special) for label in labels_of(transcript))


def split_labels(key: str, words: list[str]) -> Transcript:
    """The transcript of a line's words, with blanks and escaped characters restored."""
    labels = tuple(intern(unescape(word)) for word in words)
    # Characters with blank labels among them are running text once joined.
    text = ("" if " " in labels else " ").join(labels)
    return Transcript(key, labels, text)


def escape(label: str, special: str = "") -> str:
    """A label as one word: no white space, no character of `special`."""
    if label == " ":
        return "<space>"
    pattern = rf"[\s{re.escape(special)}]|<(?=x[0-9a-f]+>)"
    return re.sub(pattern, lambda match: f"<x{ord(match[0]):x}>", label)


def unescape(word: str) -> str:
    """The label that `escape` wrote."""
    if "<" not in word:
        return word
    if word == "<space>":
        return " "
    return re.sub(r"<x([0-9a-f]{1,5})>", lambda match: chr(int(match[1], 16)), word)
