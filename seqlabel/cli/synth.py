"""seqlabel synth: synthetic corpora in the layouts of real ones."""

import argparse
import sys
from pathlib import Path
from typing import Any

HELP = "write a synthetic corpus in the layout of a real one (IAM-OnDB, IAM, TIMIT)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="ink|image|speech")
    ink = kinds.add_parser("ink", help="online handwriting, in the layout of IAM-OnDB")
    _add_handwriting(ink)
    ink.set_defaults(write=_ink)
    image = kinds.add_parser(
        "image", help="the same handwriting as scanned lines, in the layout of IAM"
    )
    _add_handwriting(image)
    image.add_argument(
        "--pen", type=float, nargs=2, metavar=("MIN", "MAX"), help="pen width in pixels (1.2 3.2)"
    )
    image.add_argument("--slant", type=float, default=0.1, help="slant of lines (%(default)s)")
    image.add_argument("--noise", type=float, default=0.05, help="noise of pixels (%(default)s)")
    image.add_argument(
        "--background", type=float, default=0.3, help="unevenness of the paper (%(default)s)"
    )
    image.set_defaults(write=_image)
    speech = kinds.add_parser("speech", help="synthetic voices, in the layout of TIMIT")
    speech.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    speech.add_argument("--speakers", type=int, default=40, help="training speakers (%(default)s)")
    speech.add_argument(
        "--sentences", type=int, default=10, help="sentences per speaker (%(default)s)"
    )
    speech.add_argument("--seed", type=int, default=1)
    speech.set_defaults(write=_speech)


def _add_handwriting(parser: argparse.ArgumentParser) -> None:
    """Arguments of the corpora of handwriting."""
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--words", action="store_true", help="sentences instead of random strings")
    parser.add_argument(
        "--mixed", action="store_true", help="words, capitals and numbers, in widely varied hands"
    )
    parser.add_argument("--lines", type=int, default=1800, help="training lines (%(default)s)")
    parser.add_argument("--test-lines", type=int, default=360, help="test lines (%(default)s)")
    parser.add_argument(
        "--dev-lines", type=int, default=120, help="lines of each validation set (%(default)s)"
    )
    parser.add_argument("--writers", type=int, default=60, help="training writers (%(default)s)")
    parser.add_argument("--characters", help="characters of the random strings (default: a-z, 0-9)")
    parser.add_argument(
        "--length",
        type=int,
        nargs=2,
        metavar=("MIN", "MAX"),
        help="length of the random strings (4 10)",
    )
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    """Run the verb."""
    args.write(args)


def _ink(args: argparse.Namespace) -> None:
    from seqlabel.synthetic.ink import InkCorpus, write_corpus

    options = InkCorpus(**_handwriting(args))
    _say(args.out, write_corpus(args.out, options), options)


def _image(args: argparse.Namespace) -> None:
    from seqlabel.synthetic.image import ImageCorpus, write_corpus

    drawn = {"slant": args.slant, "noise": args.noise, "background": args.background}
    if args.pen is not None:
        drawn["pen"] = tuple(args.pen)
    options = ImageCorpus(**_handwriting(args), **drawn)
    _say(args.out, write_corpus(args.out, options), options)


def _handwriting(args: argparse.Namespace) -> dict[str, Any]:
    """The options of a corpus of handwriting."""
    from seqlabel.errors import InputError
    from seqlabel.synthetic.text import CHARACTERS

    if args.words and args.mixed:
        raise InputError("--words and --mixed exclude each other: give one of them")
    if (args.words or args.mixed) and (args.characters is not None or args.length is not None):
        raise InputError(
            "--characters and --length are for random strings only: leave out --words and --mixed"
        )
    others = max(1, args.writers // 6)
    return {
        "lines": (args.lines, args.dev_lines, args.dev_lines, args.test_lines),
        "writers": (args.writers, others, others, 2 * others),
        "words": args.words,
        "mixed": args.mixed,
        "characters": CHARACTERS if args.characters is None else args.characters,
        "length": (4, 10) if args.length is None else tuple(args.length),
        "seed": args.seed,
    }


def _say(out: Path, written: bool, options: Any) -> None:
    state = "written" if written else "there already"
    print(
        f"{out}: {state}; {sum(options.lines)} lines by {sum(options.writers)} writers, "
        f"{options.lines[0]} for training",
        file=sys.stderr,
    )


def _speech(args: argparse.Namespace) -> None:
    from seqlabel.synthetic.speech import SpeechCorpus, write_corpus

    options = SpeechCorpus(
        speakers=(args.speakers, max(1, args.speakers // 8), max(1, args.speakers // 4)),
        sentences=args.sentences,
        seed=args.seed,
    )
    written = write_corpus(args.out, options)
    state = "written" if written else "there already"
    train, dev, test = options.speakers
    print(
        f"{args.out}: {state}; {options.sentences} sentences of each of {train} training, "
        f"{dev} dev and {test} test speakers",
        file=sys.stderr,
    )
