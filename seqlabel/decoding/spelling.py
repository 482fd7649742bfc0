"""What hypotheses spell: symbols, text, words and spans."""

import math
from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.lexicon.lexicon import Lexicon
from seqlabel.decoding.results import Result, Span, make_spans
from seqlabel.decoding.search.hypothesis import Hypothesis
from seqlabel.decoding.search.spans import label_spans

NO_LABELS = np.empty(0, np.int32)


class Spelling:
    """Makes results of hypotheses, whose labels are indices of `alphabet`.

    lexicon: that of a search for words, None for a search for labels.
    """

    def __init__(self, alphabet: Alphabet, lexicon: Lexicon | None) -> None:
        self.alphabet, self.lexicon = alphabet, lexicon

    def results(
        self,
        hypotheses: list[list[Hypothesis]],
        log_probs: np.ndarray,
        lengths: np.ndarray,
        first: int = 0,
    ) -> list[Result]:
        """What the hypotheses of utterance `first` of (B, T, K), and of those behind it, say.

        The labels of all are made symbols and spans at once, which is several times faster.
        """
        labels = np.concatenate([own[0].labels if own else NO_LABELS for own in hypotheses])
        ends = list(accumulate(len(own[0].labels) if own else 0 for own in hypotheses))
        symbols = self.alphabet.decode(labels.tolist())
        spans = make_spans(symbols, *label_spans(log_probs, lengths, first, labels, ends))
        return [
            self._result(own, symbols[begin:end], spans[begin:end])
            for own, begin, end in zip(hypotheses, [0, *ends], ends, strict=False)
        ]

    def partial(self, hypotheses: list[Hypothesis]) -> Result:
        """The first hypothesis alone, without spans."""
        if not hypotheses:
            return Result((), -math.inf)
        return self._alternative(hypotheses[0])

    def _result(
        self, hypotheses: list[Hypothesis], labels: tuple[str, ...], spans: tuple[Span, ...]
    ) -> Result:
        """The first hypothesis, with its labels and spans, and the others as alternatives."""
        if not hypotheses:
            return Result((), -math.inf)
        first, *others = hypotheses
        text, words = self._text(first, labels), self._word_spans(first, spans)
        alternatives = tuple(map(self._alternative, others))
        return Result(labels, first.log_prob, spans, alternatives, text, words)

    def _alternative(self, hypothesis: Hypothesis) -> Result:
        labels = self.alphabet.decode(hypothesis.labels.tolist())
        return Result(labels, hypothesis.log_prob, text=self._text(hypothesis, labels))

    def _text(self, hypothesis: Hypothesis, labels: tuple[str, ...]) -> str:
        """The words, and the labels of a word that is not finished."""
        if self.lexicon is None:
            return self.alphabet.text(labels)
        words = [word for word, _, _ in self._spelled(hypothesis)]
        end = hypothesis.words[-1][2] if words else 0
        begun = [label for label in labels[end:] if label != self.lexicon.separator]
        return " ".join([*words, self.alphabet.text(begun)] if begun else words)

    def _spelled(self, hypothesis: Hypothesis) -> Iterator[tuple[str, int, int]]:
        """Each word with its first label and the one behind its last."""
        words = () if self.lexicon is None else self.lexicon.words
        for number, first, end in hypothesis.words:
            if number < len(words):
                yield words[number], first, end
            else:
                yield (
                    self.alphabet.text(self.alphabet.decode(hypothesis.labels[first:end])),
                    first,
                    end,
                )

    def _word_spans(self, hypothesis: Hypothesis, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(
            Span(
                word,
                spans[first].start,
                spans[end - 1].end,
                min(span.probability for span in spans[first:end]),
            )
            for word, first, end in self._spelled(hypothesis)
        )
