"""The analysis of Greff et al. 2015, for the trials finished so far.

    python analyse.py EXP [--trials N] [--best SHARE]

Writes EXP/report: trials.csv, report.json, report.md and boxes.svg.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import Any

from anova import Decomposition
from outcome import (
    Results,
    Welch,
    by_variant,
    chosen,
    compare,
    fractions,
    percent,
    read_results,
)
from space import SPACE, VARIANTS

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.files import whole_file, write_json
from seqlabel.report.pictures.boxes import WIDTH, Box, draw_boxes
from seqlabel.report.pictures.canvas import Canvas

COLUMNS = (
    "number", "variant", *SPACE, "seed", "weights", "epochs", "dev_error", "test_error", "diverged",
)  # fmt: skip


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def summary(groups: Mapping[str, Results], best: Mapping[str, Results]) -> str:
    """Best and median test error, and the settings of the best trial."""
    rows = []
    for name, group in groups.items():
        if not group:
            continue
        first, errors = group[0], percent(group)
        rows.append([
            name, str(len(group)), str(sum(bool(result["diverged"]) for result in group)),
            f"{errors[0]:.1f} %", f"{median(errors):.1f} %", f"{mean(errors):.1f} %",
            f"{mean(percent(best[name])):.1f} %", f"{first['learning_rate']:.1e}",
            str(first["hidden"]), f"{first['input_noise']:.2f}", f"{first['momentum']:.2f}",
            str(first["weights"]),
        ])  # fmt: skip
    return table(
        ["variant", "trials", "diverged", "best", "median", "mean", f"mean of {sizes(best)}",
         "rate", "cells", "noise", "momentum", "weights"], rows,
    )  # fmt: skip


def sizes(best: Mapping[str, Results]) -> str:
    """The number of best trials that are compared: "the best 3", "the best 3 to 4"."""
    found = sorted({len(group) for group in best.values() if group})
    return f"the best {' to '.join(map(str, (found[0], found[-1])[: len(found)]))}"


def tests(everything: Mapping[str, Welch | None], best: Mapping[str, Welch | None]) -> str:
    def cells(test: Welch | None) -> list[str]:
        if test is None:
            return ["", ""]
        if test.p is None:
            return [f"{test.difference:+.1f}", "no test"]
        written = f"{test.difference:+.1f} ({test.low:+.1f} to {test.high:+.1f})"
        return [f"**{written}**" if test.significant else written, f"{test.p:.2g}"]

    rows = [[name, *cells(everything[name]), *cells(best[name])] for name in everything]
    return table(["variant", "all trials: mean - mean of V", "p", "best trials", "p"], rows)


def fraction_table(found: Mapping[str, Decomposition]) -> str:
    rows = []
    for name, parts in found.items():
        each = [
            f"{100 * m:.0f} % ± {100 * s:.0f}"
            for m, s in zip(parts.mean, parts.deviation, strict=True)
        ]
        each += [""] * (len(SPACE) + 1 - len(each))
        rows.append([name, *each, f"{100 * parts.rest:.0f} %", f"{parts.r2:.2f}"])
    names = [name.replace("_", " ") for name in SPACE]
    return table(["trials", *names, "variant", "interactions", "R² out of bag"], rows)


def write_trials(path: Path, results: Results) -> None:
    """Settings and results of each trial, without times and machines, to be reproducible."""
    with whole_file(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([result[name] for name in COLUMNS] for result in results)


def draw(
    path: Path, panels: Sequence[tuple[str, Mapping[str, Results], Mapping[str, Any]]]
) -> None:
    """Box plots: title, trials and comparisons of each panel."""
    canvas = Canvas(WIDTH)
    for title, groups, compared in panels:
        boxes = []
        for name, group in groups.items():
            lost, test = sum(bool(result["diverged"]) for result in group), compared.get(name)
            note = f"{lost} diverged" if lost else ""
            boxes.append(Box(name, percent(group), note, test is not None and test.significant))
        draw_boxes(canvas, title, boxes, " %")
    with whole_file(path) as stream:
        stream.write(canvas.to_svg())


def main(options: argparse.Namespace) -> None:
    if not 0 < options.best <= 1:
        raise InputError(f"--best {options.best}: must be above 0 and at most 1")
    planned = None if options.trials is None else options.trials * len(VARIANTS)
    results = read_results(options.exp, planned)
    groups = by_variant(results)
    best = {name: chosen(group, options.best) for name, group in groups.items()}
    compared = {"all": compare(groups), "best": compare(best)}
    found = fractions(results)
    minutes = sum(result["seconds"] for result in results) / 60
    diverged = sum(bool(result["diverged"]) for result in results)
    head = (
        f"{len(results)} of {planned or len(results)} trials are finished, {diverged} diverged; "
        f"{minutes:.0f} minutes of training.\n"
    )
    text = "\n".join([
        head, summary(groups, best), tests(compared["all"], compared["best"]),
        fraction_table(found),
    ])  # fmt: skip
    report = options.exp / "report"
    write_trials(report / "trials.csv", results)
    draw(report / "boxes.svg", [
        (f"Test error, all {len(results)} trials", groups, compared["all"]),
        (f"Test error, {sizes(best)} of each by dev error", best, compared["best"]),
    ])  # fmt: skip
    write_json(report / "report.json", {
        "finished": len(results), "planned": planned, "diverged": diverged, "minutes": minutes,
        "welch": {which: {name: test and asdict(test) for name, test in tests_.items()}
                  for which, tests_ in compared.items()},
        "fractions": {name: {"inputs": [*SPACE, "variant"][: len(parts.mean)],
                             "mean": parts.mean.tolist(), "deviation": parts.deviation.tolist(),
                             "interactions": parts.rest, "r2": parts.r2}
                      for name, parts in found.items()},
    })  # fmt: skip
    with whole_file(report / "report.md") as stream:
        stream.write(text)
    print(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exp", type=Path, metavar="EXP", help="folder of the search")
    parser.add_argument("--trials", type=int, help="only the first of each variant (all)")
    parser.add_argument("--best", type=float, default=0.1, metavar="SHARE",
                        help="of the trials of a variant (%(default)s)")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    chosen_options = arguments()
    sys.exit(run_command("analyse.py", lambda: main(chosen_options)))
