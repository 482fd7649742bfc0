"""seqlabel score for predicted values; the arguments are those of the verb."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.errors import InputError

FOR_LABELS = (
    "protocol", "ignore", "unit", "level", "costs", "against", "anyway", "seeds", "export",
)  # fmt: skip
"""Arguments of the verb that are for labels only."""


def score_predictions(
    args: argparse.Namespace, names: Sequence[str], headers: Sequence[Mapping[str, Any] | None]
) -> list[float]:
    """Score, write and print; returns the rate of each system.

    Raises InputError for options that are for labels, and for predictions of different targets.
    """
    from seqlabel.files import sole_writer
    from seqlabel.report.html.values import write_value_page
    from seqlabel.report.values import (
        read_predictions,
        values_to_json,
        values_to_text,
        write_values,
    )
    from seqlabel.scoring.values import persistence, score_values

    for option in FOR_LABELS:
        if getattr(args, option):
            raise InputError(
                f"--{option} is for labels, but {args.hyp[0]} has predicted values; leave it out"
            )
    first = headers[0]
    for path, header in zip(args.hyp, headers, strict=True):
        if first is None or header is None:
            raise InputError(
                f"{path}: values and labels cannot be scored together; give files of one kind"
            )
        if _target(header) != _target(first):
            raise InputError(
                f"{path}: predicts another target than {args.hyp[0]}; score it separately"
            )
    assert first is not None
    targets, before = read_targets(args.ref, first, args.hyp[0])
    reports, lines = [], {"true": targets}
    for path, name, header in zip(args.hyp, names, headers, strict=True):
        assert header is not None
        predictions = read_predictions(path)
        loss, decoder = str(header["values"].get("loss", "")), str(header.get("decoder", ""))
        reports.append(
            score_values(
                targets,
                predictions,
                name,
                loss,
                args.allow_missing,
                decoder,
                {key: header[key] for key in ("model", "data") if key in header},
            )
        )
        lines[name] = {key: found.values for key, found in predictions.items()}
    scored = {key: values for key, values in targets.items() if key not in reports[0].missing}
    kept = persistence(scored, {key: before[key] for key in scored})
    baseline = score_values(scored, kept, "persistence")
    if args.out is not None:
        with sole_writer(args.out):
            write_value_page(reports, baseline, lines, args.out / "report.html")
            write_values(reports, baseline, args.out)
    if args.json:
        print(json.dumps(values_to_json(reports, baseline), indent=1, ensure_ascii=False))
    else:
        print(values_to_text(reports, baseline, details=args.out is None), end="")
        if args.out is not None:
            print(f"report: {args.out / 'report.html'}")
    return [report.rate for report in reports]


def _target(header: Mapping[str, Any]) -> tuple[Any, ...]:
    values = header["values"]
    stacked = header.get("features"), header.get("front_end")
    return values.get("target"), values.get("ahead"), values.get("size"), *stacked


def read_targets(
    manifest: Path, header: Mapping[str, Any], path: Path
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The true values (T, D) of a manifest's utterances, and the last known values before each.

    header: of the predictions in `path`, with their target.
    """
    from seqlabel.config import build
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.data.signals import extract
    from seqlabel.data.values import ValueTargets
    from seqlabel.features.front_end import FrontEnd, FrontEndOptions, make_extractor
    from seqlabel.inputs.reading import naming

    values = header["values"]
    with naming(path):
        try:
            wanted = ValueTargets(values["target"], 0, int(values["ahead"]))
            if wanted.kind not in ("file", "next") or wanted.ahead < 1:
                raise ValueError
            extractor = make_extractor(header["features"])
            options = build(FrontEndOptions, dict(header["front_end"]), "front_end")
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                "no header of predictions; write the file with seqlabel decode"
            ) from None
    front_end = FrontEnd(extractor, options)
    targets, before = {}, {}
    for utterance in read_manifest(manifest):
        frames = front_end.stack(extract(utterance, extractor)).x
        targets[utterance.id] = wanted.of(utterance, frames, options.stride)
        before[utterance.id] = wanted.before(frames, targets[utterance.id])
    if not targets:
        raise InputError(f"{manifest}: no utterances")
    return targets, before
