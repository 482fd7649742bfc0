"""One running prefix beam search: the kernel's arrays and what they say in the end."""

from typing import NamedTuple

import numpy as np

from seqlabel.decoding.beam_kernel import (
    ACTIVE,
    EMPTY,
    UNUSED,
    Candidates,
    Slots,
    Trie,
    Work,
    advance,
    depth,
    reset,
    spell,
)


class Hypothesis(NamedTuple):
    """labels: int32 (S,) indices; log_prob: natural logarithm of the score."""

    labels: np.ndarray
    log_prob: float


class LabelSearch:
    """A prefix beam search over K labels, for one utterance after the other, in one thread."""

    def __init__(self, K: int, width: int, threshold: float = np.inf) -> None:
        self.floor = float(np.exp(-threshold))
        W, C, N = width, 2 * width, 4 * width + 256
        self.slots = Slots(
            *(np.zeros(W + 1) for _ in range(4)),
            *(np.zeros(W + 1, np.int32) for _ in range(2)),
            np.zeros((W + 1, K), np.int32),
        )
        self.trie = Trie(*(np.zeros(N, np.int32) for _ in Trie._fields))
        self.candidates = Candidates(
            np.zeros(C, np.int32), np.zeros(C, np.int32), np.zeros(C), np.zeros(C, np.int32)
        )
        self.work = Work(
            np.zeros(K, np.int32),
            np.zeros(W, np.int32),
            np.zeros(W, np.int32),
            np.zeros(W + C),
            np.zeros(4, np.int64),
            np.zeros(1),
        )
        self.reset()

    def reset(self) -> None:
        """Begin an utterance."""
        reset(self.slots, self.trie, self.work)

    def advance(self, probs: np.ndarray) -> None:
        """Read frames: (T, K) float64, probabilities."""
        while len(probs):
            read = advance(self.slots, self.trie, self.candidates, self.work, probs, self.floor)
            probs = probs[read:]
            if len(probs):
                self._grow()

    def _grow(self) -> None:
        N = len(self.trie.parent)
        trie = Trie(*(np.concatenate([old, np.zeros_like(old)]) for old in self.trie))
        trie.slot[N:] = len(self.slots.blank) - 1
        trie.sibling[N:-1] = np.arange(N + 1, 2 * N)
        trie.sibling[-1] = self.work.numbers[2]
        self.work.numbers[2] = N
        self.work.numbers[UNUSED] += N
        self.trie = trie

    def best(self, count: int) -> list[Hypothesis]:
        """The `count` best labellings so far, best first; none when no path is possible."""
        active = self.work.numbers[ACTIVE]
        masses = self.slots.blank[:active] + self.slots.label[:active]
        order = np.argsort(-masses, kind="stable")[:count]
        with np.errstate(divide="ignore"):
            log_probs = np.log(masses[order]) + self.work.scale[0]
        return [
            Hypothesis(self._labels(self.slots.node[s]), float(log_prob))
            for s, log_prob in zip(order, log_probs, strict=True)
        ]

    def _labels(self, node: int) -> np.ndarray:
        labels = np.empty(depth(self.trie, node), np.int32)
        spell(self.trie, node, labels)
        return labels

    def stable(self) -> np.ndarray:
        """The labels that all prefixes in the beam begin with."""
        node, nobody = EMPTY, len(self.slots.blank) - 1
        while self.trie.slot[node] == nobody:
            child = self.trie.child[node]
            if self.trie.sibling[child]:
                break
            node = child
        return self._labels(node)
