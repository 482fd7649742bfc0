"""Best-path decoding: the most probable label of each frame, repeats merged, blanks dropped.

Graves, Fernández, Gomez & Schmidhuber (2006), Connectionist temporal classification, section 3.2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.decoding.checks import check_batch, frame_probabilities
from seqlabel.decoding.results import Result, Span
from seqlabel.decoding.stream import GreedyStream, check_chunk
from seqlabel.errors import InputError


@dataclass(frozen=True)
class GreedyDecoder:
    """The labelling of the single most probable path.

    `log_prob` of a result is the probability of that path alone, and a span covers the frames of
    its label on that path. Of equally probable labels in a frame the first in the alphabet wins
    (the blank before all).
    """

    alphabet: Alphabet

    def stream(self) -> GreedyStream:
        """Begin an utterance whose frames come in chunks, see `seqlabel.decoding.stream`."""
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
        if n_best != 1:
            raise InputError(
                f"n_best is {n_best}; greedy decoding has one best, use BeamDecoder (--beam 50)"
            )
        log_probs, lengths = check_batch(log_probs, lengths, len(self.alphabet))
        B, T, _ = log_probs.shape
        for b in range(B):
            frame_probabilities(log_probs[b, : lengths[b]], f"utterance {b}")
        path = log_probs.argmax(axis=2)
        best = np.take_along_axis(log_probs, path[:, :, None], axis=2)[:, :, 0].astype(np.float64)
        inside = np.arange(T) < np.asarray(lengths)[:, None]
        totals = np.where(inside, best, 0.0).sum(axis=1)

        # A run is a stretch of frames with one label; padding counts as blank.
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
