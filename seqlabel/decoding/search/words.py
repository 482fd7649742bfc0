"""One running search for words: the kernel's arrays and the words that they say in the end."""

from typing import Any

import numpy as np

from seqlabel.decoding.lexicon.words import ENDED, WordModel
from seqlabel.decoding.search.label_kernel import reset
from seqlabel.decoding.search.labels import Hypothesis, LabelSearch
from seqlabel.decoding.search.word_kernel import ENDING, advance_words, endings


class WordSearch(LabelSearch):
    """A prefix beam search over the words of a lexicon."""

    def __init__(self, K: int, width: int, model: WordModel, start: int, floor: float) -> None:
        most = int(np.diff(model.word_starts).max())
        self.model, self.K = model, K
        self.found = np.zeros(most + 2, ENDED)
        self.ends = np.zeros((width + 1) * (most + 2), ENDING)
        super().__init__(K, width, None, start, floor)

    def _kernel(self) -> Any:
        return advance_words

    def reset(self) -> None:
        """Begin an utterance."""
        reset(self.beam, max(1.0, self.model.top), self.start)
        self.frames = 0

    def _advance(self, probs: np.ndarray) -> int:
        return int(advance_words(self.beam, self.model, self.found, probs, self.floor))

    def best(self, count: int, final: bool = True) -> list[Hypothesis]:
        """The `count` best word sequences so far, best first; none when no path is possible.

        Where no prefix in the beam is complete, or it is not `final`, the best of them as they are,
        with the score of their words so far.
        """
        number = endings(self.beam, self.model, self.found, self.ends) if final else 0
        ends = self.ends[:number]
        ends = ends[ends["mass"] > 0]
        complete = len(ends) > 0
        if not complete:
            slots = self.beam.slots[: self.beam.now[0]["active"]]
            ends = np.zeros(len(slots), ENDING)
            ends["mass"], ends["slot"] = slots["blank"] + slots["label"], np.arange(len(slots))
            ends = ends[ends["mass"] > 0]
        order = np.argsort(-ends["mass"], kind="stable")[:count]
        log_probs = np.log(ends["mass"][order]) + self.beam.now[0]["scale"]
        nodes = self.beam.slots["node"][ends["slot"][order]]
        rows = zip(nodes.tolist(), log_probs.tolist(), ends["word"][order].tolist(), strict=True)
        return [self._hypothesis(*row, complete) for row in rows]

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
        return super().stable() % self.K

    def _hypothesis(self, node: int, log_prob: float, last: int, complete: bool) -> Hypothesis:
        symbols = self._labels(node)
        labels = (symbols % self.K).astype(np.int32)
        words, first = [], 0
        for i, (word, label) in enumerate(zip((symbols // self.K).tolist(), labels, strict=True)):
            if word:
                words.append((word - 1, first, i))
                first = i
            if label == self.model.separator:
                first = i + 1
        if last:
            words.append((last - 1, first, len(labels)))
        return Hypothesis(labels, log_prob, tuple(words), complete)
