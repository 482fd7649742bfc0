"""Decoding of labels and their lower levels in one call."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.checks import as_array
from seqlabel.decoding.greedy import GreedyDecoder
from seqlabel.decoding.results import Result
from seqlabel.errors import InputError


class LabelDecoder(Protocol):
    """A decoder of (B, T, K) log-probabilities."""

    def decode(self, log_probs: Any, lengths: Any, n_best: int = 1, /) -> list[Result]: ...


@dataclass(frozen=True)
class LevelsDecoder:
    """Decodes the outputs of a hierarchical CTC network.

    alphabet: of the labels, with its levels. labels: the decoder of the labels; the levels below
    them are decoded greedily.
    """

    alphabet: Alphabet
    labels: LabelDecoder

    def decode(self, log_probs: Any, lengths: Any, n_best: int = 1) -> list[Result]:
        """Results of the labels, with those of the levels below in `Result.levels`.

        log_probs: (B, T, N), of the labels, then of each level of the alphabet; lengths: (B,).
        Raises InputError for another N, and as the decoders do.
        """
        log_probs = as_array(log_probs)
        sizes = [len(self.alphabet), *(len(below) for _, below in self.alphabet.levels)]
        if log_probs.ndim != 3 or log_probs.shape[2] != sum(sizes):
            raise InputError(
                f"log-probabilities of shape {log_probs.shape}; (B, T, {sum(sizes)}) is expected, "
                f"K = {' + '.join(map(str, sizes))} of the labels and their levels"
            )
        top, *rest = np.split(log_probs, np.cumsum(sizes)[:-1], axis=2)
        results = self.labels.decode(top, lengths, n_best)
        for (name, below), part in zip(self.alphabet.levels, rest, strict=True):
            found = GreedyDecoder(below).decode(part, lengths)
            results = [
                replace(result, levels={**result.levels, name: level})
                for result, level in zip(results, found, strict=True)
            ]
        return results
