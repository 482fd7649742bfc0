"""What a search says in the end: labels, their score, and the words that they spell."""

from typing import NamedTuple

import numpy as np

ENDING = np.dtype([("mass", np.float64), ("slot", np.int64), ("word", np.int64)], align=True)
"""A prefix that ends the utterance: its slot, and 1 + the word that ends with it (0: none does)."""


class Hypothesis(NamedTuple):
    """labels: int32 (S,) indices; log_prob: natural logarithm of the score.

    words: (word, first, end) of a search with a lexicon: the labels first..end - 1 spell the word,
    an index into the lexicon's words, or their number for a word that is not among them.
    complete: whether no word is left unfinished.
    """

    labels: np.ndarray
    log_prob: float
    words: tuple[tuple[int, int, int], ...] = ()
    complete: bool = True


def best_endings(
    ends: np.ndarray, masses: np.ndarray, scale: float, count: int
) -> list[tuple[int, tuple[float, int, bool]]]:
    """Slot, and score, last word and completeness, of the best `count` prefixes, best first.

    ends: ENDING of the prefixes that are complete; where none is possible, the best of all prefixes
    as they are: masses (W,), of the slots. scale: natural logarithm of the factor that all masses
    lack.
    """
    ends = ends[ends["mass"] > 0]
    complete = len(ends) > 0
    if not complete:
        ends = np.zeros(len(masses), ENDING)
        ends["mass"], ends["slot"] = masses, np.arange(len(masses))
        ends = ends[ends["mass"] > 0]
    best = ends[np.argsort(-ends["mass"], kind="stable")[:count]]
    log_probs = np.log(best["mass"]) + scale
    rows = zip(best["slot"].tolist(), log_probs.tolist(), best["word"].tolist(), strict=True)
    return [(slot, (log_prob, word, complete)) for slot, log_prob, word in rows]


def most_words(K: int) -> int:
    """The size of the largest lexicon over K labels: symbols k + K (1 + word) must fit in uint32.

    One more word number stands for the words outside the lexicon.
    """
    return 2**32 // K - 2


def word_hypothesis(
    symbols: np.ndarray, K: int, separator: int, log_prob: float, last: int, complete: bool
) -> Hypothesis:
    """What the symbols of a prefix, labels behind words, say; last: 1 + the last word, or 0.

    symbols: uint32, a label k, or k + K (1 + word) where a word ends before the label.
    """
    labels = (symbols % K).astype(np.int32)
    words, first = [], 0
    for i, (word, label) in enumerate(zip((symbols // K).tolist(), labels.tolist(), strict=True)):
        if word:
            words.append((word - 1, first, i))
            first = i
        if label == separator:
            first = i + 1
    if last:
        words.append((last - 1, first, len(labels)))
    return Hypothesis(labels, log_prob, tuple(words), complete)
