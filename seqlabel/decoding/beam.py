"""Prefix beam search: the most probable labellings, summed over their paths."""

import logging
import threading
from functools import cached_property
from typing import Any

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.background import Compilation
from seqlabel.decoding.checks import (
    batch_probabilities,
    check_batch,
    check_chunk,
    check_n_best,
    frame_probabilities,
    positive_integer,
)
from seqlabel.decoding.lexicon.lexicon import Lexicon
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.decoding.pruning import check_pruning
from seqlabel.decoding.results import Result
from seqlabel.decoding.search.labels import LabelSearch
from seqlabel.decoding.search.plain import PlainLabelSearch
from seqlabel.decoding.search.spans import span_kernels
from seqlabel.decoding.search_space import SearchSpace
from seqlabel.decoding.spelling import Spelling
from seqlabel.decoding.stream import BeamStream
from seqlabel.decoding.threads import Memory, Threads, cores, groups
from seqlabel.errors import InputError

log = logging.getLogger("seqlabel")

PATIENCE = 2.0
"""Seconds that a batch may take the plain search; for longer ones waiting for the compiler, which
takes twice as long, is sooner."""


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
        self.alphabet = alphabet
        self.beam = positive_integer("beam", beam)
        if threads is not None:
            threads = positive_integer("threads", threads)
        self.pruning = check_pruning(label_count, label_min_prob, beam_threshold)
        self.space = SearchSpace(
            alphabet,
            lm=lm,
            lexicon=lexicon,
            unknown_penalty=unknown_penalty,
            lm_weight=lm_weight,
            bonus=bonus,
        )
        if device not in ("cpu", "cuda"):
            raise InputError(f'device is {device!r}, expected "cpu" or "cuda"')
        if device == "cuda" and (lm or lexicon or bonus or beam_threshold is not None):
            raise InputError(
                'device "cuda" knows no lm, lexicon, bonus or beam_threshold; use device "cpu"'
            )
        self.device = device
        self.lexicon = lexicon
        self.spelling = Spelling(alphabet, lexicon)
        self._threads = Threads(threads or cores())
        self._local = threading.local()

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
        self._await_kernels(log_probs, int(lengths.sum()))
        # Uncompiled, a search holds the interpreter lock.
        threads = self._threads.count if self.kernels("batch").ready else 1
        runs = groups(len(log_probs), log_probs[0].size, self._threads.count)

        def work() -> None:
            worker = self._worker()
            for run in runs:
                results[run] = self._search(worker, log_probs, lengths, run, n_best)

        self._threads.run(work, min(threads, len(log_probs)))
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
        probs, odd = triton_beam.probabilities(
            x, lengths, self.pruning.label_min_prob, self.pruning.label_count
        )
        for b in odd:
            frame_probabilities(log_probs[b, : lengths[b]], f"utterance {b}")
        hypotheses = triton_beam.search_each(probs, lengths, self.beam, n_best)
        return self.spelling.results(hypotheses, log_probs, lengths)

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
        probs = batch_probabilities(frames, own, names, worker.memory.of(frames.shape), odd)
        self.pruning.cut(probs)
        hypotheses = None
        if not kernels.ready:
            hypotheses = worker.plain.each(probs, own, n_best, lambda: kernels.ready)
        if hypotheses is None:
            hypotheses = worker.search.each(probs, own, n_best)
        return self.spelling.results(hypotheses, log_probs, lengths, group.start)

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
        return self.space.kernels(purpose)

    def check(self, chunk: np.ndarray) -> None:
        """Check the shape of a chunk of frames (T, K); raises InputError."""
        check_chunk(chunk, len(self.alphabet))

    def probabilities(self, log_probs: np.ndarray, name: str) -> np.ndarray:
        """Probabilities of frames (T, K) for the search: float64, pruned labels zero."""
        return self.pruning.cut(frame_probabilities(log_probs, name))

    def search(self) -> LabelSearch:
        """A compiled search of its own, ready for an utterance."""
        return self.space.search(self.beam, self.pruning.floor)

    def plain_search(self) -> PlainLabelSearch:
        """The same search without the compiler."""
        return self.space.plain_search(self.beam, self.pruning.floor)

    def _worker(self) -> "_Worker":
        """This thread's own: what another has just written would be far from this core."""
        if not hasattr(self._local, "worker"):
            self._local.worker = _Worker(self)
        worker: _Worker = self._local.worker
        return worker


class _Worker:
    """The searches and the memory of one thread, kept from utterance to utterance."""

    def __init__(self, decoder: BeamDecoder) -> None:
        self._decoder = decoder
        self.memory = Memory()

    @cached_property
    def search(self) -> LabelSearch:
        return self._decoder.search()

    @cached_property
    def plain(self) -> PlainLabelSearch:
        return self._decoder.plain_search()


def plain_seconds(beam: int) -> float:
    """About what a frame takes the plain search on posteriors of a trained network."""
    return 2e-5 + 1e-6 * beam
