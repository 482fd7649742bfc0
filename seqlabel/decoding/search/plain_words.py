"""Prefix beam search over words in plain Python: computes what `word_kernel` does, see `plain`."""

import math

import numpy as np

from seqlabel.decoding.lexicon.words import ROOT, WordModel
from seqlabel.decoding.search.hypothesis import ENDING, Hypothesis, best_endings, word_hypothesis
from seqlabel.decoding.search.plain import Candidate, PlainLabelSearch, ngram_step


class PlainWordSearch(PlainLabelSearch):
    """A prefix beam search over the words of a lexicon, with the methods of `WordSearch`."""

    SYMBOLS = np.uint32

    def __init__(self, K: int, width: int, model: WordModel, start: int, floor: float) -> None:
        self.model = model
        self._look = model.look
        self._ended: dict[tuple[int, int], list[tuple[int, float, int]]] = {}
        self._below: dict[int, list[tuple[int, float, int]]] = {}
        super().__init__(K, width, None, start, floor)

    def _best_at_start(self) -> float:
        return max(1.0, self.model.top)

    def best(self, count: int, final: bool = True) -> list[Hypothesis]:
        """The `count` best word sequences so far; see `WordSearch.best`."""
        ends = np.array(self._endings() if final else [], ENDING)
        masses = np.array([prefix.blank + prefix.label for prefix in self.beam])
        return [
            word_hypothesis(self._symbols(self.beam[slot]), self.K, self.model.separator, *rest)
            for slot, rest in best_endings(ends, masses, self.scale, count)
        ]

    def stable(self) -> np.ndarray:
        """The labels with which every prefix in the beam begins."""
        return (super().stable() % self.K).astype(np.int32)

    def _extend(
        self, p: np.ndarray, row: list[float], bound: float, furthest: float
    ) -> tuple[list[Candidate], float]:
        model, K, candidates = self.model, self.K, list[Candidate]()
        look, separator = self._look, self.model.separator
        likeliest = max(row[1:], default=0.0)
        for prefix in self.beam:
            reach = prefix.reach
            if reach * likeliest <= bound:
                continue
            place, state, last = prefix.place, prefix.state, prefix.last
            repeat, other = prefix.blank, prefix.blank + prefix.label
            if model.unknown > 0.0:
                inner = {k: after for k, _, after in self._children(place)}
                for k in range(1, K):
                    if k != separator and reach * row[k] > bound:
                        after = inner.get(k, len(look) - 1)
                        factor = float(look[after] / look[place])
                        mass = (repeat if last == k else other) * row[k] * factor
                        if mass > bound:
                            bound = self._offer(
                                candidates, prefix, k, k, mass, factor, state, after, bound
                            )
            else:
                for k, factor, after in self._children(place):
                    mass = (repeat if last == k else other) * row[k] * factor
                    if mass > bound:
                        bound = self._offer(
                            candidates, prefix, k, k, mass, factor, state, after, bound
                        )
            k, ended = separator, None
            if k != 0 and reach * row[k] > bound:
                if place != ROOT:
                    ended = self._word_ends(place, state)
                    for word, factor, after in ended:
                        mass = (repeat if last == k else other) * row[k] * factor
                        if mass > bound:
                            bound = self._offer(
                                candidates, prefix, k + K * (1 + word), k,
                                mass, factor, after, ROOT, bound,
                            )  # fmt: skip
                elif model.optional:
                    mass = (repeat if last == k else other) * row[k]
                    if mass > bound:
                        bound = self._offer(candidates, prefix, k, k, mass, 1.0, state, ROOT, bound)
            if (k == 0 or model.optional) and place != ROOT:
                if ended is None:
                    ended = self._word_ends(place, state)
                for k, begun, after in self._children(ROOT) if ended else ():
                    if reach * row[k] <= bound:
                        continue
                    for word, finished, context in ended:
                        factor = finished * begun
                        mass = (repeat if last == k else other) * row[k] * factor
                        if mass > bound:
                            bound = self._offer(
                                candidates, prefix, k + K * (1 + word), k,
                                mass, factor, context, after, bound,
                            )  # fmt: skip
        return self._fitting(candidates, bound)

    def _children(self, node: int) -> list[tuple[int, float, int]]:
        """Label, factor and node of each child in the lexicon's trie."""
        if node not in self._below:
            model = self.model
            own = slice(model.child_starts[node], model.child_starts[node + 1])
            self._below[node] = list(
                zip(
                    model.child_labels[own].tolist(),
                    model.child_factors[own].tolist(),
                    model.child_nodes[own].tolist(),
                    strict=True,
                )
            )
        return self._below[node]

    def _word_ends(self, node: int, state: int) -> list[tuple[int, float, int]]:
        """The words that may end at a node: word, factor, language model state after it."""
        if node == ROOT:
            return []
        if (node, state) not in self._ended:
            model = self.model
            words = model.word_ids[model.word_starts[node] : model.word_starts[node + 1]].tolist()
            unknown = not words and model.unknown > 0.0
            ended = []
            for word in [len(model.ngrams.columns) - 1] if unknown else words:
                log_prob, after = ngram_step(model.ngrams, state, word)
                factor = math.exp(model.weight * log_prob + model.bonus) / float(model.look[node])
                ended.append((word, factor * model.unknown if unknown else factor, after))
            self._ended[node, state] = ended
        return self._ended[node, state]

    def _best_factor(self, place: int, state: int) -> float:
        top = max(1.0, self.model.top)
        if place == ROOT:
            return top
        behind = top if self.model.separator == 0 or self.model.optional else 1.0
        best = 1.0
        for _, factor, _ in self._word_ends(place, state):
            best = max(best, factor * behind)
        return best

    def _endings(self) -> list[tuple[float, int, int]]:
        """Mass, slot and last word for each way in which the utterance may end here."""
        model, ends = self.model, []
        for s, prefix in enumerate(self.beam):
            mass = prefix.blank + prefix.label
            if prefix.place == ROOT and (model.optional or prefix is self.empty):
                ends.append((mass * float(model.final[prefix.state]), s, 0))
            for word, factor, after in self._word_ends(prefix.place, prefix.state):
                ends.append((mass * factor * float(model.final[after]), s, 1 + word))
        return ends
