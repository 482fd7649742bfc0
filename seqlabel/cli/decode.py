"""seqlabel decode: decode a prepared set and write the hypotheses."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlabel.cli.decoders import add_decoder_arguments, make_decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seqlabel.corpora.manifest import Utterance
    from seqlabel.recognizer import Recognizer
    from seqlabel.training.distribution import Workers

HELP = "decode a prepared set and write hypotheses, or predicted values"

CHUNK = 64
"""Utterances decoded together, on all cores."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=Path, metavar="EXP", help="model directory, .onnx file or name of a model"
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="manifest, such as data/test.jsonl")
    parser.add_argument("--out", type=Path, required=True, metavar="HYP", help="JSON-lines file")
    parser.add_argument(
        "--n-best", type=int, default=1, metavar="N", help="number of hypotheses per utterance"
    )
    parser.add_argument(
        "--evidence", type=int, default=0, metavar="N",
        help="store signal and posteriors of N utterances for the report (.evidence.npz)",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")
    add_decoder_arguments(parser)


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.corpora.prepared import unseen_labels
    from seqlabel.errors import InputError
    from seqlabel.files import keep_apart, write_jsonl
    from seqlabel.progress import progress_bar
    from seqlabel.recognizer import DECODED_FRAMES, load
    from seqlabel.report.evidence import Evidence, evidence_path, write_evidence
    from seqlabel.training.distribution import workers

    keep_apart(args.out, args.data)
    if args.evidence < 0:
        raise InputError(f"--evidence {args.evidence}: must not be negative")
    with workers(devices=False) as group:  # --device says where
        recognizer = load(args.model, args.device)
        if recognizer.values is None:
            recognizer.decoder, description = make_decoder(args, recognizer)
        utterances = read_manifest(args.data)
        if not utterances:
            raise InputError(f"{args.data}: no utterances")
        own = utterances[group.rank :: group.world]
        if recognizer.values is not None:
            _write_values(args, recognizer, own, utterances, group)
            return 0
        started = time.perf_counter()
        rows: list[dict[str, Any]] = []
        evidence: dict[str, Evidence] = {}
        pending = []
        seconds, frames = 0.0, 0
        outputs = progress_bar(recognizer.outputs(own, whole=utterances), "reading", len(own))
        for n, (utterance, output) in enumerate(outputs, 1):
            pending.append((utterance, output))
            frames += len(output.frames)
            if len(pending) < CHUNK and frames < DECODED_FRAMES and n < len(own):
                continue
            frames = 0
            results = recognizer.decode([output for _, output in pending], args.n_best)
            for (utterance, output), result in zip(pending, results, strict=True):
                rows.append({"id": utterance.id, **result.to_json()})
                seconds += utterance.duration
                wanted = output.per_label and recognizer.kind != "series"
                if wanted and len(evidence) * group.world < args.evidence:
                    evidence[utterance.id] = recognizer.evidence(utterance, output, result)
            pending.clear()
        rows = group.gather(rows)
        gathered = dict(group.gather(list(evidence.items())))
        if group.first:
            order = {utterance.id: n for n, utterance in enumerate(utterances)}
            rows.sort(key=lambda row: order[row["id"]])
            elapsed = time.perf_counter() - started
            header = {
                "decoder": description,
                "model": str(args.model),
                "data": str(args.data),
                "unit": recognizer.alphabet.unit,
                "levels": {name: below.unit for name, below in recognizer.alphabet.levels},
                "unseen": unseen_labels(utterances, recognizer.alphabet),
                "seconds": round(elapsed, 3),
                "times_real_time": round(seconds / elapsed, 1) if seconds else None,
            }
            write_jsonl(args.out, [header, *rows])
            kept = evidence_path(args.out)
            kept.unlink(missing_ok=True)  # that of earlier hypotheses of the name
            if gathered:
                write_evidence(kept, gathered)
    return 0


def _write_values(
    args: argparse.Namespace,
    recognizer: "Recognizer",
    own: "Sequence[Utterance]",
    utterances: "Sequence[Utterance]",
    group: "Workers",
) -> None:
    """What a regression predicts of `own`, this process's share, written by the first.

    Raises InputError for options that labels alone have.
    """
    from seqlabel.config import as_table
    from seqlabel.errors import InputError
    from seqlabel.features.front_end import extractor_table
    from seqlabel.files import write_jsonl
    from seqlabel.progress import progress_bar
    from seqlabel.report.values import prediction_row

    labels = ("beam", "lm", "lexicon", "word_lm", "unknown_penalty", "lm_weight", "bonus")
    given = [name for name in labels if getattr(args, name) is not None]
    if given or args.n_best != 1:
        name = given[0].replace("_", "-") if given else "n-best"
        raise InputError(f"--{name} is for labels; {args.model} predicts values")
    options, front_end = recognizer.values, recognizer.front_end
    gaussian = options.loss == "gaussian"
    outputs = progress_bar(recognizer.outputs(own, whole=utterances), "predicting", len(own))
    rows = [prediction_row(u.id, output.frames, gaussian) for u, output in outputs]
    rows = group.gather(rows)
    if group.first:
        order = {utterance.id: n for n, utterance in enumerate(utterances)}
        rows.sort(key=lambda row: order[row["id"]])
        stacked = as_table(front_end.options)
        header = {
            "decoder": f"regression, {options.loss}",
            "model": str(args.model),
            "data": str(args.data),
            "values": as_table(options),
            "features": extractor_table(front_end.extractor),
            "front_end": {key: stacked[key] for key in ("stack", "stride")},
        }
        write_jsonl(args.out, [header, *rows])
