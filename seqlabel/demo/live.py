"""Recognition of a recording in progress, each frame once."""

from typing import Any

import numpy as np

from seqlabel.decoding import Result
from seqlabel.recognizer import Output, Recognizer
from seqlabel.stream import DecoderStream, StreamableDecoder


def reads_live(recognizer: Recognizer) -> bool:
    """Whether a model and its current decoder can stream."""
    return recognizer.latency < float("inf") and isinstance(recognizer.decoder, StreamableDecoder)


class Live:
    """The stream of a recording. taken: number of samples pushed."""

    def __init__(self, recognizer: Recognizer) -> None:
        assert isinstance(recognizer.decoder, StreamableDecoder)
        self._watched = _Watched(recognizer.decoder)
        self._stream = recognizer.stream(self._watched)
        self.taken = 0
        self.finished = False

    def push(self, samples: np.ndarray) -> None:
        """Push samples (n,) at the model's rate; none at all also after the end."""
        if not len(samples):
            return
        self._stream.push(samples)
        self.taken += len(samples)

    def finish(self) -> None:
        """End the recording."""
        if not self.finished and self.taken:
            self.finished = True
            self._stream.finish()

    @property
    def stable(self) -> int:
        """Labels at the beginning that will not change any more."""
        return len(self._stream.stable)

    def reading(self, n_best: int) -> tuple[Output, Result] | None:
        """Output of the network and result so far; None before the first output."""
        if not self._watched.frames:
            return None
        frames = np.concatenate(self._watched.frames)
        times, period = self._stream.times, self._stream.period
        result = self._watched.decoding.finish(n_best).with_times(times.tolist(), period)
        return Output(frames, times, period), result


class _Watched:
    """A decoder that keeps the frames of its stream (one at a time) for drawing."""

    def __init__(self, decoder: StreamableDecoder) -> None:
        self._decoder = decoder

    def stream(self) -> "_Watched":
        self.decoding: DecoderStream = self._decoder.stream()
        self.frames: list[np.ndarray] = []
        return self

    def push(self, log_probs: Any, /) -> None:
        self.decoding.push(log_probs)
        self.frames.append(np.array(log_probs))

    def partial(self) -> Result:
        return self.decoding.partial()

    def stable(self) -> tuple[str, ...]:
        return self.decoding.stable()

    def check_n_best(self, n_best: int, /) -> None:
        self.decoding.check_n_best(n_best)

    def finish(self, n_best: int = 1, /) -> Result:
        return self.decoding.finish(n_best)
