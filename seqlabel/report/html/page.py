"""The HTML report: one file with scores, errors and evidence that loads nothing else.

Everything that comes from data is escaped by the template engine or set as text by the page's
script; a content security policy in the page lets only that one script run.
"""

import base64
import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from seqlabel.errors import InputError, inert
from seqlabel.files import whole_file
from seqlabel.report.evidence import Evidence
from seqlabel.report.html import wording
from seqlabel.report.html.charts import rate_chart, stacked_bar
from seqlabel.report.html.confusions import confusions
from seqlabel.report.html.curves import curve_figures, read_curves
from seqlabel.report.html.utterances import arrange
from seqlabel.scoring.comparison import Comparison, compare
from seqlabel.scoring.results import Report
from seqlabel.scoring.statistics import Spread

PARTS = Path(__file__).parent
LONG_TABLE = 500
"""Maximum rows of a table."""


def write_html(
    reports: Sequence[Report],
    path: str | os.PathLike[str],
    evidence: Sequence[Mapping[str, Evidence] | None] = (),
    curves: Sequence[str | os.PathLike[str] | None] = (),
    comparisons: Sequence[Comparison] | None = None,
    runs: Spread | None = None,
    title: str = "",
) -> None:
    """Write one self-contained HTML page about one system, or about several compared.

    reports: the systems, the baseline first.
    evidence: per report, id -> evidence of `seqlabel decode --evidence`; shown for the worst
        utterances that have it, within the limits of `html/utterances.py`.
    curves: per report, the log.csv of its run.
    comparisons: of each further system with the baseline; None computes them, () shows none.
    runs: mean and spread, if the reports are runs of one recipe.
    title: defaults to the names of the reports, after that of the model of a single one.
    Raises InputError for an unreadable log, for more evidence or logs than reports, and for
    reports that `compare` finds not comparable.
    """
    for what, given in (("evidence", evidence), ("log", curves)):
        if len(given) > len(reports):
            raise InputError(f"{len(given)} {what} files for {len(reports)} reports; give one each")
    logs = [None if log is None else read_curves(log) for log in curves]
    if comparisons is None:
        comparisons = [compare(reports[0], other) for other in reports[1:]]
    names = [report.name for report in reports]
    if len(reports) > 1:
        names = [f"{wording.letter(n)} {name}" for n, name in enumerate(names)]
    script = "".join((PARTS / name).read_text("utf-8") for name in ("page.js", "evidence.js"))
    text = _template().render(
        title=title or _title(reports),
        reports=reports,
        alike=len({(r.reference_fingerprint, r.protocol, r.costs) for r in reports}) == 1,
        comparisons=comparisons,
        runs=runs,
        rates=rate_chart([(n, r.counts, r.interval) for n, r in zip(names, reports, strict=True)]),
        curves=list(curve_figures(reports[0].metric, names, logs)),
        matrices=[confusions(report) for report in reports],
        utterances=arrange(reports, evidence),
        table_rows=LONG_TABLE,
        style=Markup((PARTS / "style.css").read_text("utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    with whole_file(path) as stream:
        stream.write(text)


def _inert(value: Any) -> Any:
    """Text of the data without direction marks; markup is the report's own."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _title(reports: Sequence[Report]) -> str:
    """The systems; a single one with the end of its model's path, as names are often equal."""
    if len(reports) > 1:
        return " · ".join(report.name for report in reports)
    model = Path(str(reports[0].system.get("model", ""))).parts[-2:]
    return " · ".join(filter(None, ("/".join(model), reports[0].name)))


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PARTS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= wording.FILTERS
    environment.globals |= {"METRICS": wording.METRICS, "stacked_bar": stacked_bar}
    return environment.get_template("report.html")
