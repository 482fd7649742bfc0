"""Prefix beam search in plain Python, used until the compiled search is ready.

Computes the same sums in the same order as `label_kernel` and breaks ties the same way, so results
are equal to the last digit. Algorithm and sources are given there. With a beam of 100 it reads
about a thousand frames per second, the compiled search about a hundred times more.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqlabel.decoding.lm.kernel import NgramArrays
from seqlabel.decoding.lm.labels import LEAST_FACTOR, LabelLM
from seqlabel.decoding.search.hypothesis import Hypothesis

SMALL, TINY = 2.0**-300, 2.0**-1000
"""The same values as in `label_kernel`."""

PACE = 16
"""Number of frames between two checks whether the search can be abandoned."""


class Prefix:
    """A node of the trie of prefixes.

    `inside` says whether the prefix is in the beam. While it is, the node also holds the fields of
    its slot (`label_kernel.SLOT`).
    """

    __slots__ = (
        "best", "blank", "children", "factor", "inside", "label", "last", "next_blank",
        "next_label", "parent", "place", "reach", "state", "symbol",
    )  # fmt: skip

    def __init__(self, parent: "Prefix | None", symbol: int) -> None:
        self.parent = self if parent is None else parent
        self.symbol = self.last = symbol
        self.children: dict[int, Prefix] = {}
        self.inside = False
        self.blank = self.label = self.next_blank = self.next_label = 0.0
        self.factor, self.best, self.reach = 1.0, 1.0, 0.0
        self.state = self.place = 0


class Candidate(NamedTuple):
    """A prefix that may enter the beam."""

    mass: float
    parent: Prefix
    symbol: int  # the last step: a label, or a word that ends followed by a label
    last: int  # the label of the symbol
    node: Prefix | None  # None if not yet in the trie
    factor: float
    state: int
    place: int


class PlainLabelSearch:
    """A prefix beam search over K labels, with the methods of `LabelSearch`."""

    SYMBOLS: ClassVar[Any] = np.int32
    """Type of the symbols of a prefix."""

    def __init__(
        self, K: int, width: int, lm: LabelLM | None = None, start: int = 0, floor: float = 0.0
    ) -> None:
        self.K, self.width, self.lm, self.start, self.floor = K, width, lm, start, floor
        self._rows: dict[int, tuple[list[float], list[int]]] = {}
        self.reset()

    def reset(self) -> None:
        """Begin an utterance."""
        self.frames, self.scale = 0, 0.0
        self._outside = Prefix(None, 0)
        self.empty = Prefix(self._outside, 0)
        self.empty.inside, self.empty.blank, self.empty.state = True, 1.0, self.start
        self.empty.best = self._best_at_start()
        self.beam = [self.empty]

    def _best_at_start(self) -> float:
        return 1.0 if self.lm is None else float(self.lm.best[self.start])

    def advance(self, probs: np.ndarray) -> None:
        """Read frames: (T, K) float64, probabilities."""
        for p in probs:
            self._read(p)
        self.frames += len(probs)

    def each(
        self,
        probs: np.ndarray,
        lengths: np.ndarray,
        count: int,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> list[list[Hypothesis]] | None:
        """As `LabelSearch.each`; None if `unwanted` becomes true before the end."""
        found = []
        for x, T in zip(probs, lengths.tolist(), strict=True):
            self.reset()
            for t in range(0, T, PACE):
                if unwanted():
                    return None
                self.advance(x[t : min(t + PACE, T)])
            found.append(self.best(count))
        return found

    def best(self, count: int, final: bool = True) -> list[Hypothesis]:
        """The `count` best labellings so far; see `LabelSearch.best`."""
        scored = []
        for prefix in self.beam:
            mass = prefix.blank + prefix.label
            if self.lm is not None and final:
                mass *= float(self.lm.final[prefix.state])
            scored.append((mass, prefix))
        scored.sort(key=lambda own: own[0], reverse=True)
        return [
            Hypothesis(self._symbols(prefix), math.log(mass) + self.scale)
            for mass, prefix in scored[:count]
            if mass > 0.0
        ]

    def stable(self) -> np.ndarray:
        """The labels with which every prefix in the beam begins."""
        node = self.empty
        while not node.inside and len(node.children) == 1:
            (node,) = node.children.values()
        return self._symbols(node)

    def _symbols(self, node: Prefix) -> np.ndarray:
        symbols = []
        while node is not self.empty:
            symbols.append(node.symbol)
            node = node.parent
        return np.array(symbols[::-1], self.SYMBOLS)

    def _read(self, p: np.ndarray) -> None:
        """One frame (K,)."""
        row = p.tolist()
        best, least, furthest = self._stay(row)
        bound = max(best * self.floor, TINY)
        if len(self.beam) == self.width:
            bound = max(bound, least)
        candidates, bound = self._extend(p, row, bound, furthest)
        for new in candidates:
            best = max(best, new.mass)
        self._select(candidates, max(bound, best * self.floor))
        if TINY < best < SMALL:
            _, exponent = math.frexp(best)
            for prefix in self.beam:
                prefix.blank = math.ldexp(prefix.blank, -exponent)
                prefix.label = math.ldexp(prefix.label, -exponent)
            self.scale += exponent * math.log(2.0)

    def _stay(self, p: list[float]) -> tuple[float, float, float]:
        best, least, furthest, p_blank = 0.0, math.inf, 0.0, p[0]
        for prefix in self.beam:
            k, parent = prefix.last, prefix.parent
            total = prefix.blank + prefix.label
            passed = parent.blank
            if parent.last != k:
                passed += parent.label
            blank = total * p_blank
            label = (prefix.label + passed * prefix.factor) * p[k]
            prefix.next_blank = blank if blank > TINY else 0.0
            prefix.next_label = label if label > TINY else 0.0
            prefix.reach = reach = total * prefix.best
            mass = blank + label
            if mass > best:
                best = mass
            if mass < least:
                least = mass
            if reach > furthest:
                furthest = reach
        return best, least, furthest

    def _extend(
        self, p: np.ndarray, row: list[float], bound: float, furthest: float
    ) -> tuple[list[Candidate], float]:
        candidates: list[Candidate] = []
        labels = np.flatnonzero(furthest * p > bound).tolist()
        labels.sort(key=row.__getitem__, reverse=True)
        for k in labels:
            p_label = row[k]
            if furthest * p_label <= bound:
                break
            if k == 0:
                continue
            for prefix in self.beam:
                if prefix.reach * p_label <= bound:
                    continue
                mass = prefix.blank * p_label
                if prefix.last != k:
                    mass += prefix.label * p_label
                factor, state = 1.0, 0
                if self.lm is not None:
                    factor, state = self._label_factor(prefix.state, k)
                    mass *= factor
                if mass > bound:
                    bound = self._offer(candidates, prefix, k, k, mass, factor, state, 0, bound)
        return self._fitting(candidates, bound)

    def _offer(
        self,
        candidates: list[Candidate],
        prefix: Prefix,
        symbol: int,
        k: int,
        mass: float,
        factor: float,
        state: int,
        place: int,
        bound: float,
    ) -> float:
        """Add a new prefix to the candidates unless it is in the beam; returns the bound."""
        node = prefix.children.get(symbol)
        if node is not None and node.inside:
            return bound
        if len(candidates) == 2 * self.width:
            bound = self._thin_out(candidates)
            if mass <= bound:
                return bound
        candidates.append(Candidate(mass, prefix, symbol, k, node, factor, state, place))
        return bound

    def _fitting(self, candidates: list[Candidate], bound: float) -> tuple[list[Candidate], float]:
        if len(self.beam) + len(candidates) > self.width:
            bound = self._thin_out(candidates)
        return candidates, bound

    def _thin_out(self, candidates: list[Candidate]) -> float:
        """Keep the candidates among the W best of beam and candidates; returns the new bound."""
        W = self.width
        stayed = [prefix.next_blank + prefix.next_label for prefix in self.beam]
        masses = [*stayed, *(new.mass for new in candidates)]
        bound = sorted(masses, reverse=True)[W - 1]
        spare = W - sum(mass >= bound for mass in stayed)
        spare -= sum(new.mass > bound for new in candidates)
        kept = []
        for new in candidates:
            if new.mass == bound:
                spare -= 1
            if new.mass > bound or (new.mass == bound and spare >= 0):
                kept.append(new)
        candidates[:] = kept
        return bound

    def _select(self, candidates: list[Candidate], bound: float) -> None:
        beam = self.beam
        spare = self.width - len(candidates)
        for prefix in beam:
            spare -= prefix.next_blank + prefix.next_label > bound
        dropped: list[tuple[int, Prefix]] = []
        for s, prefix in enumerate(beam):
            mass = prefix.next_blank + prefix.next_label
            if mass == bound:
                spare -= 1
            if mass > bound or (mass == bound and spare >= 0):
                prefix.blank, prefix.label = prefix.next_blank, prefix.next_label
            else:
                dropped.append((s, prefix))
        holes = [s for s, _ in dropped]
        for new in candidates:
            node = new.node
            if node is None:
                node = new.parent.children[new.symbol] = Prefix(new.parent, new.symbol)
            node.inside = True
            node.blank, node.label, node.last = 0.0, new.mass, new.last
            node.factor, node.best = new.factor, self._best_factor(new.place, new.state)
            node.state, node.place = new.state, new.place
            if holes:
                beam[holes.pop()] = node
            else:
                beam.append(node)
        while holes:  # fill the remaining holes, highest first, with the last prefix of the beam
            s, moved = holes.pop(), beam.pop()
            if s != len(beam):
                beam[s] = moved
        for _, prefix in dropped:
            prefix.inside, prefix.blank, prefix.label = False, 0.0, 0.0
            self._release(prefix)

    def _release(self, node: Prefix) -> None:
        while node is not self.empty and not node.inside and not node.children:
            del node.parent.children[node.symbol]
            node = node.parent

    def _best_factor(self, place: int, state: int) -> float:
        return 1.0 if self.lm is None else float(self.lm.best[state])

    def _label_factor(self, state: int, k: int) -> tuple[float, int]:
        lm = self.lm
        assert lm is not None
        if len(lm.table) > 0:
            if state not in self._rows:
                self._rows[state] = (
                    lm.table["factor"][state].tolist(),
                    lm.table["state"][state].tolist(),
                )
            factors, states = self._rows[state]
            return factors[k], states[k]
        log_prob, state = ngram_step(lm.ngrams, state, k)
        return max(math.exp(lm.weight * log_prob + lm.bonus), LEAST_FACTOR), state


def ngram_step(arrays: NgramArrays, state: int, column: int) -> tuple[float, int]:
    """Log-probability and next state, as `seqlabel.decoding.lm.kernel` computes them."""
    if arrays.table_states.shape[0] > 0:
        return (
            float(arrays.table_log_probs[state, column]),
            int(arrays.table_states[state, column]),
        )
    token, total = int(arrays.columns[column]), 0.0
    while state > 0:
        first, end = arrays.row_starts[state : state + 2].tolist()
        arc = bisect_left(arrays.arc_tokens, token, first, end)
        if arc < end and arrays.arc_tokens[arc] == token:
            return total + float(arrays.arc_log_probs[arc]), int(arrays.arc_states[arc])
        total += float(arrays.backoffs[state])
        state = int(arrays.suffixes[state])
    return total + float(arrays.arc_log_probs[token]), int(arrays.arc_states[token])
