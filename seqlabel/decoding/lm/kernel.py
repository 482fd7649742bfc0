"""The n-gram language model inside a search: states and tokens, no strings.

A state is a context with information in the model: the longest suffix of the history that
has a continuation or a back-off weight (KenLM's state minimisation). State 0 is the empty context
and has every token, so that the walk along the back-off links always ends.
"""

from typing import NamedTuple

import numpy as np

from seqlabel.decoding.compiled import kernel


class NgramArrays(NamedTuple):
    """A language model of S states and A arcs (n-grams) over columns 0..K-1, as flat arrays.

    A column is what the search counts in: the tokens themselves, or the labels of an alphabet.
    The arcs of state s lie at row_starts[s] : row_starts[s + 1], sorted by token.
    If the table (S, K) fits in memory, it is used instead of the back-off links.
    """

    row_starts: np.ndarray  # (S + 1,) int64
    arc_tokens: np.ndarray  # (A,) int32
    arc_log_probs: np.ndarray  # (A,) float32, natural logarithm
    arc_states: np.ndarray  # (A,) int32, the state after the arc
    backoffs: np.ndarray  # (S,) float32, ln of the back-off weight
    suffixes: np.ndarray  # (S,) int32, the state to back off to; smaller than the state itself
    final: np.ndarray  # (S,) float32, ln p(</s> | state)
    best: np.ndarray  # (S,) float32, an upper bound of ln p(column | state) over the columns
    columns: np.ndarray  # (K,) int32, the token of each column
    table_log_probs: np.ndarray  # (S, K) float32, or (0, K) when left out
    table_states: np.ndarray  # (S, K) int32, or (0, K) when left out


@kernel(cache=True)
def ngram_step(arrays, state, column):
    """ln p(column | state), float64, and the state after it."""
    if arrays.table_states.shape[0] > 0:
        return (
            np.float64(arrays.table_log_probs[state, column]),
            np.int64(arrays.table_states[state, column]),
        )
    token = arrays.columns[column]
    total = 0.0
    s = np.int64(state)
    while s > 0:
        low, high = arrays.row_starts[s], arrays.row_starts[s + 1]
        end = high
        while low < high:
            middle = (low + high) >> 1
            if arrays.arc_tokens[middle] < token:
                low = middle + 1
            else:
                high = middle
        if low < end and arrays.arc_tokens[low] == token:
            return total + arrays.arc_log_probs[low], np.int64(arrays.arc_states[low])
        total += arrays.backoffs[s]
        s = np.int64(arrays.suffixes[s])
    return total + arrays.arc_log_probs[token], np.int64(arrays.arc_states[token])
