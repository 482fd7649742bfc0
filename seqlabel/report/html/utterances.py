"""The utterances in the report: selection, order, and content of each."""

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
"""Maximum utterances with evidence, and their maximum bytes."""
ALIGNED_UTTERANCES = 1000
ALIGNED_LABELS = 100_000
"""Maximum utterances with their alignment, and their maximum labels."""
LISTED_UTTERANCES = 5000
"""Maximum of further utterances, listed by id and errors."""

SHOWS = {
    "speech": "Sound, spectrogram and posteriors",
    "ink": "Ink and posteriors",
    "image": "Image and posteriors",
}


@dataclass(frozen=True)
class Row:
    """One utterance with the results of all systems.

    scores: None if a system lacks the utterance; panel, shows: its evidence, and the kind of that.
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
        """Maximum errors of the systems."""
        return max(score.counts.errors for score in self.scores if score is not None)

    @property
    def rate(self) -> float:
        """Maximum error rate of the systems."""
        return max(score.counts.rate for score in self.scores if score is not None)

    @property
    def differs(self) -> bool:
        """Whether the results of the systems differ."""
        return len({score and score.hypothesis for score in self.scores}) > 1

    @property
    def spread(self) -> int:
        """Difference of the systems' errors."""
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
        """id -> position of the utterances that have a link target."""
        return {row.id: n for n, row in enumerate(self.aligned)}


def arrange(
    reports: Sequence[Report], evidence: Sequence[Mapping[str, Evidence] | None]
) -> Listing:
    """Utterances of all systems: first those with different results, then the worst."""
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
    """One utterance; a system with another reference of it counts as lacking it."""
    scores = tuple(scores.get(key) for scores in by_id)
    if len(scores) > 1:
        reference = next(score.reference for score in scores if score is not None)
        scores = tuple(s if s is not None and s.reference == reference else None for s in scores)
    return Row(key, scores)


def _with_evidence(rows: list[Row], evidence: Sequence[Mapping[str, Evidence]]) -> list[Row]:
    found = {n: [kept.get(row.id) for kept in evidence] for n, row in enumerate(rows)}
    chosen = [n for n, lanes in found.items() if any(lanes)][:EVIDENCE_UTTERANCES]
    rows, room = list(rows), EVIDENCE_BYTES
    with ThreadPoolExecutor() as pool:  # encoding sound and pictures takes most of the time
        panels = pool.map(lambda n: embedded_json(panel(found[n])), chosen)
        for n, data in zip(chosen, panels, strict=True):
            if len(data) <= room:
                kind = next(lane.kind for lane in found[n] if lane is not None)
                rows[n] = replace(rows[n], panel=data, shows=SHOWS[kind])
                room -= len(data)
    return rows
