"""The decoder that the command line asks for; shared by `decode` and `read`."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from seqlabel.alphabet import Alphabet
    from seqlabel.decoding import Lexicon, NgramLM
    from seqlabel.models.inference import TorchNetwork
    from seqlabel.recognizer import Decoder, Recognizer


def add_decoder_arguments(parser: argparse.ArgumentParser) -> None:
    """Greedy without any of these; a beam search with them."""
    group = parser.add_argument_group("decoder (greedy without --beam)")
    group.add_argument("--beam", type=int, metavar="N", help="prefix beam search of this width")
    group.add_argument("--lm", type=Path, metavar="ARPA", help="n-gram over labels")
    group.add_argument(
        "--lexicon", type=Path, metavar="FILE",
        help="write words of this file alone: WORD, or WORD LABEL LABEL ..., a line; between words "
        "stands a blank where the alphabet has one, else a silence (sil) or nothing",
    )  # fmt: skip
    group.add_argument("--word-lm", type=Path, metavar="ARPA", help="n-gram over words")
    group.add_argument(
        "--unknown-penalty", type=float, metavar="NATS",
        help="allow words that the lexicon lacks, at this cost each",
    )  # fmt: skip
    group.add_argument("--lm-weight", type=float, metavar="W", help="default 1.0")
    group.add_argument(
        "--bonus", type=float, metavar="B",
        help="added in nats for every label, or word where there is a lexicon (default 0)",
    )  # fmt: skip


def make_decoder(args: argparse.Namespace, recognizer: "Recognizer") -> tuple["Decoder", str]:
    """The decoder that suits the model, and its description in words, for reports."""
    from seqlabel.decoding import GreedyDecoder
    from seqlabel.errors import InputError

    alphabet = recognizer.alphabet
    options = "lm", "lexicon", "word_lm", "unknown_penalty", "lm_weight", "bonus"
    given = [f"--{name.replace('_', '-')}" for name in options if getattr(args, name) is not None]
    if recognizer.values is not None:
        raise InputError(
            "this model predicts values, it has no labels: seqlabel decode writes them"
        )
    if not recognizer.network.per_label:
        if given:
            raise InputError(f"{given[0]} does not go with a transducer")
        if args.beam is None:
            return recognizer.decoder, "transducer, greedy"
        if args.beam < 1:
            raise InputError(f"--beam {args.beam}: at least 1 is expected")
        decoder = cast("TorchNetwork", recognizer.network).decoder(alphabet, args.beam)
        return cast("Decoder", decoder), f"transducer, beam {args.beam}"
    if args.beam is None:
        if given:
            raise InputError(f"{given[0]} needs a beam search: add --beam 50")
        return _with_levels(alphabet, GreedyDecoder(alphabet)), "greedy"
    if args.lexicon is not None and args.lm is not None:
        raise InputError("--lm counts labels; with --lexicon give --word-lm")
    if args.lexicon is None and args.word_lm is not None:
        raise InputError("--word-lm counts words: give a --lexicon too")
    from seqlabel.decoding import BeamDecoder, NgramLM  # numba, when it is needed

    path = args.word_lm or args.lm
    if path is None and args.lm_weight is not None:
        raise InputError("--lm-weight weighs a --lm or a --word-lm: give one of them")
    weight = 1.0 if args.lm_weight is None else args.lm_weight
    bonus = args.bonus or 0.0
    lm = None if path is None else NgramLM.from_arpa(path)
    lexicon = None if args.lexicon is None else _read_lexicon(args.lexicon, alphabet)
    if lm is not None:
        _check_vocabulary(lm, path, alphabet.symbols if lexicon is None else lexicon.words)
    beam = BeamDecoder(
        alphabet, args.beam, lm=lm, lexicon=lexicon, unknown_penalty=args.unknown_penalty,
        lm_weight=weight, bonus=bonus,
    )  # fmt: skip
    parts = [f"beam {args.beam}"]
    if lexicon is not None:
        parts.append(f"{len(lexicon)} words of {args.lexicon.name}")
    if args.unknown_penalty is not None:
        parts.append(f"other words for {args.unknown_penalty:g}")
    if lm is not None:
        unit = "words" if lexicon is not None else "labels"
        parts.append(f"{lm.order}-gram over {unit} {path.name} x {weight:g}")
    if bonus:
        parts.append(f"bonus {bonus:g}")
    return _with_levels(alphabet, beam), ", ".join(parts)


def _with_levels(alphabet: "Alphabet", decoder: "Decoder") -> "Decoder":
    """The decoder of the labels, and of the levels below them where the model has some."""
    from seqlabel.decoding import LevelsDecoder

    return LevelsDecoder(alphabet, decoder) if alphabet.levels else decoder


def _check_vocabulary(lm: "NgramLM", path: Path, wanted: Sequence[str]) -> None:
    """Raise InputError where a model knows none of the labels or words, warn where it lacks most.

    An n-gram over words takes every label for an unknown word, and the other way round.
    """
    from seqlabel.errors import InputError

    known = sum(word in lm for word in wanted)
    if not known:
        raise InputError(
            f"{path}: knows none of the {len(wanted)} labels or words that it is to judge; --lm is "
            "an n-gram over labels, --word-lm one over the words of --lexicon"
        )
    if 2 * known < len(wanted):
        logging.getLogger("seqlabel").warning(
            "%s: knows only %d of %d; the others count as unknown", path, known, len(wanted)
        )


def _read_lexicon(path: Path, alphabet: "Alphabet") -> "Lexicon":
    """The lexicon of a file, with the separator that suits the alphabet."""
    from seqlabel.decoding import Lexicon

    if " " in alphabet:
        return Lexicon.from_file(path, alphabet, " ")
    if "sil" in alphabet:
        return Lexicon.from_file(path, alphabet, "sil", optional=True)
    return Lexicon.from_file(path, alphabet)
