"""Prediction of the next event of a business process from the events so far.

    python process.py make OUT [--file LOG.csv|LOG.xes] [--seed N]
    python process.py judge DATA HYP

The synthetic log consists of orders. The type of an order (its first event) determines payment and
shipping much later; checks come in any order and may repeat. A CSV file has the columns case and
activity, with the events of a case in order. From a XES log, the names of events are used.
"""

import argparse
import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from common import (
    Results,
    Rows,
    frame_labels,
    read_hypotheses,
    read_sets,
    run,
    segments,
    sets_of,
)

from seqlabel.errors import InputError
from seqlabel.files import read_text
from seqlabel.inputs.reading import read_bytes
from seqlabel.inputs.xml_guard import parse_xml

END = "(end)"


def order(rng: np.random.Generator) -> list[str]:
    """The events of one case."""
    kind = str(rng.choice(["web order", "phone order", "partner order"], p=[0.5, 0.3, 0.2]))
    checks = ["check stock", "check credit", "check address"]
    events = [kind, *rng.permutation(checks[: 2 if kind == "partner order" else 3])]
    while rng.random() < 0.25:
        events += ["ask customer", str(rng.choice(checks))]
    if rng.random() < 0.1:
        return [*events, "reject"]
    events += ["confirm", "pick", *["repack"] * int(rng.integers(0, 3)), "pack"]
    express = rng.random() < 0.3
    events += ["book courier" if express else "book lorry", "load"]
    events.append({"web order": "charge card", "phone order": "send bill"}.get(kind, "settle"))
    events += ["courier leaves" if express else "lorry leaves", "deliver"]
    if kind == "phone order":
        events += ["remind"] * int(rng.integers(0, 3)) + ["receive payment"]
    return [*events, "close"]


def read_log(path: Path) -> list[list[str]]:
    """The cases of a CSV or XES file; InputError for one without events."""
    cases: dict[str, list[str]] = defaultdict(list)
    if path.suffix.lower() == ".xes":
        root = parse_xml(read_bytes(path), path)
        for number, trace in enumerate(root.iter("trace")):
            for event in trace.iter("event"):
                names = [e.get("value") for e in event if e.get("key") == "concept:name"]
                cases[str(number)] += [name for name in names if name]
    else:
        for number, row in enumerate(csv.DictReader(read_text(path).splitlines()), 2):
            if not row.get("case") or not row.get("activity"):
                raise InputError(f"{path}:{number}: the columns case and activity are expected")
            cases[row["case"]].append(row["activity"])
    found = [events for events in cases.values() if events]
    if not found:
        raise InputError(f"{path}: no events")
    return found


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows with one-hot events, and the next event of each as label."""
    sets = sets_of(args, read_log, order, 1200, 200, 400)
    for cases in sets.values():  # labels are separated by blanks
        cases[:] = [["_".join(event.split()) for event in events] for events in cases]
    names = sorted({event for events in sets["train"] for event in events})
    rows: Rows = {name: [] for name in sets}
    for name, cases in sets.items():
        for events in cases:
            source = np.zeros((len(events), len(names)))
            for t, event in enumerate(events):
                source[t] = [event == other for other in names]
            following = segments([*events[1:], END])
            labels = [label for label, _, _ in following]
            rows[name].append({"source": source, "labels": labels, "segments": following,
                               "tags": {"events": "\t".join(events)}})  # fmt: skip
    return rows


def judge(data: Path, hyp: Path) -> Results:
    """Accuracy of the next event."""
    sets = read_sets(data)
    events = {name: [u.tags["events"].split("\t") for u in own] for name, own in sets.items()}
    after: dict[str, Counter[str]] = defaultdict(Counter)
    for case in events["train"]:
        for event, following in zip(case, [*case[1:], END], strict=True):
            after[event][following] += 1
    usual = sum(after.values(), Counter()).most_common(1)[0][0]
    best = {event: found.most_common(1)[0][0] for event, found in after.items()}
    spans = read_hypotheses(hyp / "test" / "greedy.jsonl")
    right, total = Counter[str](), 0
    for utterance, case in zip(sets["test"], events["test"], strict=True):
        true = np.array([*case[1:], END], dtype=object)
        network = frame_labels(spans[utterance.id]["spans"], len(case))
        right["LSTM"] += int((network == true).sum())
        right["bigram"] += sum(best.get(e, usual) == t for e, t in zip(case, true, strict=True))
        right["most frequent event"] += int((true == usual).sum())
        total += len(true)
    return {name: {"accuracy": right[name] / total}
            for name in ("LSTM", "bigram", "most frequent event")}  # fmt: skip


if __name__ == "__main__":
    run(make, judge, "events as CSV (columns case, activity) or XES")
