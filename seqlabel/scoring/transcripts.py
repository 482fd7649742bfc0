"""What is compared: sets of transcripts, whatever file they came from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqlabel.errors import InputError


@dataclass(frozen=True)
class Transcript:
    """One utterance's labels or text.

    labels: None when only running text is known.
    text: running text; "" when only labels are known.
    speaker, tags, duration: as in a manifest (speaker is the writer of ink; duration in seconds).
    spans: (label, start, end, probability) with times in seconds, when the source has them.
    """

    id: str
    labels: tuple[str, ...] | None
    text: str = ""
    speaker: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    duration: float = 0.0
    spans: tuple[tuple[str, float, float, float], ...] = ()


@dataclass(frozen=True)
class Transcripts:
    """The transcripts of one file, by id, in its order.

    name: of the file, for messages and for the report.
    unit: "phone", "character", "word" or "symbol"; "" when the source does not say.
    kind: "speech" or "ink"; "" when the source does not say.
    header: the header object of a hypothesis file ("decoder", "model", ...).
    skipped: id -> cause, for what the file itself excludes from scoring.
    """

    name: str
    by_id: Mapping[str, Transcript]
    unit: str = ""
    kind: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def gather(cls, name: str, transcripts: Iterable[Transcript], **known: Any) -> "Transcripts":
        """Collect transcripts; InputError names the first id that occurs twice, and an empty set."""
        by_id: dict[str, Transcript] = {}
        for transcript in transcripts:
            if transcript.id in by_id:
                raise InputError(
                    f"{name}: utterance {transcript.id!r} occurs twice; keep one of the two"
                )
            by_id[transcript.id] = transcript
        if not by_id:
            raise InputError(f"{name}: no utterances")
        return cls(name, by_id, **known)

    @classmethod
    def of(cls, name: str, values: Mapping[str, str | Sequence[str]]) -> "Transcripts":
        """From id -> labels, or id -> running text where the value is a string."""
        return cls.gather(
            name,
            (
                Transcript(key, None, value)
                if isinstance(value, str)
                else Transcript(key, tuple(value))
                for key, value in values.items()
            ),
        )

    def of_characters(self) -> bool:
        """Whether the labels are characters: said by the unit, or shown by a blank label."""
        if self.unit:
            return self.unit == "character"
        return any(" " in t.labels for t in self.by_id.values() if t.labels is not None)
