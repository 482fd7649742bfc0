"""The decoder options of the command line."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from seqlabel.alphabet import Alphabet
    from seqlabel.decoding import NgramLM
    from seqlabel.models.inference import TorchNetwork
    from seqlabel.recognizer import Decoder, Recognizer


def add_decoder_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the decoder: greedy without any of them, else a beam search."""
    group = parser.add_argument_group("decoder (greedy without --beam)")
    group.add_argument("--beam", type=int, metavar="N", help="prefix beam search of this width")
    group.add_argument("--lm", type=Path, metavar="ARPA", help="n-gram over labels")
    group.add_argument(
        "--lexicon", type=Path, metavar="FILE",
        help="output only words of this file (lines: WORD, or WORD LABEL LABEL ...); words are "
        "separated by a space or a silence (sil) if the alphabet has one",
    )  # fmt: skip
    group.add_argument("--word-lm", type=Path, metavar="ARPA", help="n-gram over words")
    group.add_argument(
        "--unknown-penalty", type=float, metavar="NATS",
        help="allow words that are not in the lexicon, at this cost each",
    )  # fmt: skip
    group.add_argument(
        "--lm-weight", type=float, metavar="W", help="weight of the language model (default 1.0)"
    )
    group.add_argument(
        "--bonus", type=float, metavar="B",
        help="nats added for each label, or for each word with --lexicon (default 0)",
    )  # fmt: skip


def make_decoder(args: argparse.Namespace, recognizer: "Recognizer") -> tuple["Decoder", str]:
    """The decoder for a model, and its description for reports."""
    from seqlabel.decoding import GreedyDecoder
    from seqlabel.errors import InputError

    alphabet = recognizer.alphabet
    options = "lm", "lexicon", "word_lm", "unknown_penalty", "lm_weight", "bonus"
    given = [f"--{name.replace('_', '-')}" for name in options if getattr(args, name) is not None]
    if recognizer.values is not None:
        raise InputError("this model predicts values, not labels: seqlabel decode writes them")
    if not recognizer.network.per_label:
        if given:
            raise InputError(f"{given[0]} is not for transducers: leave it out")
        if args.beam is None:
            return recognizer.decoder, "transducer, greedy"
        if args.beam < 1:
            raise InputError(f"--beam {args.beam}: must be at least 1")
        decoder = cast("TorchNetwork", recognizer.network).decoder(alphabet, args.beam)
        return cast("Decoder", decoder), f"transducer, beam {args.beam}"
    if args.beam is None:
        if given:
            raise InputError(f"{given[0]} needs a beam search: add --beam 50")
        return _with_levels(alphabet, GreedyDecoder(alphabet)), "greedy"
    if args.lexicon is not None and args.lm is not None:
        raise InputError("--lm is over labels; with --lexicon use --word-lm")
    if args.lexicon is None and args.word_lm is not None:
        raise InputError("--word-lm is over words: add --lexicon")
    from seqlabel.decoding import BeamDecoder, Lexicon, NgramLM  # numba, when it is needed

    path = args.word_lm or args.lm
    if path is None and args.lm_weight is not None:
        raise InputError("--lm-weight needs --lm or --word-lm")
    weight = 1.0 if args.lm_weight is None else args.lm_weight
    bonus = args.bonus or 0.0
    lm = None if path is None else NgramLM.from_arpa(path)
    lexicon = None if args.lexicon is None else Lexicon.from_file(args.lexicon, alphabet)
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
    """The decoder of the labels, and of the levels below them if the model has some."""
    from seqlabel.decoding import LevelsDecoder

    return LevelsDecoder(alphabet, decoder) if alphabet.levels else decoder


def _check_vocabulary(lm: "NgramLM", path: Path, wanted: Sequence[str]) -> None:
    """Raise InputError if a model contains none of the labels or words, warn if it lacks most.

    For an n-gram over words every label is an unknown word, and vice versa.
    """
    from seqlabel.errors import InputError

    known = sum(word in lm for word in wanted)
    if not known:
        raise InputError(
            f"{path}: contains none of the {len(wanted)} labels or words of the decoder; --lm is "
            "an n-gram over labels, --word-lm one over the words of --lexicon"
        )
    if 2 * known < len(wanted):
        logging.getLogger("seqlabel").warning(
            "%s: contains only %d of %d labels or words; the others count as unknown",
            path,
            known,
            len(wanted),
        )
