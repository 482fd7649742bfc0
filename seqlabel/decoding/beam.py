"""Prefix beam search: the most probable labellings, summed over their paths."""

import logging
import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numba import typeof

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.decoding.background import Compilation, compiled
from seqlabel.decoding.checks import (
    batch_probabilities,
    check_batch,
    check_chunk,
    check_n_best,
    frame_probabilities,
    positive_integer,
    real_number,
)
from seqlabel.decoding.lexicon.lexicon import Lexicon
from seqlabel.decoding.lexicon.words import WordModel, word_model
from seqlabel.decoding.lm.labels import LabelLM, bonus_only, label_lm
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.decoding.results import Result, Span, make_spans
from seqlabel.decoding.search.hypothesis import Hypothesis, most_words
from seqlabel.decoding.search.labels import LabelSearch
from seqlabel.decoding.search.plain import PlainLabelSearch
from seqlabel.decoding.search.plain_words import PlainWordSearch
from seqlabel.decoding.search.spans import label_spans, span_kernels
from seqlabel.decoding.search.words import WordSearch
from seqlabel.decoding.stream import BeamStream
from seqlabel.errors import InputError

log = logging.getLogger("seqlabel")

LARGEST_WEIGHT = 100.0
LARGEST_BONUS = 80.0
"""Maximum bonus in nats, so that factors are in the range of float32."""

GROUP_SIZE = 2**20
"""Probabilities, float64, of the utterances that a thread takes at a time, at most."""

PATIENCE = 2.0
"""Seconds that a batch may take the plain search; for longer ones waiting for the compiler, which
takes twice as long, is sooner."""

NO_LABELS = np.empty(0, np.int32)


