"""Shared by all tasks: writing lists of arrays, reading hypotheses, the command line."""

import argparse
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl, write_json, write_jsonl
from seqlabel.inputs.series import read_values, write_values
from seqlabel.synthetic.folder import write_once

Rows = dict[str, list[dict[str, Any]]]
Results = dict[str, dict[str, float]]
"""System -> name of a figure -> value."""

SETS = ("train", "dev", "test")


def counts(scale: float, *sizes: int) -> dict[str, int]:
    """Scaled sizes of train, dev and test, at least two each."""
    return {name: max(2, round(scale * size)) for name, size in zip(SETS, sizes, strict=True)}


def write_lists(folder: Path, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write {train,dev,test}.jsonl for `seqlabel prepare manifest`.

    A row has keys of a manifest, with arrays (T, F) as source and (T, D) as target. F is written to
    the file `size`, for features.size.
    """
    for name, own in rows.items():
        (folder / name).mkdir()
        for number, row in enumerate(own):
            row["id"] = f"{name}/{number:05d}"
            for key in ("source", "target"):
                if isinstance(row.get(key), np.ndarray):
                    path = f"{row['id']}{'-target' if key == 'target' else ''}.npy"
                    write_values(folder / path, np.asarray(row[key], np.float32))
                    row[key] = path
            row.setdefault("kind", "series")
        write_jsonl(folder / f"{name}.jsonl", own)
    first = next(row for own in rows.values() for row in own)
    if first["kind"] == "series":
        (folder / "size").write_text(f"{read_values(folder / first['source']).shape[1]}\n")


def segments(labels: list[str], period: float = 1.0) -> list[list[Any]]:
    """Segments [label, start, end] of runs of equal frame labels."""
    cuts = [n for n in range(1, len(labels)) if labels[n] != labels[n - 1]]
    borders = [0, *cuts, len(labels)] if labels else [0]
    return [[labels[a], a * period, b * period] for a, b in pairwise(borders)]


def frame_labels(spans: Any, length: int, period: float = 1.0) -> np.ndarray:
    """(T,) label of each frame, from spans or segments [label, start, end, ...]; "" for none."""
    labels = np.full(length, "", dtype=object)
    middle = (np.arange(length) + 0.5) * period
    for label, start, end, *_ in spans:
        labels[(middle >= start) & (middle < end)] = label
    return labels


def shared(rows: list[Any], seed: int = 0) -> dict[str, list[Any]]:
    """A user's rows, divided at random: 80 % train, 10 % dev, 10 % test."""
    order = np.random.default_rng(seed).permutation(len(rows))
    first, second = round(0.8 * len(rows)), round(0.9 * len(rows))
    parts = np.split(order, [first, second])
    if min(map(len, parts)) < 1:
        raise InputError(f"{len(rows)} sequences are too few for three sets; give at least ten")
    return {name: [rows[n] for n in part] for name, part in zip(SETS, parts, strict=True)}


def sets_of(
    args: argparse.Namespace,
    read: Callable[[Path], list[Any]],
    draw: Callable[[np.random.Generator], Any],
    *sizes: int,
) -> dict[str, list[Any]]:
    """The sequences of the user's file, or generated ones, with sizes from `counts`."""
    if args.file:
        return shared(read(args.file))
    rng = np.random.default_rng(args.seed)
    return {name: [draw(rng) for _ in range(n)] for name, n in counts(args.scale, *sizes).items()}


def read_sets(data: Path) -> dict[str, list[Utterance]]:
    """The utterances of each set of a prepared folder."""
    return {name: read_manifest(data / f"{name}.jsonl") for name in SETS}


def read_hypotheses(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of a hypothesis or prediction file by id."""
    return {row["id"]: row for _, row in read_jsonl(path) if "id" in row}


def run(
    make: Callable[[Path, argparse.Namespace], Rows],
    judge: Callable[[Path, Path], Results],
    file: str = "",
) -> None:
    """`make OUT` writes the data of a task; `judge DATA HYP` scores the network and the baselines.

    HYP: folder with {dev,test}/*.jsonl. file: description of the user's own data, "" if the task
    accepts none.
    """
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).name)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make")
    making.add_argument("out", type=Path)
    making.add_argument("--seed", type=int, default=1)
    making.add_argument(
        "--scale", type=float, default=1.0, help="factor on the number of sequences"
    )
    making.add_argument("--file", type=Path, help=file or "not for this task")
    judging = verbs.add_parser("judge")
    judging.add_argument("data", type=Path)
    judging.add_argument("hyp", type=Path)
    judging.add_argument("--out", type=Path)
    args = parser.parse_args()
    try:
        if args.verb == "make":
            if args.file and not file:
                raise InputError("--file: this task only works with its generated data")
            wanted = {"task": parser.prog, "seed": args.seed, "scale": args.scale,
                      "file": str(args.file or "")}  # fmt: skip
            write_once(args.out, wanted, lambda folder: write_lists(folder, make(folder, args)))
            return
        results = judge(args.data, args.hyp)
        width = max(map(len, results))
        for name, numbers in results.items():
            shown = "  ".join(f"{key} {value:.4g}" for key, value in numbers.items())
            print(f"{name:<{width}}  {shown}")
        if args.out:
            write_json(args.out, results)
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
