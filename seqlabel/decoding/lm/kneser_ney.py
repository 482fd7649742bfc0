"""Interpolated modified Kneser-Ney estimates of n-gram probabilities.

S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling",
Harvard TR-10-98 (1998), section 3 and equations 26-29; sentence starts and the uniform floor
as in K. Heafield et al., "Scalable modified Kneser-Ney language model estimation", ACL 2013.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seqlabel.decoding.lm.arpa import END, LN10, NEVER, START, UNKNOWN, Ngrams
from seqlabel.errors import InputError

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts of the counts 1, 2, 3+ if the counts of counts give none (too little data)."""


class _Level(NamedTuple):
    """The M distinct n-grams of one order.

    tokens: (M, n) int64. counts: (M,) used in the estimate: occurrences in the highest order and
    for n-grams that begin a sentence, else the number of distinct tokens seen before them.
    context, suffix: (M,) rows of the order below: the first and the last n - 1 tokens.
    """

    tokens: np.ndarray
    counts: np.ndarray
    context: np.ndarray
    suffix: np.ndarray


def estimate(
    sentences: Iterable[Sequence[str]], order: int, vocabulary: Iterable[str] | None = None
) -> tuple[tuple[str, ...], list[Ngrams]]:
    """Estimate a model of the given order: its vocabulary, and the n-grams of order 1, 2, ...

    sentences: symbol sequences without <s> and </s>, which are added.
    vocabulary: symbols of the model; others count as <unk>. None: all symbols that occur.
    For every context p(. | context) sums to one over the vocabulary with <unk> and </s>.
    Raises InputError for an order below 1, no sentences, or a symbol with white space.
    """
    if order < 1:
        raise InputError(f"n-gram order {order}: must be at least 1")
    words, stream = _encode(sentences, vocabulary)
    orders: list[Ngrams] = []
    probability = np.array([1.0 / (len(words) - 1)])  # the floor: uniform, without <s>
    for level in _count(stream, order, len(words)):
        predicted = level.tokens[:, -1] != words.index(START)
        counts = np.where(predicted, level.counts, 0)
        discount = discounts(counts)[np.minimum(counts, 3)]
        contexts = len(orders[-1].tokens) if orders else 1
        total = np.bincount(level.context, counts, contexts)
        weight = np.bincount(level.context, discount, contexts)  # left for the order below
        weight = np.divide(weight, total, out=np.ones(contexts), where=total > 0)
        own = (counts - discount) / np.maximum(total, 1.0)[level.context]
        probability = own + weight[level.context] * probability[level.suffix]
        log_probs = np.where(predicted, np.log(probability), NEVER * LN10).astype(np.float32)
        if orders:
            orders[-1] = orders[-1]._replace(backoffs=np.log(weight).astype(np.float32))
        orders.append(Ngrams(level.tokens.astype(np.int32), log_probs, np.zeros_like(log_probs)))
    return words, orders


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from the counts 0, 1, 2 and 3+: (4,) float64, the first 0.

    D_k = k - (k + 1) Y n_{k+1} / n_k with Y = n_1 / (n_1 + 2 n_2) and n_k the number of n-grams
    counted k times (Chen & Goodman, equation 26). If one is undefined or not in (0, k], as
    with few n-grams, FALLBACK_DISCOUNTS are used for the whole order.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(np.float64)
    if (n[1:] > 0).all():
        y = n[1] / (n[1] + 2 * n[2])
        values = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
        if all(0 < value <= k for k, value in enumerate(values, 1)):
            return np.array([0.0, *values])
    return np.array([0.0, *FALLBACK_DISCOUNTS])


def _encode(
    sentences: Iterable[Sequence[str]], vocabulary: Iterable[str] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """The vocabulary, and all sentences as one stream of tokens: <s> ... </s> <s> ..."""
    closed = vocabulary is not None
    index = {UNKNOWN: 0, START: 1, END: 2}
    special = frozenset(index)
    for symbol in vocabulary or ():
        index.setdefault(symbol, len(index))
    stream: list[int] = []
    for number, sentence in enumerate(sentences, 1):
        if not special.isdisjoint(sentence):
            raise InputError(
                f"sentence {number}: has <s>, </s> or <unk>, which are added; remove it"
            )
        stream.append(1)
        if closed:
            stream.extend([index.get(symbol, 0) for symbol in sentence])
        else:
            stream.extend([index.setdefault(symbol, len(index)) for symbol in sentence])
        stream.append(2)
    if not stream:
        raise InputError("no sentences for an n-gram model")
    for symbol in index:
        if len(symbol.encode().split()) != 1:
            raise InputError(f"symbol {symbol!r}: symbols in ARPA files have no white space")
    return tuple(index), np.array(stream)


def _count(stream: np.ndarray, order: int, size: int) -> list[_Level]:
    """The n-grams of order 1 .. `order`; those of order 1 are all tokens, seen or not."""
    position = np.arange(len(stream))
    begins = stream == 1
    age = position - np.maximum.accumulate(np.where(begins, position, 0))  # tokens since <s>
    none = np.zeros(size, np.int64)
    levels = [_Level(np.arange(size)[:, None], np.bincount(stream, minlength=size), none, none)]
    gram = stream  # the row of the n-gram that ends at each position
    for n in range(2, order + 1):
        ends = np.flatnonzero(age >= n - 1)
        _, first, row, count = np.unique(
            gram[ends - 1] * size + stream[ends],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        seen = ends[first]
        tokens = stream[seen[:, None] + np.arange(1 - n, 1)]
        below, suffix = levels[-1], gram[seen]
        distinct = np.bincount(suffix, minlength=len(below.tokens))
        counts = np.where(below.tokens[:, 0] == 1, below.counts, distinct)
        levels[-1] = below._replace(counts=counts)
        levels.append(_Level(tokens, count, gram[seen - 1], suffix))
        gram = np.full(len(stream), -1)
        gram[ends] = row
    return levels
