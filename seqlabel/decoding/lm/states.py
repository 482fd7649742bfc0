"""n-grams compiled into states, arcs and back-off links, in whole-array operations."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqlabel.decoding.lm.arpa import Ngrams
from seqlabel.errors import InputError


class States(NamedTuple):
    """S states and A arcs; see `seqlabel.decoding.lm.kernel.NgramArrays` for the arrays.

    levels: (N + 1,) int64 for a model of order N; the states whose context has k tokens are
        levels[k] : levels[k + 1].
    """

    levels: np.ndarray
    row_starts: np.ndarray
    arc_tokens: np.ndarray
    arc_log_probs: np.ndarray
    arc_states: np.ndarray
    backoffs: np.ndarray
    suffixes: np.ndarray


def compile_states(vocabulary: Sequence[str], orders: Sequence[Ngrams], name: str) -> States:
    """Build the states; `name` (the file) is for messages.

    Every token must be a 1-gram. The *suffix* of an n-gram may be missing in the lower orders (a
    pruned model); back-off skips it. Its *context*, which has the back-off weight, must be there.
    Raises InputError for a missing context and for n-grams that occur twice.
    """
    size = len(vocabulary)
    contexts, sorted_orders = _sort(vocabulary, orders, name)

    # Which n-grams are contexts worth a state of their own, and that state's number.
    own: list[np.ndarray] = []
    levels = [0, 1]
    for n, ngrams in enumerate(sorted_orders[:-1], 1):
        keep = ngrams.backoffs != 0
        keep[contexts[n]] = True  # contexts[n] holds the contexts of order n + 1
        own.append(np.where(keep, levels[-1] - 1 + np.cumsum(keep), -1))
        levels.append(levels[-1] + int(keep.sum()))
    own.append(np.full(len(sorted_orders[-1].log_probs), -1))

    # Order by order: an n-gram leads to its own state, or to that of its longest suffix with one.
    backoffs, suffixes = [np.zeros(1, np.float32)], np.zeros(1, np.int64)
    keys, next_states, sources = np.zeros(0, np.int64), np.zeros(0, np.int64), []
    for n, ngrams in enumerate(sorted_orders, 1):
        last = ngrams.tokens[:, -1].astype(np.int64)
        if n == 1:
            source = fallback = np.zeros(size, np.int64)
        else:
            source = own[n - 2][contexts[n - 1]]
            fallback = _follow(keys, next_states, suffixes, size, suffixes[source], last)
        is_state = own[n - 1] >= 0
        suffixes = np.concatenate([suffixes, fallback[is_state]])
        backoffs.append(ngrams.backoffs[is_state])
        keys = np.concatenate([keys, source * size + last])
        next_states = np.concatenate([next_states, np.where(is_state, own[n - 1], fallback)])
        sources.append(source)
    arcs_of = np.bincount(np.concatenate(sources), minlength=levels[-1])
    return States(
        levels=np.array(levels),
        row_starts=np.concatenate([[0], np.cumsum(arcs_of)]),
        arc_tokens=np.concatenate([o.tokens[:, -1] for o in sorted_orders]).astype(np.int32),
        arc_log_probs=np.concatenate([o.log_probs for o in sorted_orders]).astype(np.float32),
        arc_states=next_states.astype(np.int32),
        backoffs=np.concatenate(backoffs).astype(np.float32),
        suffixes=suffixes.astype(np.int32),
    )


def _sort(
    vocabulary: Sequence[str], orders: Sequence[Ngrams], name: str
) -> tuple[list[np.ndarray], list[Ngrams]]:
    """Sort each order by (context, last token); contexts[n - 1] are rows of the order below."""
    size = len(vocabulary)
    keys: list[np.ndarray] = []
    contexts, sorted_orders = [], []
    for n, ngrams in enumerate(orders, 1):
        context = np.zeros(len(ngrams.tokens), np.int64)
        for k in range(1, n):
            wanted = context * size + ngrams.tokens[:, k - 1]
            context, found = _find(keys[k - 1], wanted)
            if not found.all():
                row = int(np.argmin(found))
                raise InputError(
                    f"{_where(name, ngrams, row)}: the {n}-gram "
                    f"{_words(vocabulary, ngrams.tokens[row])} has no context "
                    f"{_words(vocabulary, ngrams.tokens[row, :k])} among the {k}-grams"
                )
        key = context * size + ngrams.tokens[:, -1]
        by_key = np.argsort(key, kind="stable")
        key = key[by_key]
        twice = np.flatnonzero(key[1:] == key[:-1])
        if len(twice):
            row = int(by_key[twice[0] + 1])
            raise InputError(
                f"{_where(name, ngrams, row)}: the {n}-gram "
                f"{_words(vocabulary, ngrams.tokens[row])} occurs twice"
            )
        keys.append(key)
        contexts.append(context[by_key])
        sorted_orders.append(
            Ngrams(ngrams.tokens[by_key], ngrams.log_probs[by_key], ngrams.backoffs[by_key])
        )
    return contexts, sorted_orders


def _follow(
    keys: np.ndarray,
    next_states: np.ndarray,
    suffixes: np.ndarray,
    size: int,
    state: np.ndarray,
    token: np.ndarray,
) -> np.ndarray:
    """The state after `token` from `state`, backing off until an arc is found (elementwise)."""
    result = np.empty_like(state)
    left = np.arange(len(state))
    while len(left):
        arc, found = _find(keys, state * size + token)
        result[left[found]] = next_states[arc[found]]
        left, state, token = left[~found], suffixes[state[~found]], token[~found]
    return result


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of `wanted` in the sorted `keys`, and whether each is there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    position = np.searchsorted(keys, wanted)
    position[position == len(keys)] = 0
    return position, keys[position] == wanted


def _where(name: str, ngrams: Ngrams, row: int) -> str:
    return f"{name}:{ngrams.first_line + row}" if ngrams.first_line else name


def _words(vocabulary: Sequence[str], tokens: np.ndarray) -> str:
    return repr(" ".join(vocabulary[token] for token in tokens))


def resolve(states: States, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Back-off worked out: ln p(token | state) (S, K) float32 and the state after it (S, K) int32.

    tokens: (K,) of any tokens, repeats allowed.
    """
    unique, column = np.unique(tokens, return_inverse=True)
    rank = np.full(int(states.row_starts[1]), -1)
    rank[unique] = np.arange(len(unique))
    count = len(states.backoffs)
    # The empty context has every token of its own; what its row starts with goes unread.
    log_probs = np.zeros((count, len(unique)), np.float32)
    next_states = np.empty((count, len(unique)), np.int32)
    # Contexts of k tokens back off to shorter ones, whose rows are finished by then.
    for low, high in zip(states.levels[:-1], states.levels[1:], strict=True):
        suffix = states.suffixes[low:high]
        log_probs[low:high] = log_probs[suffix] + states.backoffs[low:high, None]
        next_states[low:high] = next_states[suffix]
        arcs = slice(states.row_starts[low], states.row_starts[high])
        sizes = np.diff(states.row_starts[low : high + 1])
        source = np.repeat(np.arange(low, high), sizes)
        target = rank[states.arc_tokens[arcs]]
        wanted = target >= 0
        log_probs[source[wanted], target[wanted]] = states.arc_log_probs[arcs][wanted]
        next_states[source[wanted], target[wanted]] = states.arc_states[arcs][wanted]
    if len(unique) == len(tokens) and (column == np.arange(len(tokens))).all():
        return log_probs, next_states
    return log_probs[:, column], next_states[:, column]


def upper_bounds(states: States) -> np.ndarray:
    """(S,) float32: no token has a larger ln p(token | state)."""
    best = np.full(len(states.backoffs), -np.inf)
    for low, high in zip(states.levels[:-1], states.levels[1:], strict=True):
        if low > 0:
            suffix = states.suffixes[low:high]
            best[low:high] = best[suffix] + states.backoffs[low:high]
        arcs = slice(states.row_starts[low], states.row_starts[high])
        source = np.repeat(np.arange(low, high), np.diff(states.row_starts[low : high + 1]))
        np.maximum.at(best, source, states.arc_log_probs[arcs])
    return np.nextafter(best.astype(np.float32), np.float32(np.inf))  # rounded, but never down
