"""Factors of a language model over labels with its weight and the bonus."""

import math
from typing import NamedTuple

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.compiled import kernel
from seqlabel.decoding.lm.arpa import Ngrams
from seqlabel.decoding.lm.kernel import NgramArrays, ngram_step
from seqlabel.decoding.lm.ngram import NgramLM

STEP = np.dtype([("factor", np.float32), ("state", np.int32)])
"""The factor of a label after a state, and the state behind it: side by side in memory."""

LEAST_FACTOR = float(np.finfo(np.float32).tiny)
"""Lower limit of factors (e to the -87): a factor of zero would exclude a labelling
whatever its acoustic probability."""


class LabelLM(NamedTuple):
    """Factors p(label | state)^weight e^bonus of S states and K labels.

    With a table, back-off is computed in advance; without one (for a large model) it is followed
    for each label.
    """

    table: np.ndarray  # (S, K) STEP, or (0, K)
    best: np.ndarray  # (S,) float64, the largest factor of a state, or more
    final: np.ndarray  # (S,) float64, the factor of </s>, without bonus
    ngrams: NgramArrays
    weight: float
    bonus: float


def label_lm(alphabet: Alphabet, lm: NgramLM, weight: float, bonus: float) -> LabelLM:
    """Prepare `lm` over the symbols of the alphabet for a search."""
    ngrams = lm.arrays(lm.tokens(["<unk>", *alphabet.symbols]))  # the blank's column goes unread
    table = np.empty(ngrams.table_states.shape, STEP)
    table["factor"] = _factors(weight, ngrams.table_log_probs, bonus)
    table["state"] = ngrams.table_states
    best = _factors(weight, ngrams.best, bonus)
    final = _factors(weight, ngrams.final, 0.0)
    empty = ngrams.table_log_probs[:0], ngrams.table_states[:0]
    ngrams = ngrams._replace(table_log_probs=empty[0], table_states=empty[1])
    return LabelLM(table, best, final, ngrams, float(weight), float(bonus))


def bonus_only(alphabet: Alphabet, bonus: float) -> LabelLM:
    """Give each label the bonus and nothing else: a model of one state without weight."""
    tokens = np.arange(3, dtype=np.int32)[:, None]
    flat = NgramLM(
        ("<unk>", "<s>", "</s>"), [Ngrams(tokens, np.zeros(3, np.float32), np.zeros(3, np.float32))]
    )
    return label_lm(alphabet, flat, 0.0, bonus)


def _factors(weight: float, log_probs: np.ndarray, bonus: float) -> np.ndarray:
    return np.maximum(np.exp(weight * log_probs.astype(np.float64) + bonus), LEAST_FACTOR)


@kernel(forceinline=True)
def label_factor(lm, state, label):
    """The factor of a label after a state, and the state behind it."""
    if len(lm.table) > 0:
        step = lm.table[state, label]
        return np.float64(step.factor), np.int64(step.state)
    log_prob, state = ngram_step(lm.ngrams, state, label)
    return max(math.exp(lm.weight * log_prob + lm.bonus), LEAST_FACTOR), state
