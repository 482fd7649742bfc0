"""A trained network over frames in pieces: encoder and output layer, `recognizer.NetworkStream`.

Unidirectional and latency-controlled bidirectional encoders can stream, with criteria that give
label probabilities per frame (CTC, framewise). A transducer's search needs all frames. Rows are
computed one by one, so that the outputs do not depend on the pieces, bit for bit.
"""

import numpy as np

from seqlabel.errors import InputError
from seqlabel.lstm.streaming import StackStream, why_not
from seqlabel.models.criteria import Ctc
from seqlabel.models.framewise import Framewise
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder


class EncoderStream:
    """Frames (n, F) in, outputs (m, E) out, those of `Encoder.forward`. For inference only."""

    def __init__(self, encoder: Encoder) -> None:
        self._lower = StackStream(encoder.lower)
        self._upper = StackStream(encoder.upper) if encoder.upper is not None else None
        self._size = encoder.options.subsample
        self._kept = np.zeros((0, encoder.lower.output_size), np.float32)

    def push(self, x: np.ndarray) -> np.ndarray:
        """The outputs that further frames determine."""
        y = self._lower.push(x)
        return y if self._upper is None else self._upper.push(self._joined(y))

    def finish(self) -> np.ndarray:
        """The remaining outputs; then it is reset."""
        y = self._lower.finish()
        if self._upper is None:
            return y
        y = self._joined(y)
        if len(self._kept):  # zeros past the end
            missing = np.zeros((self._size - len(self._kept), self._kept.shape[1]), np.float32)
            y = np.concatenate([y, self._joined(missing)])
        return np.concatenate([self._upper.push(y), self._upper.finish()])

    def reset(self) -> None:
        """Begin another signal."""
        self._kept = self._kept[:0]
        for stack in (self._lower, self._upper):
            if stack is not None:
                stack.reset()

    def _joined(self, y: np.ndarray) -> np.ndarray:
        """Neighbours joined as in `join_frames`; an incomplete group is kept."""
        y = np.concatenate([self._kept, y])
        groups = len(y) // self._size
        self._kept = y[groups * self._size :].copy()
        return y[: groups * self._size].reshape(groups, self._size * y.shape[1])


class ModelStream:
    """Frames (n, F) in, natural log-probabilities (m, K) out, those of `Model.outputs`."""

    def __init__(self, model: Model) -> None:
        criterion = model.criterion
        if not isinstance(criterion, Ctc | Framewise):
            raise InputError(
                "a transducer and a network of several levels take whole signals only; train a "
                "model with criterion.kind = 'ctc'"
            )
        if not isinstance(model.encoder, Encoder):
            raise InputError(
                "a network over pixels takes whole images; model.encoder = 'lstm' can stream"
            )
        self._encoder = EncoderStream(model.encoder)
        framewise = isinstance(criterion, Framewise)
        self._blank = np.full(int(framewise), -np.inf, np.float32)  # a label that never comes
        self._delay = criterion.options.delay if isinstance(criterion, Framewise) else 0
        self._weight = criterion.output.weight.detach().float().cpu().numpy().copy()
        self._bias = criterion.output.bias.detach().float().cpu().numpy().copy()
        self._labels = len(self._bias) + len(self._blank)
        self._begin()

    def push(self, x: np.ndarray) -> np.ndarray:
        """The outputs that further frames determine."""
        return self._outputs(self._encoder.push(x))

    def finish(self) -> np.ndarray:
        """The remaining outputs; then it is reset."""
        rows = self._outputs(self._encoder.finish())
        if self._last is not None:  # the delay is undone: the last output stands for the rest
            late = np.repeat(self._last[None], min(self._delay, self._seen), axis=0)
            rows = np.concatenate([rows, late])
        self._begin()
        return rows

    def reset(self) -> None:
        """Begin another signal."""
        self._encoder.reset()
        self._begin()

    def _begin(self) -> None:
        self._seen = 0
        self._last: np.ndarray | None = None

    def _outputs(self, encoded: np.ndarray) -> np.ndarray:
        rows = np.empty((len(encoded), self._labels), np.float32)
        for row, y in zip(rows, encoded, strict=True):
            scores = self._weight @ y + self._bias
            scores -= scores.max()
            scores -= np.log(np.exp(scores).sum())
            row[: len(self._blank)], row[len(self._blank) :] = self._blank, scores
        skipped = max(0, self._delay - self._seen)
        self._seen += len(rows)
        if len(rows):
            self._last = rows[-1].copy()
        return rows[skipped:]


def waits(model: Model) -> int | None:
    """Maximum number of later input frames that an output waits for.

    None if it waits for the end of the signal.
    """
    encoder, criterion = model.encoder, model.criterion
    if not isinstance(encoder, Encoder) or not isinstance(criterion, Ctc | Framewise):
        return None
    if why_not(encoder.lower):
        return None
    options = encoder.options
    delay = criterion.options.delay if isinstance(criterion, Framewise) else 0
    return max(0, options.chunk + options.lookahead - 1) + options.subsample * (1 + delay) - 1
