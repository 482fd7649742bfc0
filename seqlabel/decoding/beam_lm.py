"""What a language model over labels, with its weight and the bonus, gives a search: factors."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.arpa import Ngrams
from seqlabel.decoding.ngram import NgramLM
from seqlabel.decoding.ngram_kernel import NgramArrays, ngram_step


class LabelLM(NamedTuple):
    """Factors p(label | state)^weight e^bonus of S states and K labels.

    With a table, back-off is worked out beforehand; without one (a model too large for it) the
    n-grams are walked.
    """

    factors: np.ndarray  # (S, K) float64, or (0, K)
    states: np.ndarray  # (S, K) int32, the state after the label, or (0, K)
    best: np.ndarray  # (S,) float64, the largest factor of a state, or more
    final: np.ndarray  # (S,) float64, the factor of </s>, without bonus
    ngrams: NgramArrays
    weight: float
    bonus: float


def label_lm(alphabet: Alphabet, lm: NgramLM, weight: float, bonus: float) -> LabelLM:
    """Prepare `lm` over the symbols of the alphabet for a search."""
    ngrams = lm.arrays(lm.tokens(["<unk>", *alphabet.symbols]))  # the blank's column goes unread
    factors = np.exp(weight * ngrams.table_log_probs.astype(np.float64) + bonus)
    best = np.exp(weight * ngrams.best.astype(np.float64) + bonus)
    final = np.exp(weight * ngrams.final.astype(np.float64))
    empty = ngrams.table_log_probs[:0], ngrams.table_states[:0]
    states = ngrams.table_states
    ngrams = ngrams._replace(table_log_probs=empty[0], table_states=empty[1])
    return LabelLM(factors, states, best, final, ngrams, float(weight), float(bonus))


def bonus_only(alphabet: Alphabet, bonus: float) -> LabelLM:
    """Give each label the bonus and nothing else: a model of one state without weight."""
    tokens = np.arange(3, dtype=np.int32)[:, None]
    flat = NgramLM(
        ("<unk>", "<s>", "</s>"), [Ngrams(tokens, np.zeros(3, np.float32), np.zeros(3, np.float32))]
    )
    return label_lm(alphabet, flat, 0.0, bonus)


@njit(nogil=True, forceinline=True)
def label_factor(lm, state, label):
    """The factor of a label after a state, and the state behind it."""
    if len(lm.factors) > 0:
        return lm.factors[state, label], np.int64(lm.states[state, label])
    log_prob, state = ngram_step(lm.ngrams, state, label)
    return math.exp(lm.weight * log_prob + lm.bonus), state
