"""Reports as files: `score.json`, the alignments beside it, and the text."""

from typing import Any

from seqlabel.scoring.results import Report


def report_to_json(report: Report) -> dict[str, Any]:
    """`score.json`: totals first, then what they rest on."""
    interval = report.interval
    return {
        "name": report.name,
        "metric": report.metric,
        **report.counts.to_json(),
        "interval": None
        if interval is None
        else {
            "low": interval.low,
            "high": interval.high,
            "level": interval.level,
            "over": interval.over,
            "units": interval.units,
            "resamples": interval.resamples,
        },
        "utterances": len(report.utterances),
        "sentence_errors": report.sentence_errors,
        "missing": len(report.missing),
        "missing_utterances": list(report.missing),
        "skipped": len(report.skipped),
        "skipped_utterances": dict(report.skipped),
        "unit": report.unit,
        "kind": report.kind,
        "protocol": report.protocol,
        "protocol_note": report.protocol_note,
        "costs": report.costs,
        "reference_fingerprint": report.reference_fingerprint,
        "decoder": report.decoder,
        "system": dict(report.system),
        "also": [totals_to_json(other) for other in report.also],
        "breakdowns": {
            name: [
                {"name": row.name, "utterances": row.utterances, **row.counts.to_json()}
                for row in rows
            ]
            for name, rows in report.breakdowns.items()
        },
        "labels": [
            {
                "label": score.label,
                "reference": score.reference,
                "hypothesis": score.hypothesis,
                "correct": score.correct,
                "precision": score.precision,
                "recall": score.recall,
            }
            for score in report.labels
        ],
        "confusions": [list(pair) for pair in report.top_confusions()],
    }


TOTALS = (
    "name", "metric", "rate", "correct", "substitutions", "deletions", "insertions", "errors",
    "reference_tokens", "interval", "utterances", "sentence_errors", "missing", "skipped", "unit",
    "protocol", "protocol_note", "costs", "reference_fingerprint", "decoder",
)  # fmt: skip
"""The keys of `score.json` that are totals: what `seqlabel score --json` prints."""


def totals_to_json(report: Report) -> dict[str, Any]:
    """The totals alone, and those of `also`."""
    everything = report_to_json(report)
    totals = {key: everything[key] for key in TOTALS}
    if report.also:
        totals["also"] = [totals_to_json(other) for other in report.also]
    return totals
