"""`seqlabel manifest DATA OUT --to FORMAT`: prepared speech as lists for other tools."""

import argparse
from pathlib import Path

from seqlabel.corpora.exchange import WRITERS

HELP = "write prepared speech as a Kaldi, lhotse or NeMo list or as .stm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.description = (
        "Write prepared speech as a list for another tool. The list refers to the recordings where "
        "they are, and segments stay segments. seqlabel prepare reads these lists."
    )
    parser.add_argument("data", metavar="DATA", type=Path, help="manifest, such as data/test.jsonl")
    parser.add_argument(
        "out", metavar="OUT", type=Path,
        help="folder (kaldi) or file (lhotse: .jsonl or .jsonl.gz; nemo: .json; stm)",
    )  # fmt: skip
    parser.add_argument("--to", choices=list(WRITERS), required=True, help="format to write")


def main(args: argparse.Namespace) -> None:
    """Read the manifest, write OUT, and print its size."""
    from seqlabel.corpora.exchange import export
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.errors import InputError
    from seqlabel.files import keep_apart

    if args.data.is_dir():
        raise InputError(
            f"{args.data}: is a folder; name one of its manifests, such as train.jsonl"
        )
    keep_apart(args.out, args.data)
    utterances = read_manifest(args.data)
    export(args.out, utterances, args.to)
    minutes = sum(utterance.duration for utterance in utterances) / 60
    print(f"{args.out}: {len(utterances)} utterances, {minutes:.2f} min")