class BeamDecoder:
    """The most probable labellings by prefix beam search.

    The search is compiled at its first call, in a thread beside it, and kept on disk. Until then a
    search in plain Python, with the same results, serves small batches and streams.

    beam: the number of prefixes kept from frame to frame; with enough of them the result is exact.
    lm: an n-gram model over the symbols of the alphabet; the score of a labelling is then
        ln p(labels | x) + lm_weight ln p_lm(labels) + bonus (number of labels),
        with <s> before and </s> after the labels.
    lexicon: only labellings that spell its words; `lm` and `bonus` then apply to words instead of
        labels. If no such labelling is in the beam at the end, the result is the best prefix of
        one: its text has the finished words and the labels of the unfinished one.
    unknown_penalty: cost in nats of a word outside the lexicon, in addition to <unk> in the model;
        None allows no such words. Needs a lexicon with a separator that is not optional.
    label_count, label_min_prob: use only the so many most probable labels of each frame, and only
        labels with at least that probability; the others have probability zero (the blank is
        always used).
    beam_threshold: prefixes whose score is further than this below the frame's best are dropped.
    threads: maximum number of threads, one utterance each; None for the number of cores.
    device: "cuda" searches on the GPU, without `lm`, `lexicon`, `bonus` and `beam_threshold`, see
        `seqlabel.decoding.search.triton_beam`; it needs torch with triton. Streams are searched on
        the CPU.
    Raises InputError for options outside their range, and for a lexicon with too many words: their
    number, plus 2, times that of the labels with the blank is at most 2^32.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        beam: int = 100,
        *,
        lm: NgramLM | None = None,
        lexicon: Lexicon | None = None,
        unknown_penalty: float | None = None,
        lm_weight: float = 1.0,
        bonus: float = 0.0,
        label_count: int | None = None,
        label_min_prob: float = 0.0,
        beam_threshold: float | None = None,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        beam = positive_integer("beam", beam)
        if label_count is not None:
            label_count = positive_integer("label_count", label_count)
        if threads is not None:
            threads = positive_integer("threads", threads)
        if beam_threshold is not None:
            beam_threshold = real_number("beam_threshold", beam_threshold)
        label_min_prob = real_number("label_min_prob", label_min_prob)
        lm_weight, bonus = real_number("lm_weight", lm_weight), real_number("bonus", bonus)
        if lm is not None and not isinstance(lm, NgramLM):
            raise InputError(f"lm is {lm!r}, expected an NgramLM, as NgramLM.from_arpa gives")
        if lexicon is not None and not isinstance(lexicon, Lexicon):
            raise InputError(f"lexicon is a {type(lexicon).__name__}, expected a Lexicon")
        if not 0 <= label_min_prob < 1:
            raise InputError(f"label_min_prob is {label_min_prob}, expected 0 <= value < 1")
        if beam_threshold is not None and not beam_threshold > 0:
            raise InputError(f"beam_threshold is {beam_threshold}, expected more than 0 (nats)")
        if not 0 <= lm_weight <= LARGEST_WEIGHT:
            raise InputError(f"lm_weight is {lm_weight}, expected 0 to {LARGEST_WEIGHT:g}")
        if not -LARGEST_BONUS <= bonus <= LARGEST_BONUS:
            raise InputError(
                f"bonus is {bonus}, expected {-LARGEST_BONUS:g} to {LARGEST_BONUS:g} nats"
            )
        if device not in ("cpu", "cuda"):
            raise InputError(f'device is {device!r}, expected "cpu" or "cuda"')
        if device == "cuda" and (lm or lexicon or bonus or beam_threshold is not None):
            raise InputError(
                'device "cuda" knows no lm, lexicon, bonus or beam_threshold; use device "cpu"'
            )
        self.alphabet = alphabet
        self.beam = beam
        self.device = device
        self.label_count = label_count
        self.label_min_prob = label_min_prob
        self.floor = 0.0 if beam_threshold is None else math.exp(-beam_threshold)
        self.threads = threads or _cores()
        self.lexicon = lexicon
        self._start = lm.start if lm is not None and lm_weight > 0 else 0
        self._words: WordModel | None = None
        self._lm: LabelLM | None = None
        if unknown_penalty is not None:
            unknown_penalty = real_number("unknown_penalty", unknown_penalty)
            _check_open(lexicon, unknown_penalty)
        if lexicon is not None:
            if lexicon.alphabet.symbols != alphabet.symbols:
                raise InputError(f"{lexicon.name}: made for another alphabet than the decoder's")
            if len(lexicon) > (most := most_words(len(alphabet))):
                raise InputError(
                    f"{lexicon.name}: {len(lexicon)} words are too many for {len(alphabet)} labels "
                    f"with the blank; keep at most {most}, the most frequent ones"
                )
            if lm_weight == 0:
                lm = None
            self._words = word_model(lexicon, lm, lm_weight, bonus, unknown_penalty)
        elif lm is not None and lm_weight > 0:
            self._lm = label_lm(alphabet, lm, lm_weight, bonus)
        elif bonus != 0:
            self._lm = bonus_only(alphabet, bonus)
        self._local = threading.local()
        self._others: tuple[int, ThreadPoolExecutor] | None = None
        self._kernels: dict[str, Compilation] = {}

    def decode(self, log_probs: Any, lengths: Any, n_best: int = 1) -> list[Result]:
        """Decode a batch; the best labelling of each utterance, with n_best - 1 alternatives.

        log_probs: (B, T, K) natural log-probabilities, an array or tensor, float32 or float64;
        lengths: (B,) integers, the frames of each utterance. `spans` are those of the most
        probable path of the best labelling. An utterance without a possible path (a frame of
        -inf only) has no labels and log_prob -inf. Raises InputError for bad input, see
        `seqlabel.decoding.checks`.
        """
        n_best = check_n_best(n_best)
        given = log_probs
        log_probs, lengths = check_batch(log_probs, lengths, len(self.alphabet))
        if self.device == "cuda":
            return self._decode_on_gpu(given, log_probs, lengths, n_best)
        results: list[Any] = [None] * len(log_probs)
        groups = _groups(len(log_probs), log_probs[0].size, self.threads)
        self._await_kernels(log_probs, int(lengths.sum()))

        def work() -> None:
            worker = self._worker()
            for group in groups:
                results[group] = self._search(worker, log_probs, lengths, group, n_best)

        others = min(self.threads, len(log_probs)) - 1 if self.kernels("batch").ready else 0
        if others == 0:
            work()
        else:
            pool = self._pool()
            running = [pool.submit(work) for _ in range(others)]
            work()
            for other in running:
                other.result()
        return results

    def _decode_on_gpu(
        self, given: Any, log_probs: np.ndarray, lengths: np.ndarray, n_best: int
    ) -> list[Result]:
        """As `decode`; given: the log-probabilities as they came, perhaps on the GPU."""
        try:
            from seqlabel.decoding.search import triton_beam
        except ImportError as error:
            raise InputError(
                f'device "cuda" needs torch with triton ({error}); use device "cpu"'
            ) from None
        if (cause := triton_beam.why_not()) is not None:
            raise InputError(f'device "cuda": {cause}; use device "cpu"')
        x = triton_beam.on_device(given, log_probs)
        probs, odd = triton_beam.probabilities(x, lengths, self.label_min_prob, self.label_count)
        for b in odd:
            frame_probabilities(log_probs[b, : lengths[b]], f"utterance {b}")
        hypotheses = triton_beam.search_each(probs, lengths, self.beam, n_best)
        return self.results(hypotheses, log_probs, lengths)

    def stream(self) -> BeamStream:
        """Begin an utterance with frames in chunks, see `seqlabel.decoding.stream`."""
        return BeamStream(self)

    def _search(
        self,
        worker: "_Worker",
        log_probs: np.ndarray,
        lengths: np.ndarray,
        group: slice,
        n_best: int,
    ) -> list[Result]:
        """The results of the utterances of a group.

        Little of it needs the interpreter lock, so that threads wait little.
        """
        own = lengths[group]
        frames = log_probs[group, : own.max()]
        names = range(group.start, group.stop)
        kernels = self.kernels("batch")
        odd = worker.search.odd if kernels.ready else None
        probs = batch_probabilities(frames, own, names, worker.memory(frames.shape), odd)
        self._cut(probs)
        hypotheses = None
        if not kernels.ready:
            hypotheses = worker.plain.each(probs, own, n_best, lambda: kernels.ready)
        if hypotheses is None:
            hypotheses = worker.search.each(probs, own, n_best)
        return self.results(hypotheses, log_probs, lengths, group.start)

    def _await_kernels(self, log_probs: np.ndarray, frames: int) -> None:
        """Wait for the compiled search where that is sooner than to go without."""
        kernels = self.kernels("batch")
        if kernels.ready or frames * plain_seconds(self.beam) <= PATIENCE:
            return
        log.warning("compiling the beam search (about 5 s, then cached)")
        spans = span_kernels(log_probs.dtype, log_probs.flags.writeable)
        kernels.wait()
        spans.wait()

    def kernels(self, purpose: str) -> Compilation:
        """The compiled search, for the `purpose` "batch" or "stream"; compiled from now on."""
        if purpose not in self._kernels:
            model: Any = self._lm if self._words is None else self._words

            def work() -> None:
                self.search(width=1).warm_up(purpose)

            key = (purpose, typeof(model))  # type: ignore[no-untyped-call]
            kind = LabelSearch if self._words is None else WordSearch
            self._kernels[purpose] = compiled(key, work, kind.MAIN[purpose])
        return self._kernels[purpose]

    def check(self, chunk: np.ndarray) -> None:
        """Check the shape of a chunk of frames (T, K); raises InputError."""
        check_chunk(chunk, len(self.alphabet))

    def probabilities(self, log_probs: np.ndarray, name: str) -> np.ndarray:
        """Probabilities of frames (T, K) for the search: float64, pruned labels zero."""
        return self._cut(frame_probabilities(log_probs, name))

    def results(
        self,
        hypotheses: list[list[Hypothesis]],
        log_probs: np.ndarray,
        lengths: np.ndarray,
        first: int = 0,
    ) -> list[Result]:
        """What the hypotheses of utterance `first` of (B, T, K), and of those behind it, say.

        The labels of all are made symbols and spans at once, which is several times faster.
        """
        labels = np.concatenate([own[0].labels if own else NO_LABELS for own in hypotheses])
        ends = list(accumulate(len(own[0].labels) if own else 0 for own in hypotheses))
        symbols = self.alphabet.decode(labels.tolist())
        spans = make_spans(symbols, *label_spans(log_probs, lengths, first, labels, ends))
        return [
            self._result(own, symbols[begin:end], spans[begin:end])
            for own, begin, end in zip(hypotheses, [0, *ends], ends, strict=False)
        ]

    def partial(self, hypotheses: list[Hypothesis]) -> Result:
        """The first hypothesis alone, without spans."""
        if not hypotheses:
            return Result((), -math.inf)
        return self._alternative(hypotheses[0])

    def _result(
        self, hypotheses: list[Hypothesis], labels: tuple[str, ...], spans: tuple[Span, ...]
    ) -> Result:
        """The first hypothesis, with its labels and spans, and the others as alternatives."""
        if not hypotheses:
            return Result((), -math.inf)
        first, *others = hypotheses
        text, words = self._text(first, labels), self._word_spans(first, spans)
        alternatives = tuple(map(self._alternative, others))
        return Result(labels, first.log_prob, spans, alternatives, text, words)

    def _alternative(self, hypothesis: Hypothesis) -> Result:
        labels = self.alphabet.decode(hypothesis.labels.tolist())
        return Result(labels, hypothesis.log_prob, text=self._text(hypothesis, labels))

    def _pool(self) -> ThreadPoolExecutor:
        """The other threads, kept from call to call; those of a parent process are not ours."""
        if self._others is None or self._others[0] != os.getpid():
            self._others = os.getpid(), ThreadPoolExecutor(self.threads - 1)
        return self._others[1]

    def _worker(self) -> "_Worker":
        """This thread's own: what another has just written would be far from this core."""
        if not hasattr(self._local, "worker"):
            self._local.worker = _Worker(self)
        worker: _Worker = self._local.worker
        return worker

    def search(self, width: int | None = None) -> LabelSearch:
        """A compiled search of its own, ready for an utterance."""
        K, W = len(self.alphabet), width or self.beam
        if self._words is not None:
            return WordSearch(K, W, self._words, self._start, self.floor)
        return LabelSearch(K, W, self._lm, self._start, self.floor)

    def plain_search(self) -> PlainLabelSearch:
        """The same search without the compiler."""
        K, W = len(self.alphabet), self.beam
        if self._words is not None:
            return PlainWordSearch(K, W, self._words, self._start, self.floor)
        return PlainLabelSearch(K, W, self._lm, self._start, self.floor)

    def _text(self, hypothesis: Hypothesis, labels: tuple[str, ...]) -> str:
        """The words, and the labels of a word that is not finished."""
        if self.lexicon is None:
            return self.alphabet.text(labels)
        words = [word for word, _, _ in self._spelled(hypothesis)]
        end = hypothesis.words[-1][2] if words else 0
        begun = [label for label in labels[end:] if label != self.lexicon.separator]
        return " ".join([*words, self.alphabet.text(begun)] if begun else words)

    def _spelled(self, hypothesis: Hypothesis) -> Iterator[tuple[str, int, int]]:
        """Each word with its first label and the one behind its last."""
        words = () if self.lexicon is None else self.lexicon.words
        for number, first, end in hypothesis.words:
            if number < len(words):
                yield words[number], first, end
            else:
                yield (
                    self.alphabet.text(self.alphabet.decode(hypothesis.labels[first:end])),
                    first,
                    end,
                )

    def _word_spans(self, hypothesis: Hypothesis, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(
            Span(
                word,
                spans[first].start,
                spans[end - 1].end,
                min(span.probability for span in spans[first:end]),
            )
            for word, first, end in self._spelled(hypothesis)
        )

    def _cut(self, probs: np.ndarray) -> np.ndarray:
        """Set pruned labels to probability zero, in place."""
        if self.label_min_prob > 0:
            blank = probs[..., BLANK].copy()
            np.putmask(probs, probs < self.label_min_prob, 0.0)  # twice as fast as by index
            probs[..., BLANK] = blank
        labels = probs[..., BLANK + 1 :]
        if self.label_count is not None and self.label_count < labels.shape[-1]:
            least = np.partition(labels, -self.label_count)[..., -self.label_count]
            labels[labels < least[..., None]] = 0.0
        return probs


class _Worker:
    """The searches and the memory of one thread, kept from utterance to utterance."""

    def __init__(self, decoder: BeamDecoder) -> None:
        self._decoder = decoder
        self._memory = np.empty(0)

    @cached_property
    def search(self) -> LabelSearch:
        return self._decoder.search()

    @cached_property
    def plain(self) -> PlainLabelSearch:
        return self._decoder.plain_search()

    def memory(self, shape: tuple[int, ...]) -> np.ndarray:
        """Reused memory for float64 numbers, because fresh memory is slow."""
        size = math.prod(shape)
        if self._memory.size < size:
            self._memory = np.empty(size)
        return self._memory[:size].reshape(shape)


def _groups(count: int, size: int, threads: int) -> Iterator[slice]:
    """Runs of utterances, to be decoded one after the other by one thread.

    size: numbers of an utterance, padding included. Runs are long, as each costs the threads a turn
    with the interpreter lock, and shorter towards the end, where threads would wait for the last.
    """
    runs, first = [], 0
    while first < count:
        left = count - first
        share = left if threads == 1 else max(-(-2 * left // (3 * threads)), 1 + (left > threads))
        end = min(first + max(1, min(GROUP_SIZE // size, share)), count)
        runs.append(slice(first, end))
        first = end
    return iter(runs)


def plain_seconds(beam: int) -> float:
    """About what a frame takes the plain search on posteriors of a trained network."""
    return 2e-5 + 1e-6 * beam


def _check_open(lexicon: Lexicon | None, penalty: float) -> None:
    if not -LARGEST_BONUS <= penalty < math.inf:
        raise InputError(
            f"unknown_penalty is {penalty}, expected a finite number from {-LARGEST_BONUS:g}"
        )
    if lexicon is None or lexicon.separator is None or lexicon.optional:
        raise InputError(
            "unknown_penalty needs a lexicon whose words always have a separator between them"
        )


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
