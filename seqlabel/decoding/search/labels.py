"""One running prefix beam search: the kernel's arrays and their results."""

import math
from typing import Any, ClassVar

import numpy as np

from seqlabel.decoding.checks import SUM_TOLERANCE
from seqlabel.decoding.lm.labels import LabelLM
from seqlabel.decoding.search.hypothesis import Hypothesis
from seqlabel.decoding.search.label_kernel import (
    CANDIDATE,
    PROGRESS,
    SLOT,
    Beam,
    Found,
    advance,
    next_odd,
    rank,
    reset,
    search_each,
)
from seqlabel.decoding.search.trie import FREE, NODE, spell, trunk


class LabelSearch:
    """A prefix beam search over K labels, for one utterance after the other, in one thread."""

    MAIN: ClassVar[dict[str, Any]] = {"batch": search_each, "stream": advance}
    """The largest kernel for each purpose: whole utterances by `each`, or frames by `advance`."""

    def __init__(
        self, K: int, width: int, lm: LabelLM | None = None, start: int = 0, floor: float = 0.0
    ) -> None:
        W, C = width, 2 * width
        self.lm, self.start, self.floor = lm, start, floor
        self.beam = Beam(
            slots=np.zeros(W + 1, SLOT),
            trie=np.zeros(4 * W + 256, NODE),
            free=np.zeros(1, FREE),
            now=np.zeros(1, PROGRESS),
            candidates=np.zeros(C, CANDIDATE),
            labels=np.zeros(K, np.uint32),
            dropped=np.zeros((W, 2), np.uint32),
            masses=np.zeros(W + C),
        )
        self.reset()

    def warm_up(self, purpose: str) -> None:
        """Call the kernels of a purpose."""
        probs = np.full((1, 1, len(self.beam.labels)), 1 / len(self.beam.labels))
        if purpose == "batch":
            self.odd(probs, np.ones(1, np.int64))
            self.each(probs, np.ones(1, np.int64), 1)
        else:
            self.advance(probs[0])
            self.best(1)
            self.stable()

    def reset(self) -> None:
        """Begin an utterance."""
        best = 1.0 if self.lm is None else self.lm.best[self.start]
        reset(self.beam, best, self.start)
        self.frames = 0

    def advance(self, probs: np.ndarray) -> None:
        """Read frames: (T, K) float64, probabilities."""
        self.frames += len(probs)
        while (read := self._advance(probs)) < len(probs):
            probs = probs[read:]
            self._grow()

    def _advance(self, probs: np.ndarray) -> int:
        """Read frames until the trie is full; returns how many."""
        return int(advance(self.beam, self.lm, probs, self.floor))

    def _grow(self) -> None:
        """Double the trie."""
        trie, free, W = self.beam.trie, self.beam.free, len(self.beam.slots) - 1
        N = len(trie)
        larger = np.concatenate([trie, np.zeros(N, NODE)])
        larger["slot"][N:] = W
        larger["sibling"][N:] = [*range(N + 1, 2 * N), free[0]["first"]]
        free[0]["first"] = N
        free[0]["count"] += N
        self.beam = self.beam._replace(trie=larger)

    def best(self, count: int, final: bool = True) -> list[Hypothesis]:
        """The `count` best labellings so far, best first; none if no path is possible.

        final: the utterance is over, so the language model's </s> counts.
        """
        order = np.empty(min(count, len(self.beam.slots)), np.int64)
        log_probs = np.empty(len(order))
        rank(self.beam, self.lm, final, order, log_probs)
        nodes = self.beam.slots["node"][order]
        return [
            Hypothesis(self._labels(node), log_prob)
            for node, log_prob in zip(nodes.tolist(), log_probs.tolist(), strict=True)
            if log_prob > -math.inf
        ]

    @staticmethod
    def odd(probs: np.ndarray, lengths: np.ndarray) -> list[int]:
        """As of `seqlabel.decoding.checks.odd_utterances`, without a turn at the lock per step."""
        found, b = [], -1
        while (b := next_odd(probs, lengths, b + 1, SUM_TOLERANCE)) < len(probs):
            found.append(b)
        return found

    def each(self, probs: np.ndarray, lengths: np.ndarray, count: int) -> list[list[Hypothesis]]:
        """The `count` best labellings of each of several utterances: probs (B, T, K), (B,).

        One compiled call without the interpreter lock, so that threads do not wait for each other
        between utterances.
        """
        B, T, _ = probs.shape
        N = min(count, len(self.beam.slots))
        found = Found(
            np.empty((B, N)), np.empty((B, N), np.int64), np.empty((B, N, T), np.int32),
            np.empty(N, np.int64),
        )  # fmt: skip
        best = 1.0 if self.lm is None else self.lm.best[self.start]
        done = 0
        while done < B:
            done = search_each(
                self.beam, self.lm, best, self.start, self.floor, probs, lengths, done, found
            )
            if done < B:
                self._grow()
        return [
            [
                Hypothesis(labels[T - size :], log_prob)
                for labels, size, log_prob in zip(*rows, strict=True)
                if log_prob > -math.inf
            ]
            for rows in zip(
                found.labels, found.sizes.tolist(), found.log_probs.tolist(), strict=True
            )
        ]

    def stable(self) -> np.ndarray:
        """The labels that all prefixes in the beam begin with."""
        return self._labels(trunk(self.beam.trie, len(self.beam.slots) - 1))

    def _labels(self, node: int) -> np.ndarray:
        labels = np.empty(self.frames, np.int32)
        count = spell(self.beam.trie, node, labels)
        return labels[len(labels) - count :]
