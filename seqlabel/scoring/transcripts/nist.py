"""The transcript files of NIST's sclite: .trn, .ctm and .stm.

As its documentation describes them (SCTK, `doc/infmts.htm`), without alternatives in braces.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from seqlabel.corpora.nist import (
    IGNORED,
    SPECIAL,
    Channel,
    escape,
    lines_of,
    read_ctm_lines,
    read_stm_lines,
    stm_line,
)
from seqlabel.errors import InputError
from seqlabel.scoring.transcripts.lines import join_labels, labels_of, split_labels
from seqlabel.scoring.transcripts.transcript import Segment, Span, Transcript, Transcripts


def read_trn(path: Path) -> Transcripts:
    """Labels, then the utterance id in parentheses at the end of the line."""

    def rows() -> Iterator[Transcript]:
        for number, line in lines_of(path):
            match = re.fullmatch(r"(.*)\(([^()\s]+)\)", line)
            if not match:
                raise InputError(f"{path}:{number}: no utterance id in parentheses at the end")
            yield _transcript(match[2], match[1].split(), f"{path}:{number}")

    return Transcripts.gather(str(path), rows())


def trn_lines(transcripts: Transcripts) -> Iterator[str]:
    """The lines of a .trn file."""
    for transcript in transcripts.by_id.values():
        yield f"{join_labels(transcript, SPECIAL)} ({transcript.id})"


def read_ctm(path: Path) -> Transcripts:
    """One label a line: recording, channel, start, duration, label, confidence (may be absent)."""
    spans: dict[Channel, list[Span]] = {}
    for line in read_ctm_lines(path):
        span = line.label, line.start, line.end, line.probability
        spans.setdefault(line.channel, []).append(span)
    names = _channel_names(spans)

    def rows() -> Iterator[Transcript]:
        for channel, found in spans.items():
            found.sort(key=lambda span: span[1])
            labels = tuple(span[0] for span in found)
            yield Transcript(names[channel], labels, " ".join(labels), spans=tuple(found))

    found_ids = {names[channel]: channel for channel in spans}
    return replace(Transcripts.gather(str(path), rows()), channels=found_ids)


def ctm_lines(transcripts: Transcripts) -> Iterator[str]:
    """The lines of a .ctm file; InputError for labels without times."""
    for key in sorted(transcripts.by_id):
        transcript = transcripts.by_id[key]
        if len(transcript.spans) != len(labels_of(transcript)):
            raise InputError(
                f"{transcripts.name}: utterance {key!r} has no times for its labels, which .ctm "
                f"needs; write .trn instead"
            )
        place = " ".join(transcripts.channels.get(key, (key, "1")))
        for label, start, end, probability in transcript.spans:
            word = escape(label, SPECIAL)
            yield f"{place} {start:.3f} {end - start:.3f} {word} {probability:.4f}"


def read_stm(path: Path) -> Transcripts:
    """One segment a line: recording, channel, speaker, start, end, labels (a <subset> before them).

    The id of a segment is its recording, followed by the channel if the recording has several, and
    by start and end in hundredths of a second if the channel has several segments.
    """
    rows = list(read_stm_lines(path))
    names = _channel_names(row.channel for row in rows)
    scored = Counter(row.channel for row in rows if not row.ignored)
    segments: dict[str, Segment] = {}
    ignored: list[Segment] = []

    def transcripts() -> Iterator[Transcript]:
        for row in rows:
            segment = Segment(row.channel, row.start, row.end)
            if row.ignored:
                ignored.append(segment)
                continue
            key = names[row.channel]
            if scored[row.channel] > 1:
                key += f"-{round(row.start * 100):06d}-{round(row.end * 100):06d}"
            segments[key] = segment
            yield replace(
                _transcript(key, row.words, row.where),
                speaker=row.speaker,
                tags={"subset": row.subset} if row.subset else {},
                duration=row.end - row.start,
            )

    found = Transcripts.gather(str(path), transcripts())
    return replace(found, segments=segments, ignored=tuple(ignored))


def stm_lines(transcripts: Transcripts) -> Iterator[str]:
    """The lines of an .stm file; utterances that are not segments are recordings of their own."""
    for part in transcripts.ignored:
        yield stm_line(part.channel, part.channel[0], part.start, part.end, "", [IGNORED])
    for key in sorted(transcripts.by_id):
        transcript = transcripts.by_id[key]
        # Without a known duration the end is after the last label.
        end = transcript.duration or max((span[2] for span in transcript.spans), default=0) + 1
        place = transcripts.segments.get(key, Segment((key, "1"), 0.0, end))
        subset, labels = transcript.tags.get("subset", ""), labels_of(transcript)
        speaker = transcript.speaker or key
        yield stm_line(place.channel, speaker, place.start, place.end, subset, labels)


def _transcript(key: str, words: list[str], where: str) -> Transcript:
    if "{" in words:
        raise InputError(f"{where}: alternatives in braces are not supported; keep one of them")
    return split_labels(key, words)


def _channel_names(channels: Iterable[Channel]) -> dict[Channel, str]:
    """A name for each channel: its recording only, if that has one channel."""
    distinct = dict.fromkeys(channels)
    count = Counter(recording for recording, _ in distinct)
    return {
        (recording, channel): recording if count[recording] == 1 else f"{recording}-{channel}"
        for recording, channel in distinct
    }
