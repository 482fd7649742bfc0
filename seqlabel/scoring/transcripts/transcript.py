"""Sets of transcripts, independent of their file format."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seqlabel.alphabet.units import JOINED, graphemes
from seqlabel.corpora.nist import Channel
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
    """A segment of a channel of a recording, in seconds."""

    channel: Channel
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
    channels: id -> channel of a recording, if the transcripts are whole channels (.ctm), which
        segments may cut.
    """

    name: str
    by_id: Mapping[str, Transcript]
    unit: str = ""
    kind: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)
    segments: Mapping[str, Segment] = field(default_factory=dict)
    ignored: tuple[Segment, ...] = ()
    channels: Mapping[str, Channel] = field(default_factory=dict)

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

    def like(self, unit: str) -> "Transcripts":
        """These, if their unit is unknown, with `unit`, that of the other side's labels.

        Where that is characters or graphemes, but these are words, as labels of several characters
        without a blank among them show, their text is kept instead.
        """
        if self.unit:
            return self
        if unit not in JOINED or not self._of_words():
            return replace(self, unit=unit)
        texts = {
            key: t
            if t.labels is None
            else replace(t, labels=None, text=" ".join(t.labels) if t.text is None else t.text)
            for key, t in self.by_id.items()
        }
        return replace(self, unit=unit, by_id=texts)

    def _of_words(self) -> bool:
        labels = {label for t in self.by_id.values() for label in t.labels or ()}
        return " " not in labels and any(len(graphemes(label)) > 1 for label in labels)

    def cut(self, references: "Transcripts", allow_missing: bool = False) -> "Transcripts":
        """These channels cut at the segments of `references`, as sclite does it.

        The middle of a label decides: it belongs to the first segment that ends later, or to the
        last one of its channel; labels inside an ignored stretch are dropped. Channels are matched
        as `match_channels` does it. One without segments raises InputError; with allow_missing its
        transcript is kept whole, under the id "RECORDING CHANNEL".
        """
        if not self.channels or not references.segments:
            return self
        pieces: dict[str, list[Span]] = {key: [] for key in references.segments}
        ends: dict[Channel, list[tuple[float, str]]] = {}
        for key, segment in references.segments.items():
            ends.setdefault(segment.channel, []).append((segment.end, key))
        for segment in references.ignored:
            ends.setdefault(segment.channel, [])
        matched = match_channels(self.channels.values(), ends)
        alone: dict[str, Transcript] = {}
        for key, transcript in self.by_id.items():
            channel = matched.get(self.channels[key])
            if channel is None:
                if not allow_missing:
                    cause = _no_channel(references.name, self.channels[key], ends)
                    raise InputError(f"{self.name}: {cause}")
                name = " ".join(self.channels[key])  # no id of an .stm file has a blank
                alone[name] = replace(transcript, id=name)
                continue
            places = sorted(ends[channel])
            for span in transcript.spans if places else ():
                middle = (span[1] + span[2]) / 2
                if not any(
                    s.channel == channel and s.start <= middle < s.end for s in references.ignored
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
            if references.segments[key].channel in matched.values()
        }
        return replace(self, by_id=by_id | alone, channels={})


def match_channels(found: Iterable[Channel], wanted: Iterable[Channel]) -> dict[Channel, Channel]:
    """Channels of one file -> the same channels of another; those without a partner are left out.

    Recording and channel agree, if not letter by letter then without regard to case and with 1 for
    A and 2 for B, provided that only one channel of each file is left that would fit.
    """
    ours, theirs = set(found), set(wanted)
    matched = {channel: channel for channel in ours & theirs}
    left: dict[Channel, tuple[list[Channel], list[Channel]]] = defaultdict(lambda: ([], []))
    for side, channels in enumerate((ours, theirs)):
        for recording, name in channels - matched.keys():
            form = name.casefold()
            form = {"1": "a", "2": "b"}.get(form, form)
            left[recording.casefold(), form][side].append((recording, name))
    return matched | {a[0]: b[0] for a, b in left.values() if len(a) == len(b) == 1}


def _no_channel(name: str, channel: Channel, known: Iterable[Channel]) -> str:
    """The message about a channel that the file of this name, with the known channels, lacks."""
    recording = channel[0].casefold()
    there = sorted({repr(c) for r, c in known if r.casefold() == recording})
    if not there:
        return f"{name} has no recording {channel[0]!r}; --allow-missing leaves it out"
    return (
        f"{name} has no channel {channel[1]!r} of recording {channel[0]!r}, but "
        f"{', '.join(there)}; name them alike, or leave this one out with --allow-missing"
    )
