"""Prints what `run.sh` has found: one row per criterion, mean and spread over its seeds."""

import csv
import json
import sys
from pathlib import Path
from statistics import mean, stdev

STARTED = {"pretrained_transducer", "expected_error"}  # from ctc_start, whose minutes they take too


def main(folder: Path) -> None:
    """Print a Markdown table of the test error rates below `folder`."""
    print("| criterion | seeds | test greedy | test beam 20 | minutes |")
    print("|---|---|---|---|---|")
    for criterion in sorted(p for p in folder.iterdir() if p.is_dir()):
        scores = sorted(criterion.glob("*/test/score.json"))
        if not scores:
            continue
        rates: dict[str, list[float]] = {"greedy": [], "beam": []}
        minutes = []
        for score in scores:
            for system in json.loads(score.read_text())["systems"]:
                rates[system["name"]].append(100 * system["rate"])
            model = score.parent.parent
            used = minutes_of(model)
            if criterion.name in STARTED:
                used += minutes_of(folder / "ctc_start" / model.name)
            minutes.append(used)
        print(
            f"| {criterion.name.replace('_', ' ')} | {len(scores)} | {spread(rates['greedy'])} "
            f"| {spread(rates['beam'])} | {mean(minutes):.1f} |"
        )


def minutes_of(model: Path) -> float:
    """Minutes of training that a run directory's log states."""
    with open(model / "log.csv") as log:
        return float(list(csv.DictReader(log))[-1]["minutes"])


def spread(values: list[float]) -> str:
    """Mean ± standard deviation in per cent."""
    deviation = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f} %{deviation}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
