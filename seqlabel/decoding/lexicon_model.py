"""A lexicon and an n-gram over its words, as what a search multiplies its masses by."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from seqlabel.decoding.arpa import Ngrams
from seqlabel.decoding.lexicon import Lexicon
from seqlabel.decoding.ngram import NgramLM
from seqlabel.decoding.ngram_kernel import NgramArrays, ngram_step

ROOT = 0
"""The node before the first label of a word."""

ARC = np.dtype(
    [
        ("symbol", np.int64),  # label + K (1 + word) where the label ends a word, else the label
        ("factor", np.float64),
        ("place", np.int64),  # the node behind the label
        ("state", np.int64),  # of the n-gram model
    ],
    align=True,
)
"""One way to go on from a node with a label."""


class WordModel(NamedTuple):
    """V words on a tree of N nodes, and node N for what lies outside it.

    A word's score p(word | history)^weight e^bonus is not known before the word ends. Until then
    every prefix carries the best score that a word below its node could have without history
    (`look`; Steinbiss et al. 1994, "Improvements in beam search", unigram look-ahead), so that
    words half written compare with words just begun; the factors of a whole word multiply to its
    score exactly.
    """

    child_starts: np.ndarray  # (N + 2,) int64
    child_labels: np.ndarray  # int32, sorted within a node
    child_nodes: np.ndarray  # int32
    word_starts: np.ndarray  # (N + 2,) int64
    word_ids: np.ndarray  # int32
    look: np.ndarray  # (N + 1,) float64; 1 for the root
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

    lm: None makes all words equally good. penalty: nats that a word outside the lexicon costs; None
    allows no such word.
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
    look[ROOT] = 1.0
    return WordModel(
        np.append(lexicon.child_starts, lexicon.child_starts[-1]),
        lexicon.child_labels,
        lexicon.child_nodes,
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
    """A model that knows no word."""
    tokens = np.arange(3, dtype=np.int32)[:, None]
    zeros = np.zeros(3, np.float32)
    return NgramLM(("<unk>", "<s>", "</s>"), [Ngrams(tokens, zeros, zeros)])


@njit(cache=True)
def _spread_up(parents, look):
    """Give every node the largest value at or below it; children come behind their parents."""
    for node in range(len(parents) - 1, 0, -1):
        look[parents[node]] = max(look[parents[node]], look[node])


@njit(nogil=True, forceinline=True)
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


@njit(nogil=True)
def word_ends(model, node, state, found):
    """Write the words that may end at a node: word in `symbol`, score over look-ahead in `factor`.

    `state` is the model's before the word, in `found` after it. Returns how many there are.
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
        found[count].symbol = word
        found[count].factor = factor * model.unknown if unknown else factor
        found[count].state = after
        count += 1
    return count


@njit(nogil=True)
def arcs(model, node, state, label, K, found):
    """Write to `found` all ways to go on from a node with a label; returns how many there are."""
    outside = len(model.look) - 1
    if label == model.separator and label != 0:
        if node == ROOT:
            if not model.optional:
                return 0
            found[0].symbol, found[0].factor = label, 1.0
            found[0].place, found[0].state = ROOT, state
            return 1
        count = word_ends(model, node, state, found)
        for i in range(count):
            found[i].symbol = label + K * (1 + found[i].symbol)
            found[i].place = ROOT
        return count
    count = 0
    if model.separator == 0 or model.optional:
        first = child(model, ROOT, label)
        if first != ROOT:
            count = word_ends(model, node, state, found)
        for i in range(count):
            found[i].symbol = label + K * (1 + found[i].symbol)
            found[i].factor *= model.look[first]
            found[i].place = first
    below = child(model, node, label)
    if below == ROOT and model.unknown > 0.0:
        below = outside
    if below != ROOT:
        found[count].symbol, found[count].place, found[count].state = label, below, state
        found[count].factor = model.look[below] / model.look[node]
        count += 1
    return count


@njit(nogil=True)
def best_factor(model, node, state, found):
    """The largest factor that `arcs` gives any label here, or more."""
    best = model.top if node == ROOT else 1.0
    if node == ROOT:
        return max(best, 1.0)
    behind = 1.0
    if model.separator == 0 or model.optional:
        behind = max(1.0, model.top)
    for i in range(word_ends(model, node, state, found)):
        best = max(best, found[i].factor * behind)
    return best
