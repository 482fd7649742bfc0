"""Prints a Markdown table of an experiment: one row per variant, mean and spread over its seeds.

    python recipes/table.py EXP
    python recipes/table.py REPORT --sets SET...

EXP/VARIANT/SEED are run directories, and EXP/VARIANT/SEED/test has their score.json. Minutes are of
training, including those of the initial model of a run (`initial`). With --sets a row is a set
that one model was scored on: REPORT/SET has its score.json.
"""

import csv
import json
import sys
import tomllib
from pathlib import Path
from statistics import mean, stdev


def main(folder: Path) -> None:
    """Print the table of the runs below `folder`."""
    rows = {}
    for variant in sorted(path for path in folder.iterdir() if path.is_dir()):
        scores = sorted(variant.glob("*/test/score.json"))
        if scores:
            rows[variant.name.replace("_", " ")] = scores
    systems = list(
        dict.fromkeys(name for scores in rows.values() for score in scores for name in rates(score))
    )
    print(f"| | seeds | {' | '.join(systems)} | minutes |")
    print("|---" * (len(systems) + 3) + "|")
    for name, scores in rows.items():
        found = [rates(score) for score in scores]
        cells = [spread([own[system] for own in found if system in own]) for system in systems]
        minutes = mean(minutes_of(score.parent.parent) for score in scores)
        print(f"| {name} | {len(scores)} | {' | '.join(cells)} | {minutes:.1f} |")


def compare_sets(folder: Path, sets: list[str]) -> None:
    """Print the table of the sets that a model was scored on, side by side."""
    found = {name: json.loads((folder / name / "score.json").read_text()) for name in sets}
    systems = list(dict.fromkeys(s["name"] for score in found.values() for s in score["systems"]))
    metric = next(iter(found.values()))["metric"]
    print(f"| {metric} | utterances | labels | {' | '.join(systems)} |")
    print("|---" * (len(systems) + 3) + "|")
    for name, score in found.items():
        own = {system["name"]: f"{100 * system['rate']:.2f} %" for system in score["systems"]}
        cells = " | ".join(own.get(system, "") for system in systems)
        print(f"| {name} | {score['utterances']} | {score['reference_tokens']} | {cells} |")


def rates(score: Path) -> dict[str, float]:
    """Error rates in per cent by the name of the decoder."""
    return {
        system["name"]: 100 * system["rate"] for system in json.loads(score.read_text())["systems"]
    }


def minutes_of(model: Path) -> float:
    """Minutes of training that a run directory's log states."""
    with open(model / "log.csv") as log:
        own = float(list(csv.DictReader(log))[-1]["minutes"])
    initial = tomllib.loads((model / "config.toml").read_text()).get("initial", "")
    return own + (minutes_of(Path(initial)) if initial else 0.0)


def spread(values: list[float]) -> str:
    """Mean ± standard deviation in per cent."""
    if not values:
        return ""
    deviation = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f} %{deviation}"


if __name__ == "__main__":
    if sys.argv[2:3] == ["--sets"]:
        compare_sets(Path(sys.argv[1]), sys.argv[3:])
    else:
        main(Path(sys.argv[1]))
