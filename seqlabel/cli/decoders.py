"""The decoder that the command line asks for; shared by `decode` and `read`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.alphabet import Alphabet
    from seqlabel.recognizer import Decoder


def add_decoder_arguments(parser: argparse.ArgumentParser) -> None:
    """Greedy without any of these; a beam search with them."""
    group = parser.add_argument_group("decoder (greedy without --beam)")
    group.add_argument("--beam", type=int, metavar="N", help="prefix beam search of this width")
    group.add_argument("--lm", type=Path, metavar="ARPA", help="n-gram over labels")
    group.add_argument("--lexicon", type=Path, metavar="FILE", help="words and their spellings")
    group.add_argument("--word-lm", type=Path, metavar="ARPA", help="n-gram over words")
    group.add_argument("--lm-weight", type=float, default=1.0, metavar="W", help="default 1.0")
    group.add_argument(
        "--bonus", type=float, default=0.0, metavar="B",
        help="added in nats for every label, or word where there is a lexicon (default 0)",
    )  # fmt: skip


def make_decoder(args: argparse.Namespace, alphabet: "Alphabet") -> tuple["Decoder", str]:
    """The decoder and its description in words, for reports."""
    from seqlabel.decoding import BeamDecoder, GreedyDecoder

    if args.beam is None:
        for name in ("lm", "lexicon", "word_lm"):
            if getattr(args, name) is not None:
                from seqlabel.errors import InputError

                raise InputError(f"--{name.replace('_', '-')} needs a beam search: add --beam 50")
        return GreedyDecoder(alphabet), "greedy"
    return BeamDecoder(alphabet, beam=args.beam), f"beam {args.beam}"
