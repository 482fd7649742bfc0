"""One utterance a line, white space between labels: what .trn, .stm, .ctm and Kaldi text share.

The label " " is written `<space>`, and characters with a special meaning in the format as their
code in hexadecimal: `<x2a>` is an asterisk.
"""

from sys import intern

from seqlabel.corpora.nist import escape, unescape
from seqlabel.scoring.transcripts.transcript import Transcript


def labels_of(transcript: Transcript) -> tuple[str, ...]:
    """The labels, or the words of a transcript that only has text."""
    return (
        tuple((transcript.text or "").split()) if transcript.labels is None else transcript.labels
    )


def join_labels(transcript: Transcript, special: str = "") -> str:
    """The labels separated by spaces; `special` has the characters to be escaped."""
    return " ".join(escape(label, special) for label in labels_of(transcript))


def split_labels(key: str, words: list[str]) -> Transcript:
    """The transcript of a line's words, with spaces and escaped characters restored."""
    labels = tuple(intern(unescape(word)) for word in words)
    # Characters with spaces among them join to running text.
    text = ("" if " " in labels else " ").join(labels)
    return Transcript(key, labels, text)
