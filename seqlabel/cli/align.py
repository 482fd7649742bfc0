"""`seqlabel align EXP DATA --out DIR`: where the labels of known transcripts lie."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.corpora.manifest import Utterance
    from seqlabel.decoding.results import Span

HELP = "align known transcripts: CTM, TextGrid or TIMIT .PHN"

Tiers = dict[str, "list[Span]"]
"""Name of a tier (labels, words) -> its spans in seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.description = (
        "Viterbi alignment. Each label gets start, end and its posterior probability given the "
        "other labels. Where DATA has hand labels, the distance to their boundaries is printed."
    )
    parser.add_argument("model", metavar="EXP", type=Path, help="model directory, or .onnx file")
    parser.add_argument("data", metavar="DATA", type=Path, help="manifest, such as data/test.jsonl")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--format",
        choices=["ctm", "textgrid", "phn"],
        default="ctm",
        help="ctm: labels.ctm, and words.ctm where labels are characters (default); "
        "textgrid, phn: a file for each utterance",
    )
    parser.add_argument(
        "--gaps",
        choices=["cut", "keep"],
        help="blanks between labels: cut in the middle, so that labels touch (default for "
        "phones), or kept as gaps (default for others)",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")


def main(args: argparse.Namespace) -> None:
    """Align, write, and print counts, who was skipped and the boundary errors."""
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.decoding.alignment.aligner import (
        BoundaryErrors,
        align,
        boundary_errors,
        without_gaps,
        word_spans,
    )
    from seqlabel.errors import InputError
    from seqlabel.progress import progress_bar
    from seqlabel.recognizer import load
    from seqlabel.scoring.transcripts.files import UNFIT

    recognizer = load(args.model, args.device)
    if args.format == "phn" and recognizer.kind != "speech":
        raise InputError(
            f"--format phn counts samples of audio, {recognizer.kind} has none; take textgrid"
        )
    alphabet, utterances = recognizer.alphabet, read_manifest(args.data)
    if args.format != "ctm":
        _check_stems(utterances)
    for utterance in utterances if args.format == "ctm" else ():
        if UNFIT.search(utterance.id):
            raise InputError(
                f"{args.data}: id {utterance.id!r} holds white space or parentheses, which end an "
                f"id in .ctm; take --format textgrid"
            )
    cut = args.gaps == "cut" or (args.gaps is None and alphabet.unit == "phone")
    errors, skipped = BoundaryErrors(()), []
    aligned: list[tuple[Utterance, Tiers, float]] = []
    outputs = progress_bar(recognizer.outputs(utterances), "aligning", len(utterances))
    for utterance, output in outputs:
        try:
            result = align(output.log_probs, utterance.labels, alphabet, utterance.id)
        except InputError as error:
            skipped.append(str(error))
            continue
        times = output.times.tolist()
        spans = list(result.with_times(times, output.period).spans)
        end = max(utterance.duration, times[-1] + output.period)
        tiers = {"labels": without_gaps(spans, end) if cut else spans}
        if alphabet.joined and " " in alphabet:
            tiers["words"] = word_spans(spans)
        if utterance.segments:
            errors += boundary_errors(tiers["labels"], utterance.segments)
        aligned.append((utterance, tiers, end))
    if not aligned:
        raise InputError(f"{args.data}: nothing could be aligned; {'; '.join(skipped[:1])}")
    WRITERS[args.format](args.out, aligned)
    labels = sum(len(tiers["labels"]) for _, tiers, _ in aligned)
    print(f"{args.out}: {labels} labels of {len(aligned)} utterances aligned")
    for cause in skipped:
        print(f"skipped: {cause}")
    if errors.distances:
        print(f"against the hand labels: {errors}")


def _write_ctm(out: Path, aligned: Sequence[tuple["Utterance", Tiers, float]]) -> None:
    from seqlabel.scoring.transcripts.files import write_transcripts
    from seqlabel.scoring.transcripts.transcript import Transcript, Transcripts

    for tier in aligned[0][1]:
        rows = [
            Transcript(u.id, tuple(s.label for s in tiers[tier]), spans=tuple(tiers[tier]))
            for u, tiers, _ in aligned
        ]
        path = out / f"{tier}.ctm"
        write_transcripts(path, Transcripts.gather(str(path), rows))


def _write_textgrids(out: Path, aligned: Sequence[tuple["Utterance", Tiers, float]]) -> None:
    from seqlabel.decoding.alignment.files import write_textgrid

    for utterance, tiers, end in aligned:
        write_textgrid(out / f"{_stem(utterance)}.TextGrid", tiers, end)


def _write_phns(out: Path, aligned: Sequence[tuple["Utterance", Tiers, float]]) -> None:
    from seqlabel.decoding.alignment.files import write_phn
    from seqlabel.inputs.audio import read_audio_header

    for utterance, tiers, _ in aligned:
        rate = read_audio_header(utterance.source).rate  # of the file, not of the model
        spans = [span for span in tiers["labels"] if span.label != " "]
        write_phn(out / f"{_stem(utterance)}.phn", spans, rate)
        if "words" in tiers:
            write_phn(out / f"{_stem(utterance)}.wrd", tiers["words"], rate)


def _stem(utterance: "Utterance") -> str:
    return utterance.id.replace("/", "_").lstrip(".") or "_"


def _check_stems(utterances: Sequence["Utterance"]) -> None:
    """Raise InputError where two utterances would share the name of their file."""
    from seqlabel.errors import InputError

    taken: dict[str, str] = {}
    for utterance in utterances:
        other = taken.setdefault(_stem(utterance), utterance.id)
        if other != utterance.id:
            raise InputError(
                f"utterances {other} and {utterance.id} would both be written as "
                f"{_stem(utterance)}; write --format ctm, which keeps all in one file"
            )


WRITERS: dict[str, Callable[..., None]] = {
    "ctm": _write_ctm,
    "textgrid": _write_textgrids,
    "phn": _write_phns,
}
