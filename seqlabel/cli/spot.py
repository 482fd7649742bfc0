"""`seqlabel spot EXP DATA --keywords FILE`: find keywords in speech or ink."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.alphabet import Alphabet
    from seqlabel.corpora.manifest import Utterance
    from seqlabel.decoding.results import Span
    from seqlabel.decoding.spotting.merit import Merit
    from seqlabel.decoding.spotting.spotter import Keyword
    from seqlabel.recognizer import Output

HELP = "find keywords, with times and probabilities"

RANKED = 0.001
"""Minimum probability of the hits in the figure of merit, whatever is listed."""

Place = tuple[str, float, float]
"""(word, start, end) in seconds."""

Hits = list[tuple[str, "Span"]]
"""(utterance, hit), times in seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.description = (
        "Finds keywords without decoding. Where DATA has words with times, or text that can be "
        "aligned, the figure of merit is printed (mean detection rate at 0 to 10 false alarms an "
        "hour)."
    )
    parser.add_argument("model", metavar="EXP", type=Path, help="model directory, or .onnx file")
    parser.add_argument("data", metavar="DATA", type=Path, help="manifest, such as data/test.jsonl")
    parser.add_argument(
        "--keywords",
        metavar="FILE",
        type=Path,
        required=True,
        help="one keyword per line, followed by its labels if they are not its characters",
    )
    parser.add_argument(
        "--out", metavar="HITS", type=Path, help="JSON-lines file (default: print the hits)"
    )
    parser.add_argument(
        "--threshold", metavar="P", type=float, default=0.05, help="minimum probability (0.05)"
    )
    parser.add_argument(
        "--window",
        metavar="S",
        type=float,
        default=3.0,
        help="maximum duration of an occurrence in seconds (3)",
    )
    parser.add_argument(
        "--inside", action="store_true", help="also find keywords inside longer words"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")


def main(args: argparse.Namespace) -> None:
    """Spot, write or print the hits, and print the figure of merit if references are known."""
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.decoding.results import Result
    from seqlabel.decoding.spotting.spotter import Spotter, read_keywords
    from seqlabel.errors import InputError
    from seqlabel.files import keep_apart
    from seqlabel.progress import progress_bar
    from seqlabel.recognizer import load

    if not 0 < args.window < math.inf:
        raise InputError(f"--window {args.window}: must be more than 0 seconds")
    if not 0 < args.threshold <= 1:
        raise InputError(f"--threshold {args.threshold}: must be more than 0 and at most 1")
    if args.out is not None:
        keep_apart(args.out, args.data, args.keywords)
    recognizer, utterances = load(args.model, args.device), read_manifest(args.data)
    if not utterances:
        raise InputError(f"{args.data}: no utterances")
    alphabet = recognizer.alphabet
    apart = alphabet.joined and " " in alphabet and not args.inside
    keywords = tuple(read_keywords(args.keywords, alphabet))
    names = {keyword.name for keyword in keywords}
    hits: Hits = []
    truth: list[tuple[str, Place]] = []
    unknown: set[str] = set()
    seconds = 0.0
    outputs = progress_bar(recognizer.outputs(utterances), "spotting", len(utterances))
    for utterance, output in outputs:
        spotter = Spotter(
            alphabet,
            keywords,
            window=max(1, round(min(args.window / output.period, len(output.times)))),
            separator=" " if apart else None,
            threshold=min(args.threshold, RANKED),
        )
        spans = tuple(spotter.spot(output.log_probs, utterance.id))
        times = output.times.tolist()
        found = Result((), 0.0, spans).with_times(times, output.period).spans
        hits += [(utterance.id, hit) for hit in found]
        places = (
            _words_of(utterance, output, alphabet, keywords)
            if not args.inside
            else _places_inside(utterance, output, alphabet, keywords)
        )
        if places is None:
            unknown.add(utterance.id)
            continue
        truth += [(utterance.id, place) for place in places if place[0] in names]
        seconds += utterance.duration or times[-1] + output.period
    listed = [(key, hit) for key, hit in hits if hit.probability >= args.threshold]
    _show(listed, args.out, len(utterances))
    if truth:
        known = [(key, hit) for key, hit in hits if key not in unknown]
        _print_merit(known, truth, seconds, args.threshold)
        if unknown:
            print(f"word times unknown, not counted: {', '.join(sorted(unknown))}")
    elif len(unknown) < len(utterances):
        print(f"{args.data}: no keyword occurs in the transcripts, so there is no figure of merit")


def _show(hits: Hits, out: Path | None, utterances: int) -> None:
    """Write the hits, or print them."""
    from seqlabel.errors import one_line
    from seqlabel.files import write_jsonl

    if out is None:
        for key, (word, start, end, probability) in hits:
            print(f"{one_line(key)}  {word}  {start:.2f}  {end:.2f}  {probability:.3f}")
        return
    names = ("id", "keyword", "start", "end", "probability")
    rows = ((key, word, round(a, 3), round(b, 3), round(p, 4)) for key, (word, a, b, p) in hits)
    write_jsonl(out, (dict(zip(names, row, strict=True)) for row in rows))
    print(f"{out}: {len(hits)} hits in {utterances} utterances")


def _places_inside(
    utterance: "Utterance", output: "Output", alphabet: "Alphabet", keywords: Sequence["Keyword"]
) -> list[Place] | None:
    """Occurrences of the keywords in the transcript, also inside words, by alignment."""
    spans = _label_spans(utterance, output, alphabet)
    if spans is None:
        return None
    found = []
    for keyword in keywords:
        for spelling in keyword.spellings:
            for n in range(len(spans) - len(spelling) + 1):
                run = spans[n : n + len(spelling)]
                if tuple(span.label for span in run) == spelling:
                    found.append((keyword.name, run[0].start, run[-1].end))
    return found


def _words_of(
    utterance: "Utterance", output: "Output", alphabet: "Alphabet", keywords: Sequence["Keyword"]
) -> list[Place] | None:
    """The words of the transcript with their times; None if not known.

    Words and times of the manifest if it has them, else the keywords that are spelled as words of
    a forced alignment of characters.
    """
    from seqlabel.decoding.alignment.transcripts import labels_of_words

    if utterance.words or utterance.text == "":
        return list(utterance.words)
    spans = _label_spans(utterance, output, alphabet) if alphabet.joined else None
    if spans is None:
        return None
    names: dict[tuple[str, ...], list[str]] = {}
    for keyword in keywords:
        for spelling in keyword.spellings:
            names.setdefault(spelling, []).append(keyword.name)
    return [
        (name, own[0].start, own[-1].end)
        for own in labels_of_words(spans, alphabet.unit)
        for name in names.get(tuple(span.label for span in own), ())
    ]


def _label_spans(
    utterance: "Utterance", output: "Output", alphabet: "Alphabet"
) -> Sequence["Span"] | None:
    """The labels of the transcript in seconds; None if unknown or too many for the signal."""
    from seqlabel.decoding.alignment.aligner import align
    from seqlabel.errors import InputError

    if not utterance.labels:
        return [] if utterance.labels_known else None
    try:
        result = align(output.log_probs, utterance.labels, alphabet, utterance.id)
    except InputError:
        return None
    return result.with_times(output.times.tolist(), output.period).spans


def _print_merit(
    hits: Hits, truth: list[tuple[str, Place]], seconds: float, threshold: float
) -> None:
    """A line for each keyword: counts of the hits listed, the figure of merit of all ranked."""
    from seqlabel.decoding.spotting.merit import figure_of_merit

    overall, each = figure_of_merit(hits, truth, seconds)
    listed = [(key, hit) for key, hit in hits if hit.probability >= threshold]
    overall_listed, each_listed = figure_of_merit(listed, truth, seconds)
    print("keyword           occurs  found  false  merit")
    for word, ranked in each.items():
        _print_row(word, each_listed.get(word), ranked)
    _print_row("(all)", overall_listed, overall)


def _print_row(word: str, listed: "Merit | None", ranked: "Merit") -> None:
    found, false = (listed.found, listed.false_alarms) if listed else (0, 0)
    print(f"{word:<16} {ranked.occurrences:>7} {found:>6} {false:>6} {ranked.merit:>6.1%}")
