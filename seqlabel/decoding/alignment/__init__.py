"""Forced alignment: the times of given labels in an utterance."""

from seqlabel.decoding.alignment.aligner import (
    Alignment,
    BoundaryErrors,
    align,
    boundary_errors,
    state_posteriors,
    without_gaps,
)
from seqlabel.decoding.alignment.transcripts import word_spans

__all__ = [
    "Alignment",
    "BoundaryErrors",
    "align",
    "boundary_errors",
    "state_posteriors",
    "without_gaps",
    "word_spans",
]
