"""The decoder that the command line asks for; shared by `decode` and `read`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.recognizer import Decoder, Recognizer


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


def make_decoder(args: argparse.Namespace, recognizer: "Recognizer") -> tuple["Decoder", str]:
    """The decoder that suits the model, and its description in words, for reports."""
    from seqlabel.decoding import BeamDecoder, GreedyDecoder, NgramLM
    from seqlabel.errors import InputError
    from seqlabel.models.transducer import Transducer, TransducerDecoder

    alphabet, criterion = recognizer.alphabet, recognizer.model.criterion
    models = [name for name in ("lm", "lexicon", "word_lm") if getattr(args, name) is not None]
    if isinstance(criterion, Transducer):
        if models:
            raise InputError(f"--{models[0].replace('_', '-')} does not go with a transducer")
        description = f"transducer, beam {args.beam}" if args.beam else "transducer, greedy"
        return TransducerDecoder(criterion, alphabet, args.beam or 0), description
    if args.beam is None:
        if models:
            option = models[0].replace("_", "-")
            raise InputError(f"--{option} needs a beam search: add --beam 50")
        return GreedyDecoder(alphabet), "greedy"
    description = f"beam {args.beam}"
    lm = None
    if args.lm is not None:
        lm = NgramLM.from_arpa(args.lm)
        description += f", {lm.order}-gram {args.lm.name} x {args.lm_weight:g}"
    if args.bonus:
        description += f", bonus {args.bonus:g}"
    decoder = BeamDecoder(
        alphabet, args.beam, lm=lm, lm_weight=args.lm_weight, bonus=args.bonus
    )  # fmt: skip
    return decoder, description
