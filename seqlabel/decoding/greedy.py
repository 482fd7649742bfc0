"""Best-path decoding: the most probable label of each frame, repeats merged, blanks dropped.

Graves, Fernández, Gomez & Schmidhuber (2006), Connectionist temporal classification, section 3.2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.decoding.checks import as_array, check_batch, check_chunk, frame_probabilities
from seqlabel.decoding.results import Result, Span
from seqlabel.errors import InputError


@dataclass(frozen=True)
class GreedyDecoder:
    """The labelling of the single most probable path.

    `log_prob` of a result is the probability of that path alone, and a span covers the frames of
    its label on that path. Of equally probable labels in a frame the first in the alphabet is
    chosen (the blank before all).
    """

    alphabet: Alphabet

    def stream(self) -> "GreedyStream":
        """Begin an utterance with frames in chunks, see `GreedyStream`."""
        return GreedyStream(self)

    def check(self, chunk: np.ndarray) -> None:
        """Check the shape of a chunk of frames (T, K); raises InputError."""
        check_chunk(chunk, len(self.alphabet))

    def decode(self, log_probs: Any, lengths: Any, n_best: int = 1) -> list[Result]:
        """Decode a batch.

        log_probs: (B, T, K) natural log-probabilities, an array or tensor, float32 or float64;
        lengths: (B,) integers, the frames of each utterance. n_best must be 1: there is one best
        path. An utterance with a frame of -inf only has no possible path: no labels, log_prob
        -inf. Raises InputError for bad input, see `seqlabel.decoding.checks`.
        """
        check_one_best(n_best)
        log_probs, lengths = check_batch(log_probs, lengths, len(self.alphabet))
        for b in range(len(log_probs)):
            frame_probabilities(log_probs[b, : lengths[b]], f"utterance {b}")
        return self.collapse(*best_path(log_probs), lengths)

    def collapse(self, path: np.ndarray, best: np.ndarray, lengths: Any) -> list[Result]:
        """The results of the paths (B, T) and their log-probabilities, see `best_path`."""
        B, T = path.shape
        lengths = np.asarray(lengths)
        inside = np.arange(T) < lengths[:, None]
        # Row by row: the order in which NumPy adds depends on the number of columns.
        totals = np.array([best[b, :n].sum() for b, n in enumerate(lengths.tolist())])

        # A run is a sequence of frames with one label; padding counts as blank.
        path = np.where(inside & np.isfinite(totals)[:, None], path, BLANK)
        before = np.pad(path, ((0, 0), (1, 0)), constant_values=BLANK)[:, :-1]
        after = np.pad(path, ((0, 0), (0, 1)), constant_values=BLANK)[:, 1:]
        row, start = np.nonzero((path != BLANK) & (path != before))
        end = np.nonzero((path != BLANK) & (path != after))[1] + 1
        labels = path[row, start]
        sure = np.where(path != BLANK, best, -np.inf).ravel()
        peaks = np.exp(np.maximum.reduceat(sure, row * T + start)) if len(row) else best[:0, 0]

        symbols = self.alphabet.decode(labels.tolist())
        runs = zip(symbols, start.tolist(), end.tolist(), peaks.tolist(), strict=True)
        spans = [Span(*run) for run in runs]
        borders = np.searchsorted(row, np.arange(B + 1)).tolist()
        results = []
        for b in range(B):
            own = tuple(spans[borders[b] : borders[b + 1]])
            names = tuple(span.label for span in own)
            results.append(
                Result(names, float(totals[b]), spans=own, text=self.alphabet.text(names))
            )
        return results


def best_path(log_probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable label of each frame of (..., T, K), and its log-probability, float64."""
    path = log_probs.argmax(axis=-1)
    best = np.take_along_axis(log_probs, path[..., None], axis=-1)[..., 0]
    return path, best.astype(np.float64)


class GreedyStream:
    """Greedy decoding of a stream, with the methods of `BeamStream`."""

    def __init__(self, decoder: GreedyDecoder) -> None:
        self._decoder = decoder
        self._paths: list[np.ndarray] = []
        self._best: list[np.ndarray] = []
        self._labels: list[int] = []
        self._last, self._frames, self._total = BLANK, 0, 0.0

    def push(self, log_probs: Any) -> None:
        """Read frames (T, K); InputError as in `decode`, in which case none of them is read."""
        chunk = as_array(log_probs)
        self._decoder.check(chunk)
        frame_probabilities(chunk, f"the chunk from frame {self._frames} on")
        path, best = best_path(chunk)
        for label in path.tolist():
            if label not in (BLANK, self._last):
                self._labels.append(label)
            self._last = label
        self._frames += len(chunk)
        self._total += float(best.sum())
        self._paths.append(path)
        self._best.append(best)

    def partial(self) -> Result:
        """The labels so far; no spans."""
        if self._total == -np.inf:
            return Result((), -np.inf)
        names = tuple(self._decoder.alphabet.decode(self._labels))
        return Result(names, self._total, text=self._decoder.alphabet.text(names))

    def stable(self) -> tuple[str, ...]:
        """All labels so far: more frames add to them (unless one makes all impossible)."""
        return self.partial().labels

    def check_n_best(self, n_best: int) -> None:
        """Raise InputError for more than one result."""
        check_one_best(n_best)

    def finish(self, n_best: int = 1) -> Result:
        """The result of all frames pushed. Raises InputError if there are none."""
        check_one_best(n_best)
        if not self._frames:
            raise InputError("no frames were pushed; push some before finish()")
        path, best = np.concatenate(self._paths)[None], np.concatenate(self._best)[None]
        return self._decoder.collapse(path, best, [self._frames])[0]


def check_one_best(n_best: int) -> None:
    """Raise InputError if more than the best path is requested."""
    if n_best != 1:
        raise InputError(
            f"n_best is {n_best}; greedy decoding gives one result; use BeamDecoder (--beam 50)"
        )
