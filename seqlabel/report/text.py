"""Reports as plain text, for the terminal and for `score.txt`."""

from collections.abc import Iterable, Sequence

from seqlabel.alphabet import name_counts
from seqlabel.errors import one_line
from seqlabel.scoring.comparison import Comparison
from seqlabel.scoring.results import Group, Interval, Report, UtteranceScore
from seqlabel.scoring.statistics import Spread

WIDTH = 100
ROWS = 20
"""Maximum rows of a table in the text; all are in score.json and in the HTML report."""
WORST = 10
"""Utterances shown with their alignment."""


def report_to_text(report: Report) -> str:
    """Totals, tables, labels, confusions and the worst utterances.

    Unprintable characters of labels and ids are escaped.
    """
    parts = [summary(report)]
    parts += [_breakdown(name, rows) for name, rows in report.breakdowns.items()]
    parts += [_labels(report), _confusions(report), _worst(report)]
    return "\n".join(part for part in parts if part)


def all_to_text(
    reports: Sequence[Report],
    comparisons: Sequence[Comparison] = (),
    runs: Spread | None = None,
    details: bool = True,
) -> str:
    """Every report (with `details` in full), the comparisons, and the spread over runs."""
    parts = [report_to_text(report) if details else summary(report) for report in reports]
    parts += [comparison_to_text(comparison) for comparison in comparisons]
    if runs is not None:
        parts.append(spread_to_text(reports[0].metric, runs))
    return ("\n" if details else "").join(parts)


def summary(report: Report) -> str:
    """The rate with its conditions."""
    counts = report.counts
    reason = f" (chosen because {report.protocol_reason})" if report.protocol_reason else ""
    lines = [
        f"{one_line(report.name)}: {report.metric} {_rate(report)}",
        f"  {counts.errors} errors in {counts.reference_tokens} {report.unit}s: "
        f"{counts.substitutions} substituted, {counts.deletions} deleted, "
        f"{counts.insertions} inserted",
        f"  {len(report.utterances)} utterances, {report.sentence_errors} of them with errors; "
        f"{len(report.missing)} missing, {len(report.skipped)} skipped",
        f"  protocol {report.protocol}: {report.protocol_note}{reason}",
        f"  alignment costs {report.costs_note}",
        f"  references {report.reference_fingerprint}"
        + (f"; decoder {one_line(report.decoder)}" if report.decoder else ""),
    ]
    if report.unseen:
        lines.append(
            f"  {sum(report.unseen.values())} labels of the references are of symbols that the "
            f"model lacks, scored as errors: {one_line(name_counts(report.unseen))}"
        )
    for other in report.also:
        lines.append(
            f"  also: {other.metric} {_rate(other)}, "
            f"{other.counts.errors} errors in {other.counts.reference_tokens} {other.unit}s, "
            f"protocol {other.protocol}, costs {other.costs_note}"
        )
    named = [f"scored as deleted: {key}" for key in report.missing]
    named += [f"skipped: {key}: {cause}" for key, cause in report.skipped.items()]
    lines += [f"  {one_line(line)}" for line in named[:ROWS]] + _more(named)
    return "\n".join(lines) + "\n"


def comparison_to_text(comparison: Comparison) -> str:
    """The paired tests between two systems, and their differences."""
    better = sum(d.second_errors < d.first_errors for d in comparison.differing)
    lines = [
        f"{one_line(comparison.second)} against {one_line(comparison.first)}: "
        f"{comparison.metric} "
        f"{100 * comparison.difference:+.2f} points{_interval(comparison.interval)}, "
        f"{comparison.utterances} utterances: {better} better, "
        f"{len(comparison.differing) - better} worse"
    ]
    for test in comparison.tests:
        probability = f"= {test.p:.4f}" if test.p >= 0.0001 else "< 0.0001"
        lines.append(f"  {test.name:<10} p {probability}  ({test.units} {test.over})")
    if comparison.left_out:
        lines.append(f"  {len(comparison.left_out)} utterances with other references left out")
    return "\n".join(lines) + "\n"


def spread_to_text(metric: str, spread: Spread) -> str:
    """Mean and spread over the runs of one recipe."""
    return (
        f"{spread.runs} runs: {metric} {spread.mean:.2%} ± {spread.std:.2%} "
        f"(standard deviation), {spread.low:.2%} to {spread.high:.2%}\n"
    )


