"""What a beam search leaves out: improbable labels, and prefixes far behind the best."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqlabel.alphabet import BLANK
from seqlabel.decoding.checks import positive_integer, real_number
from seqlabel.errors import InputError


@dataclass(frozen=True)
class Pruning:
    """label_count: the most probable labels of each frame, None for all; label_min_prob: the least
    probability of a label; floor: the least score of a prefix, as a share of the frame's best."""

    label_count: int | None
    label_min_prob: float
    floor: float

    def cut(self, probs: np.ndarray) -> np.ndarray:
        """Set pruned labels to probability zero, in place, never the blank; probs: (..., K)."""
        if self.label_min_prob > 0:
            blank = probs[..., BLANK].copy()
            np.putmask(probs, probs < self.label_min_prob, 0.0)  # twice as fast as by index
            probs[..., BLANK] = blank
        labels = probs[..., BLANK + 1 :]
        if self.label_count is not None and self.label_count < labels.shape[-1]:
            least = np.partition(labels, -self.label_count)[..., -self.label_count]
            labels[labels < least[..., None]] = 0.0
        return probs


def check_pruning(label_count: Any, label_min_prob: Any, beam_threshold: Any) -> Pruning:
    """The options of `BeamDecoder`; InputError for one outside its range."""
    if label_count is not None:
        label_count = positive_integer("label_count", label_count)
    label_min_prob = real_number("label_min_prob", label_min_prob)
    if not 0 <= label_min_prob < 1:
        raise InputError(f"label_min_prob is {label_min_prob}, expected 0 <= value < 1")
    if beam_threshold is None:
        return Pruning(label_count, label_min_prob, 0.0)
    beam_threshold = real_number("beam_threshold", beam_threshold)
    if not beam_threshold > 0:
        raise InputError(f"beam_threshold is {beam_threshold}, expected more than 0 (nats)")
    return Pruning(label_count, label_min_prob, math.exp(-beam_threshold))
