"""Prefix beam search: the most probable labellings, summed over their paths."""

import os
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.decoding.beam_search import LabelSearch
from seqlabel.decoding.beam_spans import best_path_spans
from seqlabel.decoding.checks import check_batch, frame_probabilities
from seqlabel.decoding.results import Result, Span
from seqlabel.errors import InputError


class BeamDecoder:
    """The most probable labellings by prefix beam search.

    beam: the number of prefixes kept from frame to frame; with enough of them the result is
        exact. label_count, label_min_prob: in each frame only so many labels, the most probable,
        and only labels with at least that probability count; the others have probability zero
        there (the blank always counts). beam_threshold: prefixes whose natural log-score is
        further than this below the frame's best are dropped. threads: at most so many utterances
        at a time; None for one on each core.
    Raises InputError for options outside their range.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        beam: int = 100,
        *,
        label_count: int | None = None,
        label_min_prob: float = 0.0,
        beam_threshold: float | None = None,
        threads: int | None = None,
    ) -> None:
        for name, value in (
            ("beam", beam),
            ("label_count", label_count),
            ("threads", threads),
        ):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}, at least 1 is expected")
        if not 0 <= label_min_prob < 1:
            raise InputError(f"label_min_prob is {label_min_prob}, expected 0 <= value < 1")
        if beam_threshold is not None and not beam_threshold > 0:
            raise InputError(f"beam_threshold is {beam_threshold}, expected more than 0 (nats)")
        self.alphabet = alphabet
        self.beam = beam
        self.label_count = label_count
        self.label_min_prob = label_min_prob
        self.beam_threshold = beam_threshold
        self.threads = threads or len(os.sched_getaffinity(0))
        self._idle: SimpleQueue[LabelSearch] = SimpleQueue()

    def decode(self, log_probs: Any, lengths: Any, n_best: int = 1) -> list[Result]:
        """Decode a batch; the best labelling of each utterance, with n_best - 1 alternatives.

        log_probs: (B, T, K) natural log-probabilities, an array or tensor, float32 or float64;
        lengths: (B,) integers, the frames of each utterance. `spans` are those of the most
        probable path of the best labelling. An utterance without a possible path (a frame of
        -inf only) has no labels and log_prob -inf. Raises InputError for bad input, see
        `seqlabel.decoding.checks`.
        """
        if n_best < 1:
            raise InputError(f"n_best is {n_best}, at least 1 is expected")
        log_probs, lengths = check_batch(log_probs, lengths, len(self.alphabet))

        def one(b: int) -> Result:
            return self._decode(log_probs[b, : lengths[b]], f"utterance {b}", n_best)

        threads = min(self.threads, len(log_probs))
        if threads == 1:
            return [one(b) for b in range(len(log_probs))]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(len(log_probs))))

    def _decode(self, log_probs: np.ndarray, name: str, n_best: int) -> Result:
        probs = self._cut(frame_probabilities(log_probs, name))
        search = self._search()
        search.reset()
        search.advance(probs)
        hypotheses = search.best(n_best)
        self._idle.put(search)
        if not hypotheses:
            return Result((), -np.inf)
        first, *others = (self._result(*hypothesis) for hypothesis in hypotheses)
        spans = best_path_spans(probs, hypotheses[0].labels)
        spans = tuple(
            Span(*span)
            for span in zip(first.labels, *(column.tolist() for column in spans), strict=True)
        )
        return Result(first.labels, first.log_prob, spans, tuple(others), first.text)

    def _search(self) -> LabelSearch:
        if self._idle.empty():
            return LabelSearch(len(self.alphabet), self.beam, self.beam_threshold or np.inf)
        return self._idle.get()

    def _result(self, labels: np.ndarray, log_prob: float) -> Result:
        symbols = self.alphabet.decode(labels.tolist())
        return Result(symbols, log_prob, text=self.alphabet.text(symbols))

    def _cut(self, probs: np.ndarray) -> np.ndarray:
        """Give the labels that the cuts leave out probability zero, in place."""
        labels = probs[:, BLANK + 1 :]
        if self.label_min_prob > 0:
            labels[labels < self.label_min_prob] = 0.0
        if self.label_count is not None and self.label_count < labels.shape[1]:
            least = np.partition(labels, -self.label_count, axis=1)[:, -self.label_count]
            labels[labels < least[:, None]] = 0.0
        return probs
