"""Sets of transcripts, independent of their file format."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seqlabel.alphabet.units import JOINED
from seqlabel.errors import InputError

Span = tuple[str, float, float, float]
"""(label, start, end, probability), times in seconds."""


@dataclass(frozen=True)
class Transcript:
    """One utterance's labels or text.

    labels: None if only running text is known.
    text: running text; "" if nothing is said or written, None if only labels are known.
    speaker, tags, duration: as in a manifest (speaker is the writer of ink; duration in seconds).
    spans: the labels with times, if the source has them.
    """

    id: str
    labels: tuple[str, ...] | None
    text: str | None = None
    speaker: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    duration: float = 0.0
    spans: tuple[Span, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the transcript is known; an empty text is known."""
        return bool(self.labels) or self.text is not None


@dataclass(frozen=True)
class Segment:
    """A segment of a recording, in seconds."""

    recording: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcripts:
    """The transcripts of one file, by id, in its order.

    name: of the file, for messages and for the report.
    unit: one of `seqlabel.alphabet.UNITS`; "" when the source does not say.
    kind: "speech", "ink" or "image"; "" when the source does not say.
    header: the header object of a hypothesis file ("decoder", "model", ...).
    segments, ignored: where the transcripts of an .stm file lie in its recordings, and the
        stretches it excludes from scoring.
    recordings: whether the ids name whole recordings (.ctm), which segments may cut.
    """

    name: str
    by_id: Mapping[str, Transcript]
    unit: str = ""
    kind: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    ignored: tuple[Segment, ...] = ()
    recordings: bool = False

    @classmethod
    def gather(cls, name: str, transcripts: Iterable[Transcript]) -> "Transcripts":
        """Collect transcripts; InputError for an id that occurs twice, and for an empty set."""
        by_id: dict[str, Transcript] = {}
        for transcript in transcripts:
            if transcript.id in by_id:
                raise InputError(
                    f"{name}: utterance {transcript.id!r} occurs twice; keep one of the two"
                )
            by_id[transcript.id] = transcript
        if not by_id:
            raise InputError(f"{name}: no utterances")
        return cls(name, by_id)

    @classmethod
    def of(cls, name: str, values: Mapping[str, str | Sequence[str]]) -> "Transcripts":
        """From id -> labels, or id -> running text where the value is a string.

        No labels and no text both say that nothing is said or written.
        """
        transcripts = (
            Transcript(key, None, value)
            if isinstance(value, str)
            else Transcript(key, tuple(value), None if value else "")
            for key, value in values.items()
        )
        return cls.gather(name, transcripts)

    def of_characters(self) -> bool:
        """Whether the labels join without gaps: said by the unit, or shown by a blank label."""
        if self.unit:
            return self.unit in JOINED
        return any(" " in t.labels for t in self.by_id.values() if t.labels is not None)

    def cut(self, references: "Transcripts") -> "Transcripts":
        """These recordings cut at the segments of `references`, as sclite does it.

        The middle of a label decides: it belongs to the first segment that ends later, or to the
        last one of its recording; labels inside an ignored stretch are dropped.
        """
        if not self.recordings or not references.segments:
            return self
        pieces: dict[str, list[Span]] = {key: [] for key in references.segments}
        ends: dict[str, list[tuple[float, str]]] = {}
        for key, segment in references.segments.items():
            ends.setdefault(segment.recording, []).append((segment.end, key))
        for recording, transcript in self.by_id.items():
            places = sorted(ends.get(recording, ()))
            if not places:
                raise InputError(f"{self.name}: {references.name} has no recording {recording!r}")
            for span in transcript.spans:
                middle = (span[1] + span[2]) / 2
                if not any(
                    s.recording == recording and s.start <= middle < s.end
                    for s in references.ignored
                ):
                    later = (key for end, key in places if middle < end)
                    pieces[next(later, places[-1][1])].append(span)
        by_id = {
            key: Transcript(
                key,
                tuple(span[0] for span in spans),
                " ".join(span[0] for span in spans),
                spans=tuple(spans),
            )
            for key, spans in pieces.items()
            if references.segments[key].recording in self.by_id
        }
        return replace(self, by_id=by_id, recordings=False)
