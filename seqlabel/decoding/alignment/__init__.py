"""Where given labels lie in an utterance (forced alignment)."""

from seqlabel.decoding.alignment.aligner import (
    Alignment,
    BoundaryErrors,
    align,
    boundary_errors,
    state_posteriors,
    without_gaps,
    word_spans,
)

__all__ = [
    "Alignment",
    "BoundaryErrors",
    "align",
    "boundary_errors",
    "state_posteriors",
    "without_gaps",
    "word_spans",
]
