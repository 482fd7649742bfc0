"""What an alignment may make of a transcript, and which of its words deserve a second look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.alignment.aligner import Alignment, Freedom, split_words, word_spans
from seqlabel.decoding.results import Span
from seqlabel.errors import InputError

Stars = Literal["ends", "sentences", "words"]

ENDS = ".!?。！？"
"""Labels that end a sentence."""

UNKNOWN, UNSURE = "unknown", "unsure"
"""Marks: with a symbol that the model lacks; of a probability below the threshold."""


def freedom_of(
    labels: Sequence[str],
    alphabet: Alphabet,
    *,
    wildcard: bool = False,
    stars: Stars | None = None,
    skip_words: bool = False,
) -> Freedom:
    """The freedom of a transcript whose words are characters with " " between them.

    stars: where unwritten words may be spoken: at both ends; there and behind each sentence; there
    and between all words. Raises InputError for words or sentences of an alphabet without " ".
    """
    spaced = alphabet.joined and " " in alphabet
    if not spaced and (skip_words or stars not in (None, "ends")):
        raise InputError(
            "words and sentences need characters with ' ' among them, which these "
            f"{alphabet.unit} labels are not; only the two ends can be free"
        )
    words = list(_stretches(labels)) if spaced else []
    places = {0, len(labels)} if stars else set()
    for (_, last), (following, _) in pairwise(words):
        if stars == "words" or (stars == "sentences" and labels[last - 1] in ENDS):
            places.add(following)
    optional: list[tuple[int, int]] = []
    if skip_words and words:
        starts = [first for first, _ in words[1:]] + [len(labels)]
        optional = [(first, end) for (first, _), end in zip(words, starts, strict=True)]
        if len(words) > 1:  # the last one goes with the separator before it
            optional.append((words[-2][1], len(labels)))
    return Freedom(wildcard, tuple(sorted(places)), words=tuple(optional))


def _stretches(labels: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(first label, behind the last) of each word."""
    first = None
    for n, label in enumerate([*labels, " "]):
        if label == " " and first is not None:
            yield first, n
            first = None
        elif label != " " and first is None:
            first = n


def left_out(labels: Sequence[str], alignment: Alignment) -> tuple[str, ...]:
    """The words of which an alignment left out every label."""
    skipped = set(alignment.skipped)
    return tuple(
        "".join(labels[first:last])
        for first, last in _stretches(labels)
        if skipped.issuperset(range(first, last))
    )


@dataclass(frozen=True)
class Marked:
    """A tier of an alignment: spans, and for each the marks it bears."""

    spans: tuple[Span, ...]
    marks: tuple[tuple[str, ...], ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One object for each span."""
        return [
            {"label": s.label, "start": s.start, "end": s.end, "confidence": s.probability}
            | ({"marks": list(marks)} if marks else {})
            for s, marks in zip(self.spans, self.marks, strict=True)
        ]


def mark_labels(spans: Sequence[Span], alphabet: Alphabet, threshold: float) -> Marked:
    """Labels, those that the alphabet lacks or whose probability is below `threshold` marked."""
    unknown = [span.label not in alphabet for span in spans]
    return _marked(spans, unknown, threshold)


def mark_words(spans: Sequence[Span], alphabet: Alphabet, threshold: float) -> Marked:
    """The words of characters; one is as sure as its worst label, and unknown as any of them."""
    unknown = [any(s.label not in alphabet for s in word) for word in split_words(spans, " ")]
    return _marked(word_spans(spans), unknown, threshold)


def _marked(spans: Sequence[Span], unknown: Sequence[bool], threshold: float) -> Marked:
    marks = tuple(
        (UNKNOWN,) * lacks + (UNSURE,) * (span.probability < threshold)
        for span, lacks in zip(spans, unknown, strict=True)
    )
    return Marked(tuple(spans), marks)