def _rate(report: Report) -> str:
    """The rate and its interval; neither is defined without reference labels."""
    if not report.counts.reference_tokens:
        return f"undefined, since the references have no {report.unit}s"
    return f"{report.rate:.2%}{_interval(report.interval)}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return (
        f" [{100 * interval.low:.2f}, {100 * interval.high:.2f}] "
        f"({interval.level:.0%}, bootstrap over {interval.units} {interval.over}"
        f"{', too few to rely on' if interval.doubtful else ''})"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows in columns, the first flush left and the others flush right."""
    shown = [[one_line(cell)[:40] for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *shown, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (heads, *shown)
    ]


def _breakdown(name: str, rows: Sequence[Group]) -> str:
    heads = (name, "utterances", "labels", "rate", "sub", "del", "ins")
    table = _table(
        heads,
        (
            (
                row.name,
                str(row.utterances),
                str(row.counts.reference_tokens),
                f"{row.counts.rate:.1%}",
                str(row.counts.substitutions),
                str(row.counts.deletions),
                str(row.counts.insertions),
            )
            for row in rows[:ROWS]
        ),
    )
    return "\n".join([f"By {name}", *table, *_more(rows)]) + "\n"


def _labels(report: Report) -> str:
    scores = sorted(
        report.labels, key=lambda s: (s.correct - s.reference, s.correct - s.hypothesis, s.label)
    )
    rows = [
        (
            show(score.label),
            str(score.reference),
            str(score.hypothesis),
            str(score.correct),
            f"{score.precision:.1%}",
            f"{score.recall:.1%}",
        )
        for score in scores[:ROWS]
    ]
    heads = ("label", "reference", "hypothesis", "correct", "precision", "recall")
    return (
        "\n".join(["Labels, most often missed first", *_table(heads, rows), *_more(scores)]) + "\n"
    )


def _confusions(report: Report) -> str:
    pairs = report.top_confusions()
    if not pairs:
        return ""
    rows = [
        (str(count), show(expected) or "(inserted)", show(read) or "(deleted)")
        for expected, read, count in pairs[:ROWS]
    ]
    table = _table(("count", "reference", "hypothesis"), rows)
    return "\n".join(["Confusions", *table, *_more(pairs)]) + "\n"


def _worst(report: Report) -> str:
    wrong = [utterance for utterance in report.worst() if utterance.counts.errors]
    if not wrong:
        return ""
    blocks = ["Worst utterances"]
    for utterance in wrong[:WORST]:
        blocks.append(
            f"  {one_line(utterance.id)}: {utterance.counts.rate:.1%}, "
            f"{utterance.counts.errors} errors in {utterance.counts.reference_tokens}"
        )
        blocks += [f"    {line}" for line in alignment_lines(utterance, WIDTH - 4)]
    return "\n".join(blocks) + "\n"


def alignment_lines(utterance: UtteranceScore, width: int = WIDTH) -> list[str]:
    """The aligned pair in sclite's form, wrapped to a width.

    REF: the  cat  sat **
    HYP: the  hat  sat on
    EVAL:      S       I
    """
    columns = []
    for code, reference, hypothesis in utterance.ops:
        expected, read = show(reference), show(hypothesis)
        size = max(len(expected), len(read), 1)
        cells = (expected or "*" * size, read or "*" * size, "" if code == "C" else code)
        columns.append([cell.ljust(size) for cell in cells])
    lines: list[str] = []
    while columns:
        room = width - 6
        taken = 0
        while taken < len(columns) and (room >= len(columns[taken][0]) or not taken):
            room -= len(columns[taken][0]) + 1
            taken += 1
        part, columns = columns[:taken], columns[taken:]
        for n, head in enumerate(("REF: ", "HYP: ", "EVAL:")):
            lines.append(f"{head} {' '.join(column[n] for column in part)}".rstrip())
    return lines


def show(label: str) -> str:
    """A label as it is printed, with a visible space."""
    return "␣" if label == " " else one_line(label)


def _more(rows: Sequence[object]) -> list[str]:
    return [f"  ... {len(rows) - ROWS} more"] if len(rows) > ROWS else []
