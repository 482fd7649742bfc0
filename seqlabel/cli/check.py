"""seqlabel check: problems of a prepared corpus, found before training."""

import argparse
from pathlib import Path

HELP = "check data for unreadable or short signals, unknown symbols, speakers in two sets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "data", metavar="DATA", type=Path, help="folder written by seqlabel prepare"
    )
    parser.add_argument("--config", metavar="FILE", help="training configuration with the features")
    parser.add_argument(
        "--features",
        metavar="KIND",
        help="features, if there is no --config (fbank, ink_delta ...)",
    )
    parser.add_argument(
        "--reduction",
        metavar="N",
        type=int,
        default=1,
        help="input frames per output of the network (default 1)",
    )


def main(args: argparse.Namespace) -> int:
    """Print each problem on a line of its own and return 1, or say that there is none."""
    from seqlabel.config import load_toml
    from seqlabel.data.checking import find_problems, find_remarks, read_sets
    from seqlabel.data.signals import plain_features
    from seqlabel.errors import InputError, one_line
    from seqlabel.features.front_end import at_corpus_rate, make_extractor

    if args.reduction < 1:
        raise InputError(f"--reduction {args.reduction}: must be at least 1")
    alphabet, splits = read_sets(args.data)
    table = load_toml(args.config).get("features", {}) if args.config else {}
    if args.features:
        table = {"kind": args.features}
    first = {u.kind: u for utterances in splits.values() for u in reversed(utterances)}
    extractors = {
        kind: make_extractor(at_corpus_rate(table or plain_features(utterance), args.data))
        for kind, utterance in first.items()
    }
    problems = 0
    for problem in find_problems(alphabet, splits, extractors, args.reduction):
        problems += 1
        place = " ".join(part for part in (problem.set, one_line(problem.id)) if part)
        print(f"{place}: {problem.reason}" if place else problem.reason)
    for remark in find_remarks(alphabet, splits):
        print(f"remark: {remark}")
    total = sum(len(utterances) for utterances in splits.values())
    print(f"{args.data}: {total} utterances checked, {problems or 'no'} problems")
    return 1 if problems else 0
