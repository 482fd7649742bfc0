"""Recognition while the signal comes in.

stream = model.stream()             # or model.stream(decoder, endpoints=Endpoints())
stream.push(samples)                # any number of samples, even 0
stream.partial().text               # the best labelling so far
stream.stable                       # its first labels, which will not change any more
result = stream.finish()            # the result of model.read for the whole signal

The result does not depend on the pieces, bit for bit; it has the labels of the whole signal, and
its probabilities up to rounding. Requirements for streaming:

    features        see `seqlabel.features.stream`
    network         in one direction, or latency-controlled: see `seqlabel.lstm.chunks`
    criterion       CTC or framewise
    decoder         greedy, or a beam search with or without n-gram and lexicon
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import Result
from seqlabel.decoding.strokes import with_strokes
from seqlabel.errors import InputError
from seqlabel.features.stream import FrontEndStream


class NetworkStream(Protocol):
    """A network over frames in pieces."""

    def push(self, x: np.ndarray, /) -> np.ndarray:
        """x (n, F) float32 -> the outputs (m, K) that they determine."""

    def finish(self) -> np.ndarray:
        """The remaining outputs; then it is reset."""

    def reset(self) -> None:
        """Begin another signal."""


class DecoderStream(Protocol):
    """A decoder over frames in pieces, see `seqlabel.decoding.stream`."""

    def push(self, log_probs: Any, /) -> None: ...

    def partial(self) -> Result: ...

    def stable(self) -> tuple[str, ...]: ...

    def check_n_best(self, n_best: int, /) -> None:
        """Raise InputError for a number that `finish` refuses."""

    def finish(self, n_best: int = 1, /) -> Result: ...


@runtime_checkable
class StreamableDecoder(Protocol):
    """A decoder that can stream."""

    def stream(self) -> DecoderStream: ...


@dataclass(frozen=True)
class Endpoints:
    """When an utterance of speech ends, in seconds; after Kaldi's rules for online decoding.

    A frame is silent if the blank, or a label in `silence`, is the most probable. The utterance
    ends at the first frame after which

        trailing    it has been silent so long after some labels
        before      it has been silent so long from its beginning: it is dropped without a result
        longest     it has lasted so long, and the frame is silent

    (inf: never), and the next frame begins the next utterance, at zero state as in training. A
    bidirectional network has nevertheless used its look-ahead after the end.
    """

    trailing: float = 1.0
    before: float = 5.0
    longest: float = 30.0
    silence: tuple[str, ...] = (" ", "sil", "h#", "pau")

    def __post_init__(self) -> None:
        if not all(seconds > 0 for seconds in (self.trailing, self.before, self.longest)):  # or NaN
            raise InputError("endpoints: trailing, before and longest must be above 0 seconds")

    def silent(self, alphabet: Alphabet) -> np.ndarray:
        """(K,) whether a label counts as silence."""
        return np.array([True, *(symbol in self.silence for symbol in alphabet.symbols)])


class _Rules:
    """Endpoints over the outputs of one utterance after the other."""

    def __init__(self, endpoints: Endpoints, alphabet: Alphabet, period: float) -> None:
        self._silent = endpoints.silent(alphabet)
        seconds = endpoints.trailing, endpoints.before, endpoints.longest
        self._trailing, self._before, self._longest = (s / period - 1e-9 for s in seconds)  # frames
        self.begin()

    def begin(self) -> None:
        """The next utterance."""
        self.said = False
        self._frames = self._still = 0

    def end(self, outputs: np.ndarray) -> int | None:
        """How many of the next outputs (n, K) there are up to an end, None if there is no end."""
        for n, silent in enumerate(self._silent[outputs.argmax(axis=1)].tolist(), 1):
            self._frames += 1
            self._still = self._still + 1 if silent else 0
            self.said = self.said or not silent
            if silent and self._still >= (self._trailing if self.said else self._before):
                return n
            if silent and self._frames >= self._longest:
                return n
        return None


class Stream:
    """A signal in pieces through front end, network and decoder, made by `Recognizer.stream`.

    subsample: frames that become one of the network's outputs.
    """

    def __init__(
        self,
        front_end: FrontEndStream,
        network: NetworkStream,
        decoder: StreamableDecoder,
        alphabet: Alphabet,
        subsample: int = 1,
        endpoints: Endpoints | None = None,
    ) -> None:
        self._front_end, self._network, self._decoder = front_end, network, decoder
        self._every, self._inkless = subsample, alphabet.inkless
        self._rules: _Rules | None = None
        if endpoints is not None:
            self._rules = _Rules(endpoints, alphabet, front_end.period * subsample)
        self._first = 0  # frame that the present utterance begins with
        self._outputs = 0  # of the network in this utterance
        self._frames: np.ndarray | None = None  # of no output yet; the next utterance's, maybe
        self._decoding = decoder.stream()

    def push(self, signal: Any, pen_up: bool = False) -> list[Result]:
        """Take more of the signal.

        Speech: samples (n,) in [-1, 1] or int16, at the model's rate. Ink: points (n, 2 to 4) of
        one stroke, which ends after them with `pen_up`. n may be 0.
        Returns the utterances that endpoints ended; none without endpoints.
        Raises InputError for unusable input, none of which is then taken; a stroke without features
        is dropped.
        """
        frames = self._front_end.push(signal, pen_up)
        outputs = self._network.push(frames)
        ended: list[Result] = []
        if self._rules is None:
            self._decode(outputs)
            return ended
        waiting = frames if self._frames is None else np.concatenate([self._frames, frames])
        while (end := self._rules.end(outputs)) is not None:
            self._decode(outputs[:end])
            if self._rules.said:
                ended.append(self._result(1))
            self._first += self._outputs * self._every
            self._outputs = 0
            self._decoding = self._decoder.stream()
            self._rules.begin()
            waiting = waiting[end * self._every :]
            self._network.reset()
            outputs = self._network.push(waiting)
        self._decode(outputs)
        self._frames = waiting[len(outputs) * self._every :].copy()
        return ended

    def partial(self, spans: bool = False) -> Result:
        """The best labelling so far of the present utterance, its end left open.

        spans: say where the labels lie, as if the utterance ended here, and which of the strokes
        that have ended they were read from; this takes time in proportion to its length.
        """
        return self._result(1) if spans and self._outputs else self._decoding.partial()

    @property
    def stable(self) -> tuple[str, ...]:
        """The labels that every later result of this utterance begins with."""
        return self._decoding.stable()

    @property
    def times(self) -> np.ndarray:
        """(T,) start in seconds of each output of the present utterance."""
        return self._front_end.times[self._first :: self._every][: self._outputs]

    @property
    def period(self) -> float:
        """Seconds from one output to the next."""
        return self._front_end.period * self._every

    def finish(self, n_best: int = 1) -> Result:
        """The signal is over: the result of the present utterance, spans in seconds; those of ink
        have the numbers of their strokes.

        What is left belongs to it, silent or not; after an endpoint it may be empty. Raises
        InputError where the whole signal has no frame, and for an `n_best` that the decoder
        refuses, after which the stream goes on.
        """
        self._decoding.check_n_best(n_best)
        self._decode(self._network.push(self._front_end.finish()))
        self._decode(self._network.finish())
        return self._result(n_best) if self._outputs else Result((), 0.0)

    def _decode(self, outputs: np.ndarray) -> None:
        if len(outputs):
            self._decoding.push(outputs)
            self._outputs += len(outputs)

    def _result(self, n_best: int) -> Result:
        times = self.times
        result = self._decoding.finish(n_best).with_times(times.tolist(), self.period)
        ink = self._front_end.ink
        return result if ink is None else with_strokes(result, ink.strokes, times, self._inkless)
