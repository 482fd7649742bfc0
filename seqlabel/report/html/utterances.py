"""Which utterances the report shows, in which order, and how much of each."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from markupsafe import Markup

from seqlabel.report.evidence import Evidence
from seqlabel.report.html.aligned import Column, columns
from seqlabel.report.html.panels import panel
from seqlabel.report.html.wording import embedded_json
from seqlabel.scoring.results import Report, UtteranceScore

EVIDENCE_UTTERANCES = 200
EVIDENCE_BYTES = 8_000_000
"""Evidence is shown for this many utterances at most, as long as it fits into this many bytes."""
ALIGNED_UTTERANCES = 1000
ALIGNED_LABELS = 100_000
"""So many utterances are shown with their alignment, as long as these hold no more labels."""
LISTED_UTTERANCES = 5000
"""So many more are listed by id and errors."""

SHOWS = {
    "speech": "Sound, spectrogram and posteriors",
    "ink": "Ink and posteriors",
    "image": "Image and posteriors",
}


@dataclass(frozen=True)
class Row:
    """One utterance as every system read it.

    scores: None where a system lacks the utterance; panel, shows: its evidence, and what that is.
    """

    id: str
    scores: tuple[UtteranceScore | None, ...]
    panel: Markup | None = None
    shows: str = ""

    @property
    def first(self) -> UtteranceScore:
        """The score of the first system that has the utterance."""
        return next(score for score in self.scores if score is not None)

    @property
    def errors(self) -> int:
        """Errors of the system that fared worst."""
        return max(score.counts.errors for score in self.scores if score is not None)

    @property
    def rate(self) -> float:
        """Error rate of the system that fared worst."""
        return max(score.counts.rate for score in self.scores if score is not None)

    @property
    def differs(self) -> bool:
        """Whether the systems read it differently."""
        return len({score and score.hypothesis for score in self.scores}) > 1

    @property
    def spread(self) -> int:
        """By how many errors the systems differ."""
        errors = [score.counts.errors for score in self.scores if score is not None]
        return max(errors) - min(errors)

    def columns(self) -> list[Column]:
        """The aligned labels."""
        return columns([None if score is None else score.ops for score in self.scores])


@dataclass(frozen=True)
class Listing:
    """Utterances with their alignment, utterances without, and how many are not listed."""

    aligned: list[Row]
    listed: list[Row]
    unlisted: int

    @property
    def total(self) -> int:
        """All utterances that were scored."""
        return len(self.aligned) + len(self.listed) + self.unlisted

    @property
    def panels(self) -> int:
        """Utterances with evidence."""
        return sum(row.panel is not None for row in self.aligned)

    @property
    def places(self) -> dict[str, int]:
        """id -> place of the utterances that a link can point at."""
        return {row.id: n for n, row in enumerate(self.aligned)}


def arrange(
    reports: Sequence[Report], evidence: Sequence[Mapping[str, Evidence] | None]
) -> Listing:
    """Utterances of all systems: those that systems read differently first, then the worst."""
    by_id = [{score.id: score for score in report.utterances} for report in reports]
    rows = [_row(key, by_id) for key in dict.fromkeys(key for scores in by_id for key in scores)]
    rows.sort(key=lambda row: (-row.spread, -row.rate, -row.errors, row.id))
    labels = first = 0
    while first < min(len(rows), ALIGNED_UTTERANCES) and labels <= ALIGNED_LABELS:
        labels += sum(len(score.ops) for score in rows[first].scores if score is not None)
        first += 1
    last = first + LISTED_UTTERANCES
    shown = _with_evidence(rows[:first], [kept or {} for kept in evidence])
    return Listing(shown, rows[first:last], max(0, len(rows) - last))


def _row(key: str, by_id: Sequence[Mapping[str, UtteranceScore]]) -> Row:
    """One utterance; a system that was scored on another reference of it counts as without it."""
    scores = tuple(scores.get(key) for scores in by_id)
    if len(scores) > 1:
        reference = next(score.reference for score in scores if score is not None)
        scores = tuple(s if s is not None and s.reference == reference else None for s in scores)
    return Row(key, scores)


def _with_evidence(rows: list[Row], evidence: Sequence[Mapping[str, Evidence]]) -> list[Row]:
    found = {n: [kept.get(row.id) for kept in evidence] for n, row in enumerate(rows)}
    chosen = [n for n, lanes in found.items() if any(lanes)][:EVIDENCE_UTTERANCES]
    rows, room = list(rows), EVIDENCE_BYTES
    with ThreadPoolExecutor() as pool:  # most of the time goes into coding sound and pictures
        panels = pool.map(lambda n: embedded_json(panel(found[n])), chosen)
        for n, data in zip(chosen, panels, strict=True):
            if len(data) <= room:
                kind = next(lane.kind for lane in found[n] if lane is not None)
                rows[n] = replace(rows[n], panel=data, shows=SHOWS[kind])
                room -= len(data)
    return rows
