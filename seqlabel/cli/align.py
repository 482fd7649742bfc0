"""`seqlabel align EXP DATA --out DIR`: times of the labels of known transcripts."""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.corpora.manifest import Utterance
    from seqlabel.decoding.alignment.transcripts import Marked
    from seqlabel.decoding.results import Span

HELP = "align known transcripts: CTM, TextGrid, JSON or TIMIT .PHN"


@dataclass(frozen=True)
class Aligned:
    """An utterance with its tiers (labels, words) in seconds.

    end: of the recording. left_out: the words of the transcript that are not spoken.
    """

    utterance: "Utterance"
    tiers: dict[str, "Marked"]
    end: float
    left_out: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.description = (
        "Align transcripts with the signal (Viterbi). Each label gets its start, its end and its "
        "posterior probability given the other labels. If DATA has hand labels, the distance to "
        "their boundaries is printed."
    )
    parser.add_argument("model", metavar="EXP", type=Path, help="model directory, or .onnx file")
    parser.add_argument("data", metavar="DATA", type=Path, help="manifest, such as data/test.jsonl")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--format",
        choices=["ctm", "textgrid", "json", "phn"],
        default="ctm",
        help="ctm: labels.ctm, and words.ctm of characters and subwords (default); "
        "textgrid, phn: one file per utterance; json: alignments.jsonl",
    )
    parser.add_argument(
        "--gaps",
        choices=["cut", "keep"],
        help="gaps between labels: cut in the middle, so that labels touch (default for "
        "phones without --stars), or kept (default for others)",
    )
    loose = parser.add_argument_group("inexact transcripts")
    loose.add_argument(
        "--wildcard",
        action="store_true",
        help="symbols that the model lacks match any label and are marked `unknown`",
    )
    loose.add_argument(
        "--stars",
        choices=["ends", "sentences", "words"],
        help="where speech may be missing from the transcript: at both ends; also after . ! and ?; "
        "also between all words",
    )
    loose.add_argument(
        "--skip-words",
        action="store_true",
        help="leave out words of the transcript that are not spoken",
    )
    loose.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        default=0.0,
        help="mark words and labels with a probability below P as `unsure` (textgrid, json)",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")


def main(args: argparse.Namespace) -> None:
    """Align, write, and print counts, skipped utterances and boundary errors."""
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.decoding.alignment.aligner import (
        BoundaryErrors,
        align,
        boundary_errors,
        without_gaps,
    )
    from seqlabel.decoding.alignment.files import check_tiers
    from seqlabel.decoding.alignment.transcripts import (
        freedom_of,
        has_words,
        left_out,
        mark_labels,
        mark_words,
    )
    from seqlabel.errors import InputError
    from seqlabel.forward import NO_PROBABILITIES
    from seqlabel.progress import progress_bar
    from seqlabel.recognizer import load
    from seqlabel.scoring.transcripts.files import UNFIT

    if not 0 <= args.threshold <= 1:
        raise InputError(f"--threshold {args.threshold}: a probability is expected")
    if args.threshold and args.format in ("ctm", "phn"):
        raise InputError(
            f"--threshold: --format {args.format} cannot hold marks; use textgrid or json"
        )
    recognizer = load(args.model, args.device)
    if args.format == "phn" and recognizer.kind != "speech":
        raise InputError(
            f"--format phn counts samples of audio, not of {recognizer.kind}; use textgrid"
        )
    if not recognizer.network.per_label:
        raise InputError(f"{args.model}: {NO_PROBABILITIES}")
    alphabet, utterances = recognizer.alphabet, read_manifest(args.data)
    if args.format in ("textgrid", "phn"):
        _check_stems(utterances)
    for utterance in utterances if args.format == "ctm" else ():
        if UNFIT.search(utterance.id):
            raise InputError(
                f"{args.data}: id {utterance.id!r} has white space or parentheses, which end an "
                f"id in .ctm; use --format textgrid"
            )
    cut = args.gaps == "cut" or (args.gaps is None and alphabet.unit == "phone" and not args.stars)
    errors = BoundaryErrors(())
    skipped = [
        f"{u.id}: has no labels; add its transcript" for u in utterances if not u.labels_known
    ]
    utterances = [u for u in utterances if u.labels_known]
    freedoms = {
        u.id: freedom_of(
            u.labels,
            alphabet,
            wildcard=args.wildcard,
            stars=args.stars,
            skip_words=args.skip_words,
        )
        for u in utterances
    }
    aligned: list[Aligned] = []
    outputs = progress_bar(recognizer.outputs(utterances), "aligning", len(utterances))
    for utterance, output in outputs:
        labels, freedom = utterance.labels, freedoms[utterance.id]
        try:
            result = align(output.log_probs, labels, alphabet, utterance.id, freedom)
        except InputError as error:
            skipped.append(str(error))
            continue
        times = output.times.tolist()
        spans = list(result.with_times(times, output.period).spans)
        end = max(utterance.duration, times[-1] + output.period)
        shown = without_gaps(spans, end) if cut else spans
        tiers = {"labels": mark_labels(shown, alphabet, args.threshold)}
        if has_words(alphabet):
            tiers["words"] = mark_words(spans, alphabet, args.threshold)
        item = Aligned(utterance, tiers, end, left_out(labels, result, alphabet.unit))
        if args.format == "textgrid":
            try:
                check_tiers(_textgrid_tiers(item), end, utterance.id)
            except InputError as error:
                skipped.append(str(error))
                continue
        if utterance.segments:
            errors += boundary_errors(shown, utterance.segments)
        aligned.append(item)
    if not aligned:
        raise InputError(f"{args.data}: nothing could be aligned; {'; '.join(skipped[:1])}")
    WRITERS[args.format](args.out, aligned)
    count = sum(len(a.tiers["labels"].spans) for a in aligned)
    print(f"{args.out}: {count} labels of {len(aligned)} utterances aligned")
    _print_marks(aligned)
    for cause in skipped:
        print(f"skipped: {cause}")
    if errors.distances:
        print(f"against the hand labels: {errors}")


