"""seqlabel synth: corpora without a licence, in the layouts of real ones."""

import argparse
import sys
from pathlib import Path

HELP = "write a synthetic corpus in the layout of a real one (ink: IAM-OnDB, speech: TIMIT)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="ink|speech")
    ink = kinds.add_parser("ink", help="handwriting of several writers, as IAM-OnDB")
    ink.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    ink.add_argument("--words", action="store_true", help="sentences in place of random strings")
    ink.add_argument(
        "--mixed", action="store_true", help="words, capitals and numbers, in widely varied hands"
    )
    ink.add_argument("--lines", type=int, default=1800, help="training lines (%(default)s)")
    ink.add_argument("--test-lines", type=int, default=360, help="final test (%(default)s)")
    ink.add_argument("--dev-lines", type=int, default=120, help="each validation (%(default)s)")
    ink.add_argument("--writers", type=int, default=60, help="training writers (%(default)s)")
    ink.add_argument("--characters", help="of the random strings (small letters and digits)")
    ink.add_argument(
        "--length", type=int, nargs=2, metavar=("MIN", "MAX"), help="of the random strings (4 10)"
    )
    ink.add_argument("--seed", type=int, default=1)
    ink.set_defaults(write=_ink)
    speech = kinds.add_parser("speech", help="synthetic voices, as TIMIT")
    speech.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    speech.add_argument("--speakers", type=int, default=40, help="for training (%(default)s)")
    speech.add_argument("--sentences", type=int, default=10, help="of each speaker (%(default)s)")
    speech.add_argument("--seed", type=int, default=1)
    speech.set_defaults(write=_speech)


def main(args: argparse.Namespace) -> None:
    """Run the verb."""
    args.write(args)


def _ink(args: argparse.Namespace) -> None:
    from seqlabel.errors import InputError
    from seqlabel.synthetic.ink import InkCorpus, write_corpus
    from seqlabel.synthetic.text import CHARACTERS

    if args.words and args.mixed:
        raise InputError("--words and --mixed: a corpus has one kind of text; give one of them")
    if (args.words or args.mixed) and (args.characters is not None or args.length is not None):
        raise InputError("--characters and --length go with random strings alone")
    others = max(1, args.writers // 6)
    options = InkCorpus(
        lines=(args.lines, args.dev_lines, args.dev_lines, args.test_lines),
        writers=(args.writers, others, others, 2 * others),
        words=args.words,
        mixed=args.mixed,
        characters=CHARACTERS if args.characters is None else args.characters,
        length=(4, 10) if args.length is None else tuple(args.length),
        seed=args.seed,
    )
    written = write_corpus(args.out, options)
    state = "written" if written else "there already"
    print(
        f"{args.out}: {state}; {sum(options.lines)} lines by {sum(options.writers)} writers, "
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
