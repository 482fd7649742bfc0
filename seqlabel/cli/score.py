"""seqlabel score: hypotheses against references, as text, JSON and HTML."""

import argparse
import gc
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seqlabel.alphabet import UNITS
from seqlabel.errors import InputError

if TYPE_CHECKING:
    from seqlabel.scoring import Comparison, Report, Transcripts
    from seqlabel.scoring.statistics import Spread

HELP = "score hypotheses against references and write a report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", type=Path, metavar="REF", help="manifest, .trn, .stm, Kaldi text")
    parser.add_argument(
        "hyp", type=Path, nargs="+", metavar="HYP",
        help="one or more systems; the first is the baseline",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write the report (text, JSON, HTML) there"
    )
    parser.add_argument(
        "--protocol", metavar="P",
        help="kaldi, kaldi-optional-sil, speechbrain, graves2006, plain, cer, cer-nospace, "
        "cer-grapheme or wer "
        "(default: by the unit of the labels)",
    )  # fmt: skip
    parser.add_argument(
        "--ignore", action="append", default=[], choices=("case", "punctuation", "spaces"),
        help="ignore this in text; may be repeated",
    )  # fmt: skip
    parser.add_argument("--unit", help=f"{', '.join(UNITS)} (default: that of the data)")
    parser.add_argument(
        "--level",
        default="",
        metavar="NAME",
        help="score a level below the labels, for example phone",
    )
    parser.add_argument("--costs", help="unit or sclite (4/3/3); default: the protocol's")
    parser.add_argument(
        "--allow-missing", action="store_true",
        help="count references without hypothesis as deletions, skip hypotheses without reference",
    )  # fmt: skip
    parser.add_argument(
        "--against", type=Path, action="append", default=[], metavar="DIR",
        help="compare with an earlier report too; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--anyway", action="store_true", help="compare even if references or protocols differ"
    )
    parser.add_argument(
        "--seeds",
        action="store_true",
        help="report mean and deviation of runs with several seeds",
    )
    parser.add_argument(
        "--export", action="append", default=[], choices=("trn", "ctm", "text", "jsonl"),
        help="write references and hypotheses too (ctm: with an .stm)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print only the totals, as JSON")
    parser.add_argument(
        "--fail-above",
        metavar="RATE",
        help="exit with 1 if a rate is above this (0.2 or 20%%)",
    )


def main(args: argparse.Namespace) -> int | None:
    # Labels and alignments are millions of small values without a cycle among them; to search
    # them for cycles again and again takes a sixth of the time.
    gc.disable()
    try:
        return _score(args)
    finally:
        gc.enable()


def _score(args: argparse.Namespace) -> int:
    from seqlabel.cli.value_scores import score_predictions
    from seqlabel.files import sole_writer
    from seqlabel.report.files import all_to_json, read_report, write_reports
    from seqlabel.report.text import all_to_text
    from seqlabel.report.values import read_header
    from seqlabel.scoring import compare, read_transcripts, score, spread

    limit = None if args.fail_above is None else _rate(args.fail_above)
    if args.export and args.out is None:
        raise InputError("--export writes into the folder of --out: add --out DIR")
    if args.seeds and args.against:
        raise InputError("--seeds averages runs, --against compares systems; use one of them")
    if args.seeds and len(args.hyp) < 2:
        raise InputError("--seeds needs the hypotheses of two or more runs")
    headers = [read_header(path) for path in args.hyp]
    if any(header is not None for header in headers):
        rates = score_predictions(args, _names(args.hyp), headers)
        return int(limit is not None and any(rate > limit for rate in rates))
    references = read_transcripts(args.ref, args.level)
    hypotheses = [read_transcripts(path, args.level) for path in args.hyp]
    reports = [
        score(
            references,
            hypothesis,
            args.protocol,
            unit=args.unit or "",
            costs=args.costs,
            ignore=args.ignore or (),
            allow_missing=args.allow_missing,
            name=name,
        )
        for hypothesis, name in zip(hypotheses, _names(args.hyp), strict=True)
    ]
    earlier = _told_apart(args.against, [read_report(folder) for folder in args.against], reports)
    comparisons = []
    if not args.seeds:
        baseline, *others = earlier + reports
        comparisons = [compare(baseline, other, args.anyway) for other in others]
    runs = spread([report.rate for report in reports]) if args.seeds else None

    if args.out is not None:
        with sole_writer(args.out):
            # The page first, because it reads evidence and logs, which may be damaged.
            page = args.out / "report.html"
            _write_page(page, args.hyp, hypotheses, earlier, reports, comparisons, runs)
            folders = write_reports(reports, args.out, comparisons, runs)
            for folder, report, hypothesis in zip(folders, reports, hypotheses, strict=True):
                for kind in args.export:
                    _export(folder, kind, report, references, hypothesis)
    if args.json:
        print(json.dumps(all_to_json(reports, comparisons, runs), indent=1, ensure_ascii=False))
    else:
        print(all_to_text(reports, comparisons, runs, details=args.out is None), end="")
        if args.out is not None:
            print(f"report: {args.out / 'report.html'}")
    return int(limit is not None and any(report.rate > limit for report in reports))


