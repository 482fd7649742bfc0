"""Confidences of labels and words of a result, and their calibration."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.alignment.aligner import align
from seqlabel.decoding.results import Result

EPSILON = 1e-6
"""Confidences nearer to 0 or 1 are moved to this distance before a logit is taken."""


def label_confidences(
    log_probs: Any, labels: Sequence[str], alphabet: Alphabet, name: str = "utterance"
) -> tuple[float, ...]:
    """p(label | x, the other labels) for each label, from the forward-backward algorithm.

    Each label is compared with all others in its place and with none. Needs neither n-best list nor
    language model. One float per label. Arguments and errors as of
    `seqlabel.decoding.alignment.aligner`.
    """
    return tuple(span.probability for span in align(log_probs, labels, alphabet, name).spans)


def with_label_confidences(
    result: Result, log_probs: Any, alphabet: Alphabet, name: str = "utterance"
) -> Result:
    """The same result with `label_confidences` as the probabilities of its spans.

    log_probs: (T, K) of this utterance. A word has the minimum of its labels. A result without
    labels is returned unchanged.
    """
    if not result.labels:
        return result
    values = label_confidences(log_probs, result.labels, alphabet, name)
    pairs = zip(result.spans, values, strict=True)
    spans = tuple(span._replace(probability=value) for span, value in pairs)
    words = tuple(
        word._replace(
            probability=min(
                (s.probability for s in spans if word.start <= s.start and s.end <= word.end),
                default=word.probability,
            )
        )
        for word in result.words
    )
    return replace(result, spans=spans, words=words)


def n_best_confidences(
    sequences: Sequence[Sequence[str]], log_probs: Sequence[float]
) -> tuple[float, ...]:
    """For each element of the first sequence, the share of the n-best list that contains it.

    sequences: labels or words, best first; log_probs: natural log-scores, which weigh them. An
    element is contained in a sequence if an alignment with minimum edits pairs it with an equal
    one. A single sequence gives 1.0 for all: the list should have ten or more.
    """
    if not sequences:
        return ()
    best = list(sequences[0])
    scores = np.asarray(log_probs, float)
    top = scores.max()
    weights = np.exp(scores - top) if np.isfinite(top) else np.full(len(scores), 1.0)
    kept = np.zeros(len(best))
    for sequence, weight in zip(sequences, weights / weights.sum(), strict=True):
        for block in Levenshtein.opcodes(best, list(sequence)):
            if block.tag == "equal":
                kept[block.src_start : block.src_end] += weight
    return tuple(np.minimum(kept, 1.0).tolist())


def result_confidences(result: Result, words: bool = False) -> tuple[float, ...]:
    """`n_best_confidences` of a result and its alternatives: of its labels, or of its text's words.

    Alternatives with the same words count together.
    """
    ranking = [result, *result.alternatives]
    sequences = [r.text.split() if words else r.labels for r in ranking]
    return n_best_confidences(sequences, [r.log_prob for r in ranking])


@dataclass(frozen=True)
class Bin:
    """Answers with a confidence in low..high: their number, mean confidence and accuracy."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Confidence against correctness (Guo et al. 2017, On calibration of modern neural networks).

    expected_error: mean over the answers of |confidence - accuracy| of their bin (equation 3).
    largest_error: of the worst bin. brier: mean squared difference of confidence and 0 or 1.
    accuracy, confidence: means over all answers. bins: those that are not empty.
    """

    expected_error: float
    largest_error: float
    brier: float
    accuracy: float
    confidence: float
    bins: tuple[Bin, ...]

    def __str__(self) -> str:
        count = sum(b.count for b in self.bins)
        return (
            f"expected calibration error {self.expected_error:.4f} over {count} answers "
            f"(mean confidence {self.confidence:.3f}, accuracy {self.accuracy:.3f})"
        )


def calibration(
    confidences: Sequence[float], correct: Sequence[bool], bins: int = 10
) -> Calibration:
    """Measure calibration with `bins` bins of equal width over 0..1.

    confidences: (N,) in 0..1; correct: (N,). A confidence on the border of two bins belongs to the
    lower one, as in the paper. Raises ValueError for different lengths and values outside 0..1.
    """
    p, right = np.asarray(confidences, float), np.asarray(correct, bool)
    if p.shape != right.shape or p.ndim != 1:
        raise ValueError(f"{p.shape} confidences for {right.shape} answers")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("confidences must lie within 0..1")
    if not len(p):
        return Calibration(0.0, 0.0, 0.0, 0.0, 0.0, ())
    index = np.clip(np.ceil(p * bins) - 1, 0, bins - 1).astype(int)
    count = np.bincount(index, minlength=bins)
    sure, hits = np.bincount(index, p, bins), np.bincount(index, right, bins)
    found = tuple(
        Bin(b / bins, (b + 1) / bins, int(count[b]), sure[b] / count[b], hits[b] / count[b])
        for b in np.flatnonzero(count).tolist()
    )
    gaps = [abs(b.confidence - b.accuracy) for b in found]
    return Calibration(
        expected_error=float(np.dot([b.count for b in found], gaps) / len(p)),
        largest_error=max(gaps),
        brier=float(np.mean((p - right) ** 2)),
        accuracy=float(right.mean()),
        confidence=float(p.mean()),
        bins=found,
    )


@dataclass(frozen=True)
class Recalibration:
    """logit p' = slope logit p + offset (Platt 1999, on the logit of a confidence)."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, confidences: Sequence[float]) -> np.ndarray:
        """Recalibrated confidences, (N,) float64."""
        return 1.0 / (1.0 + np.exp(-(self.slope * _logit(confidences) + self.offset)))

    @classmethod
    def fit(cls, confidences: Sequence[float], correct: Sequence[bool]) -> "Recalibration":
        """Logistic regression by Newton's method, on held-out data.

        One right and one wrong answer with a confidence of 0.5 are added, so that there is a
        solution even if all answers are right or all are wrong.
        """
        x = np.append(_logit(confidences), [0.0, 0.0])
        y = np.append(np.asarray(correct, float), [0.0, 1.0])
        design = np.column_stack([x, np.ones_like(x)])
        weights = np.zeros(2)
        for _ in range(50):
            p = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30.0, 30.0)))
            gradient = design.T @ (p - y)
            curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
            step = np.linalg.solve(curvature, gradient)
            weights -= step * min(1.0, 5.0 / np.abs(step).max(initial=1e-12))
            if np.abs(step).max() < 1e-10:
                break
        return cls(float(weights[0]), float(weights[1]))


def _logit(confidences: Sequence[float]) -> np.ndarray:
    p = np.clip(np.asarray(confidences, float), EPSILON, 1 - EPSILON)
    return np.log(p / (1 - p))
