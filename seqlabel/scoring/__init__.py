"""Hypotheses against references: alignments, protocols, statistics, results."""

from seqlabel.scoring.alignment import Alignment, align, align_all
from seqlabel.scoring.comparison import Comparison, compare
from seqlabel.scoring.protocols import PROTOCOLS, Protocol
from seqlabel.scoring.results import (
    Counts,
    Group,
    Interval,
    LabelScore,
    Operation,
    Report,
    UtteranceScore,
)
from seqlabel.scoring.scorer import score
from seqlabel.scoring.statistics import spread
from seqlabel.scoring.transcripts import (
    Transcript,
    Transcripts,
    read_transcripts,
    write_transcripts,
)

__all__ = [
    "PROTOCOLS",
    "Alignment",
    "Comparison",
    "Counts",
    "Group",
    "Interval",
    "LabelScore",
    "Operation",
    "Protocol",
    "Report",
    "Transcript",
    "Transcripts",
    "UtteranceScore",
    "align",
    "align_all",
    "compare",
    "read_transcripts",
    "score",
    "spread",
    "write_transcripts",
]
