"""A lexicon and an n-gram over its words, as factors for a search."""

import math
from typing import NamedTuple

import numpy as np

from seqlabel.decoding.compiled import kernel
from seqlabel.decoding.lexicon.lexicon import Lexicon
from seqlabel.decoding.lm.arpa import Ngrams
from seqlabel.decoding.lm.kernel import NgramArrays, ngram_step
from seqlabel.decoding.lm.labels import LEAST_FACTOR
from seqlabel.decoding.lm.ngram import NgramLM

ROOT = 0
"""The node before the first label of a word."""

ENDED = np.dtype([("word", np.int64), ("factor", np.float64), ("state", np.int64)], align=True)
"""A word that may end at a node: its score over the look-ahead there, and the n-gram's state."""


class WordModel(NamedTuple):
    """V words on a tree of N nodes, and node N for words outside it.

    A word's score p(word | history)^weight e^bonus is not known before the word ends. Until then
    every prefix carries the best score that a word below its node could have without history
    (`look`; Steinbiss et al. 1994, "Improvements in beam search", unigram look-ahead), so that
    partial words are comparable with each other; the factors of a whole word multiply to its
    score exactly. The look-ahead is never below LEAST_FACTOR: a word that is impossible without
    history may be probable with it.
    """

    child_starts: np.ndarray  # (N + 2,) int64
    child_labels: np.ndarray  # int32, sorted within a node
    child_nodes: np.ndarray  # int32
    child_factors: np.ndarray  # float64, look-ahead of the child over that of the node
    word_starts: np.ndarray  # (N + 2,) int64
    word_ids: np.ndarray  # int32
    look: np.ndarray  # (N + 1,) float64, above 0; 1 for the root
    top: float  # the largest of `look` but the root's
    ngrams: NgramArrays  # column v is word v, column V the unknown word
    final: np.ndarray  # (S,) float64, the factor of </s>, without bonus
    weight: float
    bonus: float
    unknown: float  # factor of a word outside the lexicon besides its score; 0: there are none
    separator: int  # label, 0 for none
    optional: bool


def word_model(
    lexicon: Lexicon, lm: NgramLM | None, weight: float, bonus: float, penalty: float | None
) -> WordModel:
    """Prepare a lexicon and a language model over words for a search.

    lm: None gives all words the same score. penalty: cost in nats of a word outside the lexicon;
    None allows no such word.
    """
    if lm is None:
        lm, weight = _flat(), 0.0
    words = lm.tokens([*lexicon.words, "<unk>"])
    ngrams = lm.arrays(words, table_bytes=16 << 20)
    unigram = np.exp(weight * ngrams.arc_log_probs[words].astype(np.float64) + bonus)
    unknown = 0.0 if penalty is None else math.exp(-penalty)
    N = len(lexicon.parents)
    outside = unigram[-1] * unknown
    look = np.full(N + 1, outside)
    nodes = np.repeat(np.arange(N), np.diff(lexicon.word_starts))
    np.maximum.at(look, nodes, unigram[lexicon.word_ids])
    _spread_up(lexicon.parents, look)
    np.maximum(look, LEAST_FACTOR, out=look)
    look[ROOT] = 1.0  # before it has begun, a word is no better or worse than another
    return WordModel(
        np.append(lexicon.child_starts, lexicon.child_starts[-1]),
        lexicon.child_labels,
        lexicon.child_nodes,
        look[lexicon.child_nodes] / look[lexicon.parents[lexicon.child_nodes]],
        np.append(lexicon.word_starts, lexicon.word_starts[-1]),
        lexicon.word_ids,
        look,
        float(look[1:].max()),
        ngrams,
        np.exp(weight * ngrams.final.astype(np.float64)),
        float(weight),
        float(bonus),
        unknown,
        0 if lexicon.separator is None else lexicon.alphabet.encode([lexicon.separator])[0],
        lexicon.optional,
    )


def _flat() -> NgramLM:
    """A model without words."""
    tokens = np.arange(3, dtype=np.int32)[:, None]
    zeros = np.zeros(3, np.float32)
    return NgramLM(("<unk>", "<s>", "</s>"), [Ngrams(tokens, zeros, zeros)])


def _spread_up(parents: np.ndarray, look: np.ndarray) -> None:
    """Give every node the largest value at or below it; children come behind their parents."""
    values = look.tolist()
    for node, parent in zip(range(len(parents) - 1, 0, -1), parents[:0:-1].tolist(), strict=True):
        if values[node] > values[parent]:
            values[parent] = values[node]
    look[:] = values


@kernel(forceinline=True)
def child(model, node, label):
    """The child of a node, or ROOT."""
    low, high = model.child_starts[node], model.child_starts[node + 1]
    end = high
    while low < high:
        middle = (low + high) >> 1
        if model.child_labels[middle] < label:
            low = middle + 1
        else:
            high = middle
    if low < end and model.child_labels[low] == label:
        return np.int64(model.child_nodes[low])
    return np.int64(ROOT)


@kernel()
def word_ends(model, node, state, found):
    """Write to `found` (ENDED) the words that may end at a node; returns how many there are.

    state: of the n-gram model before the word.
    """
    if node == ROOT:
        return 0
    count = 0
    V = len(model.ngrams.columns) - 1
    low, high = model.word_starts[node], model.word_starts[node + 1]
    unknown = low == high and model.unknown > 0.0
    if unknown:
        high += 1
    for i in range(low, high):
        word = V if unknown else np.int64(model.word_ids[i])
        log_prob, after = ngram_step(model.ngrams, state, word)
        factor = math.exp(model.weight * log_prob + model.bonus) / model.look[node]
        found[count].word = word
        found[count].factor = factor * model.unknown if unknown else factor
        found[count].state = after
        count += 1
    return count


@kernel()
def best_factor(model, node, state, found):
    """The largest factor that any label can have here, or more."""
    if node == ROOT:
        return max(1.0, model.top)
    best, behind = 1.0, 1.0
    if model.separator == 0 or model.optional:
        behind = max(1.0, model.top)
    for i in range(word_ends(model, node, state, found)):
        best = max(best, found[i].factor * behind)
    return best
