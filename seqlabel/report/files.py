"""Reports as files: `score.json`, `score.txt`, and the alignments in `alignments.jsonl`."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from sys import intern
from typing import Any

from seqlabel.errors import InputError
from seqlabel.files import is_file, read_json, read_jsonl, whole_file, write_json, write_jsonl
from seqlabel.report.text import all_to_text, report_to_text
from seqlabel.scoring.comparison import Comparison
from seqlabel.scoring.results import Counts, Interval, Report, UtteranceScore
from seqlabel.scoring.scorer import assemble
from seqlabel.scoring.statistics import Spread
from seqlabel.scoring.transcripts.transcript import Transcript, Transcripts


def write_report(report: Report, folder: str | os.PathLike[str]) -> None:
    """Write score.json, score.txt and alignments.jsonl into a folder, each whole or not at all."""
    folder = Path(folder)
    write_jsonl(folder / "alignments.jsonl", _alignment_rows(report))
    with whole_file(folder / "score.txt") as stream:
        stream.write(report_to_text(report))
    write_json(folder / "score.json", report.to_json())


def write_reports(
    reports: Sequence[Report],
    folder: str | os.PathLike[str],
    comparisons: Sequence[Comparison] = (),
    runs: Spread | None = None,
) -> list[Path]:
    """Write one report into a folder, or several into subfolders with their names.

    The score.json and score.txt of the folder then have the totals of all: the keys of a single
    report are those of the first, with "systems", "comparisons" and "spread" beside them. Returns
    the folder of each report.
    """
    folder = Path(folder)
    folders = [folder]
    if len(reports) > 1:
        names = [re.sub(r"[^\w.+-]+", "-", report.name).strip(".-") for report in reports]
        folders = [
            folder / (name if name and names.count(name) == 1 else f"{n}-{name}")
            for n, name in enumerate(names, 1)
        ]
    for report, place in zip(reports, folders, strict=True):
        write_report(report, place)
    if len(reports) > 1 or comparisons or runs is not None:
        first = reports[0].to_json() if len(reports) == 1 else {}
        write_json(folder / "score.json", first | all_to_json(reports, comparisons, runs))
        with whole_file(folder / "score.txt") as stream:
            stream.write(all_to_text(reports, comparisons, runs))
    return folders


def all_to_json(
    reports: Sequence[Report], comparisons: Sequence[Comparison] = (), runs: Spread | None = None
) -> dict[str, Any]:
    """The totals of the first report, with those of all and the comparisons beside them."""
    value = reports[0].totals_to_json()
    if len(reports) > 1:
        value["systems"] = [report.totals_to_json() for report in reports]
    if comparisons:
        value["comparisons"] = [comparison.to_json() for comparison in comparisons]
    if runs is not None:
        value["spread"] = asdict(runs)
    return value


def _alignment_rows(report: Report) -> Iterator[dict[str, Any]]:
    for utterance in report.utterances:
        yield {
            "id": utterance.id,
            "errors": utterance.counts.errors,
            "reference_tokens": utterance.counts.reference_tokens,
            "speaker": utterance.speaker,
            "tags": dict(utterance.tags),
            "duration": utterance.duration,
            "ops": utterance.ops,
        }


def read_report(folder: str | os.PathLike[str]) -> Report:
    """The report written by `write_report`; those in `also` have their totals only.

    InputError for a folder without a report and for inconsistent files.
    """
    folder = Path(folder)
    known = read_json(folder / "score.json")
    if isinstance(known, dict) and "systems" in known and not is_file(folder / "alignments.jsonl"):
        names = sorted(str(path.parent) for path in folder.glob("*/score.json"))
        raise InputError(f"{folder}: has several systems; name one of {', '.join(names)}")
    try:
        utterances = tuple(_utterance(row) for _, row in read_jsonl(folder / "alignments.jsonl"))
        report = assemble(
            utterances,
            **{key: known[key] for key in _PLAIN},
            missing=tuple(known["missing_utterances"]),
            skipped=known["skipped_utterances"],
            errors_by_costs=known.get("errors_by_costs", {}),
            interval=_interval(known),
            also=tuple(_TotalsOnly.of(totals, known) for totals in known.get("also", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: not a report of this version; score again") from None
    if report.counts.errors != known["errors"]:
        raise InputError(f"{folder}: score.json and alignments.jsonl disagree; score again")
    return report


_PLAIN = (
    "name", "metric", "unit", "kind", "protocol", "protocol_note", "costs",
    "reference_fingerprint", "decoder", "system",
)  # fmt: skip


@dataclass(frozen=True)
class _TotalsOnly(Report):
    """A report of which score.json has the totals only: no utterances, tables or labels."""

    totals: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, totals: Mapping[str, Any], main: Mapping[str, Any]) -> "_TotalsOnly":
        """The totals of one report in "also", and what it shares with the main report."""
        names = ("correct", "substitutions", "deletions", "insertions")
        return cls(
            **{key: totals[key] if key in totals else main[key] for key in _PLAIN},
            counts=Counts(*(int(totals[name]) for name in names)),
            utterances=(),
            missing=tuple(main["missing_utterances"]),
            skipped=main["skipped_utterances"],
            interval=_interval(totals),
            breakdowns={},
            labels=(),
            confusions={},
            errors_by_costs=totals.get("errors_by_costs", {}),
            totals=totals,
        )

    @property
    def sentence_errors(self) -> int:
        return int(self.totals["sentence_errors"])

    def totals_to_json(self) -> dict[str, Any]:
        return dict(self.totals)


def _interval(known: Mapping[str, Any]) -> Interval | None:
    return None if known["interval"] is None else Interval(**known["interval"])


def _utterance(row: dict[str, Any]) -> UtteranceScore:
    ops = tuple((intern(op), intern(ref), intern(hyp)) for op, ref, hyp in row["ops"])
    codes = [op for op, _, _ in ops]
    return UtteranceScore(
        id=row["id"],
        ops=ops,
        counts=Counts(*(codes.count(code) for code in "CSDI")),
        speaker=row["speaker"],
        tags=row["tags"],
        duration=row["duration"],
    )


def scored_references(report: Report) -> Transcripts:
    """The reference labels as they were scored, for export."""
    return Transcripts.gather(
        "reference",
        (
            Transcript(u.id, u.reference, speaker=u.speaker, tags=u.tags, duration=u.duration)
            for u in report.utterances
        ),
    )


def scored_hypotheses(report: Report) -> Transcripts:
    """The hypothesis labels as they were scored, for export."""
    return Transcripts.gather(
        report.name, (Transcript(u.id, u.hypothesis) for u in report.utterances)
    )
