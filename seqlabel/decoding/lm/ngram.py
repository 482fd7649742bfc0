"""n-gram language models with back-off, over labels or over words."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seqlabel.decoding.lm.arpa import END, START, Ngrams, read_arpa, write_arpa
from seqlabel.decoding.lm.kernel import NgramArrays
from seqlabel.decoding.lm.kneser_ney import estimate
from seqlabel.decoding.lm.states import compile_states, resolve, upper_bounds
from seqlabel.errors import InputError

SPACE = "<space>"
"""The label " " in ARPA files, where white space separates fields."""

TABLE_BYTES = 256 << 20
"""Largest table of state by column that `NgramLM.arrays` fills by default."""


@dataclass(frozen=True)
class Fit:
    """Prediction of sentences by a model. Sums are natural logarithms; </s> counts as a token."""

    sentences: int
    tokens: int
    unknown: int
    log_prob_known: float
    log_prob_unknown: float

    @property
    def log_prob(self) -> float:
        """ln p of all tokens; -inf where <unk> is impossible and occurs."""
        return self.log_prob_known + self.log_prob_unknown

    @property
    def perplexity(self) -> float:
        """exp(-log_prob / tokens), unknown tokens included at the probability of <unk>."""
        return math.exp(min(-self.log_prob / max(self.tokens, 1), 700.0))

    @property
    def perplexity_known(self) -> float:
        """The perplexity of the tokens in the vocabulary (their contexts as they are)."""
        known = max(self.tokens - self.unknown, 1)
        return math.exp(min(-self.log_prob_known / known, 700.0))


class NgramLM:
    """An n-gram model compiled into states, which represent contexts.

    vocabulary: strings; a token is an index into it, and token 0 is `<unk>`.
    orders: the n-grams of order 1, 2, ...; `name` is used in messages.
    Raises InputError for inconsistent n-grams.
    """

    def __init__(
        self, vocabulary: Sequence[str], orders: Sequence[Ngrams], name: str = "n-gram model"
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.name = name
        self.order = len(orders)
        self._token = {word: token for token, word in enumerate(self.vocabulary)}
        for word in (START, END):
            if word not in self._token:
                raise InputError(f"{name}: the vocabulary lacks {word}")
        self._states = compile_states(self.vocabulary, orders, name)
        self.start = self.step(0, self._token[START])[1]

    @classmethod
    def from_arpa(cls, path: str | os.PathLike[str]) -> "NgramLM":
        """Read an ARPA file, plain or gzip, of any order.

        Raises InputError, with file and line; see `seqlabel.decoding.lm.arpa.read_arpa`.
        """
        vocabulary, orders = read_arpa(path)
        return cls(vocabulary, orders, os.fspath(path))

    @classmethod
    def train(
        cls,
        sentences: Iterable[Sequence[str]],
        order: int = 3,
        vocabulary: Iterable[str] | None = None,
    ) -> "NgramLM":
        """Estimate an interpolated modified Kneser-Ney model from symbol sequences.

        See `seqlabel.decoding.lm.kneser_ney.estimate`; the label " " becomes `<space>`.
        """
        words, orders = estimate(
            ([SPACE if symbol == " " else symbol for symbol in sentence] for sentence in sentences),
            order,
            None if vocabulary is None else [SPACE if s == " " else s for s in vocabulary],
        )
        return cls(words, orders)

    def to_arpa(self, path: str | os.PathLike[str]) -> None:
        """Write the model as an ARPA file, gzip when `path` ends in .gz."""
        write_arpa(path, self.vocabulary, self.ngrams())

    def __contains__(self, symbol: object) -> bool:
        return (SPACE if symbol == " " else symbol) in self._token

    def __len__(self) -> int:
        """The number of n-grams of all orders."""
        return len(self._states.arc_tokens)

    def __repr__(self) -> str:
        return (
            f"NgramLM({self.name!r}, order {self.order}, {len(self.vocabulary)} words, "
            f"{len(self)} n-grams, {len(self._states.backoffs)} states)"
        )

    def tokens(self, symbols: Iterable[str]) -> np.ndarray:
        """Tokens of labels or words, int32; 0 (`<unk>`) for unknown ones.

        The label " " is `<space>` in the vocabulary.
        """
        get = self._token.get
        return np.array([get(SPACE if s == " " else s, 0) for s in symbols], np.int32)

    def step(self, state: int, token: int) -> tuple[float, int]:
        """ln p(token | state) and the state after it, by the definition of back-off:

        p(w | h) is the n-gram's probability if the model has h w, else b(h) p(w | h without its
        first word) (Katz 1987, equation 14, as read by every ARPA tool).
        """
        rows, total = self._states.row_starts, 0.0
        while True:
            low, high = rows[state], rows[state + 1]
            arc = int(low + np.searchsorted(self._states.arc_tokens[low:high], token))
            if arc < high and self._states.arc_tokens[arc] == token:
                log_prob = total + float(self._states.arc_log_probs[arc])
                return log_prob, int(self._states.arc_states[arc])
            total += float(self._states.backoffs[state])
            state = int(self._states.suffixes[state])

    def score(self, sentence: str | Sequence[str], start: bool = True, end: bool = True) -> float:
        """ln p(sentence): a sequence of symbols, or a string with symbols separated by white space.

        start: begin after <s>, else without any context. end: count </s>.
        """
        symbols = sentence.split() if isinstance(sentence, str) else sentence
        state, total = self.start if start else 0, 0.0
        for token in self.tokens(symbols):
            log_prob, state = self.step(state, int(token))
            total += log_prob
        return total + self.step(state, self._token[END])[0] if end else total

    def fit(self, sentences: Iterable[str | Sequence[str]]) -> Fit:
        """Score sentences as in `score` and count unknown tokens."""
        count = tokens = unknown = 0
        total_known = total_unknown = 0.0
        for sentence in sentences:
            symbols = sentence.split() if isinstance(sentence, str) else sentence
            state = self.start
            for token in [*self.tokens(symbols), self._token[END]]:
                log_prob, state = self.step(state, int(token))
                tokens += 1
                if token == 0:
                    unknown += 1
                    total_unknown += log_prob
                else:
                    total_known += log_prob
            count += 1
        return Fit(count, tokens, unknown, total_known, total_unknown)

    def perplexity(self, sentences: Iterable[str | Sequence[str]]) -> float:
        """exp of the mean -ln p(token) over all tokens and one </s> per sentence."""
        return self.fit(sentences).perplexity

    def arrays(
        self, columns: np.ndarray | None = None, table_bytes: int = TABLE_BYTES
    ) -> NgramArrays:
        """The model for `seqlabel.decoding.lm.kernel`, over the given tokens.

        columns: (K,) int32 tokens; a search then uses 0..K-1 instead of tokens (for example
            `lm.tokens(("", *alphabet.symbols))`: column k is label k). None: all tokens.
        table_bytes: back-off is computed in advance into a table of state by column if that takes
            at most so many bytes; 0 for no table.
        """
        states = self._states
        if columns is None:
            columns = np.arange(len(self.vocabulary), dtype=np.int32)
        columns = np.ascontiguousarray(columns, np.int32)
        final, _ = resolve(states, np.array([self._token[END]]))
        if len(states.backoffs) * len(columns) * 8 <= table_bytes:
            table_log_probs, table_states = resolve(states, columns)
            best = table_log_probs.max(axis=1, initial=-np.inf)
        else:
            table_log_probs = np.empty((0, len(columns)), np.float32)
            table_states = np.empty((0, len(columns)), np.int32)
            best = upper_bounds(states)
        return NgramArrays(
            row_starts=states.row_starts,
            arc_tokens=states.arc_tokens,
            arc_log_probs=states.arc_log_probs,
            arc_states=states.arc_states,
            backoffs=states.backoffs,
            suffixes=states.suffixes,
            final=np.ascontiguousarray(final[:, 0]),
            best=best,
            columns=columns,
            table_log_probs=np.ascontiguousarray(table_log_probs),
            table_states=np.ascontiguousarray(table_states),
        )

    def ngrams(self) -> list[Ngrams]:
        """The n-grams of order 1, 2, ..., recovered from the states, sorted by context."""
        states, orders = self._states, []
        contexts = np.zeros((1, 0), np.int32)  # the tokens of each state of this level
        for low, high in zip(states.levels[:-1], states.levels[1:], strict=True):
            arcs = slice(states.row_starts[low], states.row_starts[high])
            source = np.repeat(np.arange(high - low), np.diff(states.row_starts[low : high + 1]))
            tokens = np.column_stack([contexts[source], states.arc_tokens[arcs]])
            target = states.arc_states[arcs]
            own = target >= high  # the longer context, not one of its suffixes
            backoffs = np.where(own, states.backoffs[target], np.float32(0))
            orders.append(Ngrams(tokens, states.arc_log_probs[arcs], backoffs))
            contexts = tokens[own]
        return orders
