"""Decoding while the signal comes in, chunk by chunk."""

from typing import Any, Protocol

import numpy as np

from seqlabel.decoding.background import Compilation
from seqlabel.decoding.checks import as_array, check_n_best
from seqlabel.decoding.results import Result
from seqlabel.decoding.search.hypothesis import Hypothesis
from seqlabel.decoding.search.labels import LabelSearch
from seqlabel.decoding.search.plain import PlainLabelSearch
from seqlabel.decoding.spelling import Spelling
from seqlabel.errors import InputError


class StreamingDecoder(Protocol):
    """What a stream uses of a decoder."""

    spelling: Spelling

    def check(self, chunk: np.ndarray) -> None: ...

    def kernels(self, purpose: str) -> Compilation: ...

    def search(self) -> LabelSearch: ...

    def plain_search(self) -> PlainLabelSearch: ...

    def probabilities(self, log_probs: np.ndarray, name: str) -> np.ndarray: ...


class BeamStream:
    """A beam search of a stream. `finish` gives the result of a single call, whatever the chunks.

    stream = decoder.stream()
    stream.push(chunk)          # (T, K) natural log-probabilities, any T
    stream.partial().text       # the best labelling so far
    stream.stable()             # its first labels, which will not change any more
    result = stream.finish()
    """

    def __init__(self, decoder: StreamingDecoder) -> None:
        self._decoder, self._kernels = decoder, decoder.kernels("stream")
        self._plain = not self._kernels.ready
        self._search: LabelSearch | PlainLabelSearch
        self._search = decoder.plain_search() if self._plain else decoder.search()
        self._chunks: list[np.ndarray] = []

    def push(self, log_probs: Any) -> None:
        """Read frames; InputError as in `decode`, in which case none of them is read."""
        chunk = np.ascontiguousarray(as_array(log_probs))
        self._decoder.check(chunk)
        if self._plain and self._kernels.ready:
            self._begin_anew()
        name = f"the chunk from frame {self._search.frames} on"
        self._search.advance(self._decoder.probabilities(chunk, name))
        self._chunks.append(chunk.copy())

    def partial(self) -> Result:
        """The best labelling so far, the end of the sentence left open; no spans.

        With a lexicon the text is the finished words and the labels of the unfinished one.
        """
        return self._decoder.spelling.partial(self._search.best(1, final=False))

    def stable(self) -> tuple[str, ...]:
        """The labels that every later result begins with (unless a frame makes all impossible)."""
        return self._decoder.spelling.partial([Hypothesis(self._search.stable(), 0.0)]).labels

    def check_n_best(self, n_best: int) -> None:
        """Raise InputError unless it is an integer of at least 1."""
        check_n_best(n_best)

    def finish(self, n_best: int = 1) -> Result:
        """The result of all frames pushed. Raises InputError if there are none."""
        n_best = check_n_best(n_best)
        if not self._search.frames:
            raise InputError("no frames were pushed; push some before finish()")
        hypotheses = self._search.best(n_best)
        frames = np.concatenate(self._chunks)[None]
        return self._decoder.spelling.results([hypotheses], frames, np.array([frames.shape[1]]))[0]

    def _begin_anew(self) -> None:
        """Read all frames again with the compiled search, which takes it no time to speak of."""
        self._search, self._plain = self._decoder.search(), False
        for chunk in self._chunks:
            self._search.advance(self._decoder.probabilities(chunk, "the frames read before"))