def _print_marks(aligned: Sequence[Aligned]) -> None:
    """Number of words (or labels, if there are none) with each mark, and what was left out."""
    for tier in list(aligned[0].tiers)[-1:]:
        marked = [marks for a in aligned for marks in a.tiers[tier].marks]
        for mark, count in sorted(Counter(mark for marks in marked for mark in marks).items()):
            print(f"{mark}: {count} of {len(marked)} {tier}")
    for a in aligned:
        if a.left_out:
            print(f"{a.utterance.id}: left out: {' '.join(a.left_out)}")


def _write_ctm(out: Path, aligned: Sequence[Aligned]) -> None:
    from seqlabel.scoring.transcripts.files import write_transcripts
    from seqlabel.scoring.transcripts.transcript import Transcript, Transcripts

    for name in aligned[0].tiers:
        rows = [
            Transcript(a.utterance.id, tuple(s.label for s in spans), spans=spans)
            for a in aligned
            for spans in [a.tiers[name].spans]
        ]
        path = out / f"{name}.ctm"
        write_transcripts(path, Transcripts.gather(str(path), rows))


def _write_textgrids(out: Path, aligned: Sequence[Aligned]) -> None:
    from seqlabel.decoding.alignment.files import write_textgrid

    for a in aligned:
        write_textgrid(out / f"{_stem(a.utterance)}.TextGrid", _textgrid_tiers(a), a.end)


def _textgrid_tiers(a: Aligned) -> dict[str, "Sequence[Span]"]:
    """The tiers of an utterance, the confidence of the last one, and any marks."""
    tiers: dict[str, Sequence[Span]] = {name: marked.spans for name, marked in a.tiers.items()}
    last = list(a.tiers.values())[-1]
    tiers["confidence"] = tuple(s._replace(label=f"{s.probability:.2f}") for s in last.spans)
    pairs = list(zip(last.spans, last.marks, strict=True))
    if any(last.marks):
        tiers["marks"] = tuple(s._replace(label=" ".join(m)) for s, m in pairs if m)
    return tiers


def _write_json(out: Path, aligned: Sequence[Aligned]) -> None:
    from seqlabel.files import write_jsonl

    write_jsonl(
        out / "alignments.jsonl",
        (
            {"id": a.utterance.id}
            | {name: marked.to_json() for name, marked in a.tiers.items()}
            | ({"left_out": list(a.left_out)} if a.left_out else {})
            for a in aligned
        ),
    )


def _write_phns(out: Path, aligned: Sequence[Aligned]) -> None:
    from seqlabel.decoding.alignment.files import write_phn
    from seqlabel.inputs.audio import read_audio_header

    for a in aligned:
        rate = read_audio_header(a.utterance.source).rate  # of the file, not of the model
        spans = [span for span in a.tiers["labels"].spans if span.label != " "]
        write_phn(out / f"{_stem(a.utterance)}.phn", spans, rate)
        if "words" in a.tiers:
            write_phn(out / f"{_stem(a.utterance)}.wrd", a.tiers["words"].spans, rate)


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
                f"{_stem(utterance)}; use --format ctm, which is one file for all"
            )


WRITERS: dict[str, Callable[..., None]] = {
    "ctm": _write_ctm,
    "textgrid": _write_textgrids,
    "json": _write_json,
    "phn": _write_phns,
}
