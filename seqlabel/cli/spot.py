"""`seqlabel spot EXP DATA --keywords FILE`: where keywords are said or written."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.alphabet import Alphabet
    from seqlabel.corpora.manifest import Utterance
    from seqlabel.recognizer import Posteriors

HELP = "find keywords, with times and probabilities"

Place = tuple[str, float, float]
"""(word, start, end) in seconds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.description = (
        "Finds keywords without decoding. Where DATA has words with times, or text that can be "
        "aligned, the figure of merit is printed (mean detection rate at 0 to 10 false alarms an "
        "hour)."
    )
    parser.add_argument("model", metavar="EXP", type=Path, help="model directory")
    parser.add_argument("data", metavar="DATA", type=Path, help="manifest, such as data/test.jsonl")
    parser.add_argument(
        "--keywords",
        metavar="FILE",
        type=Path,
        required=True,
        help="one a line: the word, then its labels where they are not its characters",
    )
    parser.add_argument("--out", metavar="HITS", type=Path, help="JSON-lines file (default: print)")
    parser.add_argument(
        "--threshold", metavar="P", type=float, default=0.05, help="least probability (0.05)"
    )
    parser.add_argument(
        "--window", metavar="S", type=float, default=3.0, help="longest occurrence, seconds (3)"
    )
    parser.add_argument(
        "--inside", action="store_true", help="find characters inside longer words too"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")


def main(args: argparse.Namespace) -> None:
    """Spot, write or print the hits, and print the figure of merit where the truth is known."""
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.decoding.results import Result
    from seqlabel.decoding.spotting import Spotter, read_keywords
    from seqlabel.errors import InputError
    from seqlabel.files import write_jsonl
    from seqlabel.progress import progress_bar
    from seqlabel.recognizer import load

    recognizer, utterances = load(args.model, args.device), read_manifest(args.data)
    alphabet = recognizer.alphabet
    if not args.window > 0:
        raise InputError(f"--window {args.window}: more than 0 seconds are expected")
    separator = " " if alphabet.unit == "character" and " " in alphabet else None
    if args.inside:
        separator = None
    keywords = tuple(read_keywords(args.keywords, alphabet))
    wanted = {keyword.name for keyword in keywords}
    spotter, hits, truth, unknown = None, [], [], []
    seconds = 0.0
    outputs = progress_bar(recognizer.log_probs(utterances), "spotting", len(utterances))
    for utterance, posteriors in outputs:
        if spotter is None:
            frames = max(1, round(args.window / posteriors.period))
            spotter = Spotter(alphabet, keywords, frames, separator, args.threshold)
        times = posteriors.times.tolist()
        spans = spotter.spot(posteriors.log_probs, utterance.id)
        found = Result((), 0.0, tuple(spans)).with_times(times, posteriors.period).spans
        hits += [(utterance.id, hit) for hit in found]
        places = _words_of(utterance, posteriors, alphabet)
        if places is None:
            unknown.append(utterance.id)
        else:
            truth += [(utterance.id, place) for place in places if place[0] in wanted]
            seconds += utterance.duration or times[-1] + posteriors.period
    if args.out is not None:
        names = ("id", "keyword", "start", "end", "probability")
        rows = [(key, word, round(a, 3), round(b, 3), round(p, 4)) for key, (word, a, b, p) in hits]
        write_jsonl(args.out, (dict(zip(names, row, strict=True)) for row in rows))
        print(f"{args.out}: {len(hits)} hits in {len(utterances)} utterances")
    else:
        for key, (word, start, end, probability) in hits:
            print(f"{key}  {word}  {start:.2f}  {end:.2f}  {probability:.3f}")
    if truth:
        known = [(key, hit) for key, hit in hits if key not in set(unknown)]
        _print_merit(known, truth, seconds, unknown)


def _words_of(
    utterance: "Utterance", posteriors: "Posteriors", alphabet: "Alphabet"
) -> list[Place] | None:
    """The words of the transcript with their times; None where nothing is known of them.

    Times by hand where the manifest has them, else those of a forced alignment of characters.
    """
    from seqlabel.decoding.alignment import align, word_spans
    from seqlabel.errors import InputError

    if utterance.words:
        return list(utterance.words)
    if alphabet.unit != "character" or not utterance.labels:
        return None
    try:
        result = align(posteriors.log_probs, utterance.labels, alphabet, utterance.id)
    except InputError:  # the transcript does not fit: it cannot tell where its words are
        return None
    spans = result.with_times(posteriors.times.tolist(), posteriors.period).spans
    return [(span.label, span.start, span.end) for span in word_spans(spans)]


def _print_merit(
    hits: list, truth: list[tuple[str, Place]], seconds: float, unknown: list[str]
) -> None:
    from seqlabel.decoding.spotting_merit import figure_of_merit

    overall, each = figure_of_merit(hits, truth, seconds)
    print("keyword           occurs  found  false  merit")
    for word, merit in [*each.items(), ("(all)", overall)]:
        print(
            f"{word:<16} {merit.occurrences:>7} {merit.found:>6} {merit.false_alarms:>6} "
            f"{merit.merit:>6.1%}"
        )
    if unknown:
        print(f"without known word times, not counted: {', '.join(unknown)}")