def _rate(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", text)
    if not match:
        raise InputError(f"--fail-above {text!r}: a rate is expected, for example 0.2 or 20%")
    return float(match[1]) / (100 if match[2] else 1)


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its stem, with as many folders before it as make the names differ.

    Files that differ in their endings only keep them.
    """
    for last in ([path.stem for path in paths], [path.name for path in paths]):
        for depth in range(1, max(len(path.parts) for path in paths) + 1):
            folders = [path.parts[-depth:-1] for path in paths]
            names = ["/".join((*f, name)) for f, name in zip(folders, last, strict=True)]
            if len(set(names)) == len(names):
                return names
    raise InputError(f"{paths[0]}: given twice; name each hypothesis file once")


def _told_apart(
    folders: Sequence[Path], earlier: Sequence["Report"], reports: Sequence["Report"]
) -> list["Report"]:
    """The earlier reports; a name that another report has too follows that of its folder."""
    count = Counter(report.name for report in (*earlier, *reports))
    return [
        replace(report, name=f"{folder}/{report.name}") if count[report.name] > 1 else report
        for folder, report in zip(folders, earlier, strict=True)
    ]


def _write_page(
    page: Path,
    paths: Sequence[Path],
    hypotheses: Sequence["Transcripts"],
    earlier: Sequence["Report"],
    reports: Sequence["Report"],
    comparisons: Sequence["Comparison"],
    runs: "Spread | None",
) -> None:
    """The HTML report, with the evidence beside the hypotheses and the logs of their runs."""
    from seqlabel.report.evidence import evidence_path, read_evidence
    from seqlabel.report.html.page import write_html

    kept = [evidence_path(path) for path in paths]
    models = [hypothesis.header.get("model") for hypothesis in hypotheses]
    logs = [Path(str(model)) / "log.csv" for model in models]
    before = [None] * len(earlier)
    write_html(
        [*earlier, *reports],
        page,
        evidence=[*before, *(read_evidence(path) if path.is_file() else None for path in kept)],
        curves=[*before, *(log if log.is_file() else None for log in logs)],
        comparisons=comparisons,
        runs=runs,
    )


def _export(
    folder: Path,
    kind: str,
    report: "Report",
    references: "Transcripts",
    hypotheses: "Transcripts",
) -> None:
    """References and hypotheses for other scorers: as scored, or unchanged if they have times."""
    from seqlabel.report.files import scored_hypotheses, scored_references
    from seqlabel.scoring import write_transcripts

    ending = "" if kind == "text" else f".{kind}"
    if kind == "ctm":
        if not hypotheses.channels:  # their times begin with the segment
            references = replace(references, segments={}, ignored=())
        write_transcripts(folder / "reference.stm", references)
        write_transcripts(folder / "hypothesis.ctm", hypotheses)
    else:
        write_transcripts(folder / f"reference{ending}", scored_references(report))
        write_transcripts(folder / f"hypothesis{ending}", scored_hypotheses(report))
