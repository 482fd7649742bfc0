"""seqlabel check: problems of a prepared corpus, found before training."""

import argparse
from pathlib import Path

HELP = "check data for unreadable or short signals, unknown symbols, speakers in two sets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "data", metavar="DATA", type=Path, help="folder written by seqlabel prepare"
    )
    parser.add_argument(
        "--config", metavar="FILE", help="training configuration: features, frames, criterion"
    )
    parser.add_argument(
        "--features",
        metavar="KIND",
        help="features instead of those of --config (fbank, ink_delta ...)",
    )
    parser.add_argument(
        "--reduction",
        metavar="N",
        type=int,
        help="extracted frames per output of the network (default: that of --config, or 1)",
    )


def main(args: argparse.Namespace) -> int:
    """Print each problem on a line of its own and return 1, or say that there is none."""
    from seqlabel.data.checking import find_problems, find_remarks, read_sets
    from seqlabel.data.signals import plain_features
    from seqlabel.errors import InputError, one_line
    from seqlabel.features.front_end import at_corpus_rate, make_extractor

    if args.reduction is not None and args.reduction < 1:
        raise InputError(f"--reduction {args.reduction}: must be at least 1")
    alphabet, splits = read_sets(args.data)
    table, reduction, framewise = {}, 1, False
    if args.config:
        from seqlabel.models.criteria import has_levels
        from seqlabel.training.experiment import Experiment

        features = [f"features={{kind={args.features!r}}}"] if args.features else []
        experiment = Experiment.load(args.config, features)
        table = experiment.features
        reduction = experiment.front_end.stride * experiment.model.reduction
        framewise = experiment.criterion.get("kind") == "framewise"
        if not has_levels(experiment.criterion):
            alphabet = alphabet.alone
    elif args.features:
        table = {"kind": args.features}
    first = {u.kind: u for utterances in splits.values() for u in reversed(utterances)}
    extractors = {
        kind: make_extractor(at_corpus_rate(table or plain_features(utterance), args.data))
        for kind, utterance in first.items()
    }
    problems = 0
    reduction = args.reduction or reduction
    for problem in find_problems(alphabet, splits, extractors, reduction, framewise):
        problems += 1
        place = " ".join(part for part in (problem.set, one_line(problem.id)) if part)
        print(f"{place}: {problem.reason}" if place else problem.reason)
    for remark in find_remarks(alphabet, splits):
        print(f"remark: {remark}")
    total = sum(len(utterances) for utterances in splits.values())
    print(f"{args.data}: {total} utterances checked, {problems or 'no'} problems")
    return 1 if problems else 0
