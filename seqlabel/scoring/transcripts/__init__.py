"""References and hypotheses, and their file formats."""

from seqlabel.scoring.transcripts.files import read_transcripts, write_transcripts
from seqlabel.scoring.transcripts.transcript import Segment, Transcript, Transcripts

__all__ = ["Segment", "Transcript", "Transcripts", "read_transcripts", "write_transcripts"]
