"""One running search for words: the kernel's arrays and their results."""

from typing import Any, ClassVar

import numpy as np

from seqlabel.decoding.lexicon.words import ENDED, WordModel
from seqlabel.decoding.search.hypothesis import (
    ENDING,
    Hypothesis,
    best_endings,
    word_hypothesis,
)
from seqlabel.decoding.search.label_kernel import reset
from seqlabel.decoding.search.labels import LabelSearch
from seqlabel.decoding.search.word_kernel import advance_words, endings


class WordSearch(LabelSearch):
    """A prefix beam search over the words of a lexicon."""

    MAIN: ClassVar[dict[str, Any]] = {"batch": advance_words, "stream": advance_words}

    def __init__(self, K: int, width: int, model: WordModel, start: int, floor: float) -> None:
        most = int(np.diff(model.word_starts).max())
        self.model, self.K = model, K
        self.found = np.zeros(most + 2, ENDED)
        self.ends = np.zeros((width + 1) * (most + 2), ENDING)
        super().__init__(K, width, None, start, floor)

    def reset(self) -> None:
        """Begin an utterance."""
        reset(self.beam, max(1.0, self.model.top), self.start)
        self.frames = 0

    def _advance(self, probs: np.ndarray) -> int:
        return int(advance_words(self.beam, self.model, self.found, probs, self.floor))

    def best(self, count: int, final: bool = True) -> list[Hypothesis]:
        """The `count` best word sequences so far, best first; none if no path is possible.

        If no prefix in the beam is complete, or it is not `final`, the best prefixes with the score
        of their words so far.
        """
        number = endings(self.beam, self.model, self.found, self.ends) if final else 0
        slots, now = self.beam.slots, self.beam.now[0]
        masses = (slots["blank"] + slots["label"])[: now["active"]]
        best = best_endings(self.ends[:number], masses, float(now["scale"]), count)
        return [
            word_hypothesis(
                self._labels(slots["node"][slot]).view(np.uint32),
                self.K,
                self.model.separator,
                *rest,
            )
            for slot, rest in best
        ]

    def each(self, probs: np.ndarray, lengths: np.ndarray, count: int) -> list[list[Hypothesis]]:
        """The `count` best word sequences of each of several utterances: probs (B, T, K), (B,)."""
        found = []
        for x, T in zip(probs, lengths.tolist(), strict=True):
            self.reset()
            self.advance(x[:T])
            found.append(self.best(count))
        return found

    def stable(self) -> np.ndarray:
        """The labels that all prefixes in the beam begin with."""
        return (super().stable().view(np.uint32) % self.K).astype(np.int32)
