"""What an alignment may make of a transcript, and which of its words deserve a second look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from seqlabel.alphabet import Alphabet
from seqlabel.alphabet.subwords import MARK
from seqlabel.alphabet.units import join_labels
from seqlabel.decoding.alignment.aligner import Alignment, Freedom
from seqlabel.decoding.results import Span
from seqlabel.errors import InputError

Stars = Literal["ends", "sentences", "words"]

ENDS = tuple(".!?。！？")
"""What a sentence ends with."""

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
    """The freedom of a transcript of characters with " " between its words, or of subwords.

    stars: where unwritten words may be spoken: at both ends; there and behind each sentence; there
    and between all words. Raises InputError for words or sentences of labels without words.
    """
    if not has_words(alphabet) and (skip_words or stars not in (None, "ends")):
        raise InputError(
            "words and sentences need subwords, or characters with ' ' among them, which these "
            f"{alphabet.unit} labels are not; only the two ends can be free"
        )
    words = list(_stretches(labels, alphabet.unit)) if has_words(alphabet) else []
    places = {0, len(labels)} if stars else set()
    for (_, last), (following, _) in pairwise(words):
        if stars == "words" or (stars == "sentences" and labels[last - 1].endswith(ENDS)):
            places.add(following)
    optional: list[tuple[int, int]] = []
    if skip_words and words:
        starts = [first for first, _ in words[1:]] + [len(labels)]
        optional = [(first, end) for (first, _), end in zip(words, starts, strict=True)]
        if alphabet.joined:  # behind the last word that is spoken is no separator
            optional += [(a_end, b_end) for (_, a_end), (_, b_end) in pairwise(words)]
    return Freedom(wildcard, tuple(sorted(places)), words=tuple(optional))


def has_words(alphabet: Alphabet) -> bool:
    """Whether labels are subwords, or characters with " " between the words."""
    return alphabet.unit == "subword" or (alphabet.joined and " " in alphabet)


def _stretches(labels: Sequence[str], unit: str) -> Iterator[tuple[int, int]]:
    """(first label, behind the last) of each word of subwords, or of characters without the " "."""
    first = None
    for n, label in enumerate(labels):
        borders = label.startswith(MARK) if unit == "subword" else label == " "
        if borders and first is not None:
            yield first, n
            first = None
        if first is None and label != " ":
            first = n
    if first is not None:
        yield first, len(labels)


def left_out(
    labels: Sequence[str], alignment: Alignment, unit: str = "character"
) -> tuple[str, ...]:
    """The words of which an alignment left out every label."""
    skipped = set(alignment.skipped)
    return tuple(
        join_labels(labels[first:last], unit)
        for first, last in _stretches(labels, unit)
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
    """The words of characters or subwords, see `word_spans`; unknown if one of their labels is."""
    unknown = [
        any(span.label not in alphabet for span in own)
        for own in labels_of_words(spans, alphabet.unit)
    ]
    return _marked(word_spans(spans, alphabet.unit), unknown, threshold)


def word_spans(spans: Sequence[Span], unit: str = "character") -> list[Span]:
    """The words of characters with " " between them, or of subwords.

    A word is as sure as its worst label. It ends where its last label ends: separators and
    blanks belong to no word, nor does a `▁` by itself before other pieces.
    """
    return [
        Span(
            join_labels((span.label for span in own), unit),
            own[0].start,
            own[-1].end,
            min(span.probability for span in own),
        )
        for own in labels_of_words(spans, unit)
    ]


def labels_of_words(spans: Sequence[Span], unit: str) -> Iterator[Sequence[Span]]:
    """The labels of each word of characters or subwords, see `word_spans`."""
    for first, last in _stretches([span.label for span in spans], unit):
        first += spans[first].label == MARK and unit == "subword"
        if first < last:  # else a mark with nothing behind it
            yield spans[first:last]


def _marked(spans: Sequence[Span], unknown: Sequence[bool], threshold: float) -> Marked:
    marks = tuple(
        (UNKNOWN,) * lacks + (UNSURE,) * (span.probability < threshold)
        for span, lacks in zip(spans, unknown, strict=True)
    )
    return Marked(tuple(spans), marks)
