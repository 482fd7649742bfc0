"""seqlabel demo: a web page that recognises writing and speech."""

import argparse
import copy
from pathlib import Path
from typing import TYPE_CHECKING

from seqlabel.cli.decoders import add_decoder_arguments, make_decoder

if TYPE_CHECKING:
    from seqlabel.demo.reading import Choice, Reader
    from seqlabel.recognizer import Recognizer

HELP = "recognise writing and speech in a browser"

PORT = 8765
BEAM = 25
MODELS = "lm", "lexicon", "word_lm", "unknown_penalty", "lm_weight", "bonus"
"""Options of decoders with a language model or lexicon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", type=Path, nargs="*", metavar="EXP",
        help="model directories of ink or speech, or names of models that come with seqlabel "
        "(default: all of these)",
    )  # fmt: skip
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR",
        help="folder for corrected samples, to be read by seqlabel prepare folder",
    )  # fmt: skip
    parser.add_argument(
        "--port",
        type=int,
        default=PORT,
        help=f"port (default {PORT}, or the next free one; 0: any)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="accept connections on this address, without a login (default: this machine only)",
    )  # fmt: skip
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser"
    )
    add_decoder_arguments(parser)


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.demo.corpus import Corpus
    from seqlabel.demo.reading import Readers
    from seqlabel.demo.security import is_loopback
    from seqlabel.demo.server import App, open_server, serve
    from seqlabel.errors import InputError

    if args.corpus is not None and args.corpus.exists() and not args.corpus.is_dir():
        raise InputError(f"--corpus {args.corpus}: is a file; name a folder")
    readers = Readers()
    readers.models = readers.run(_readers, args)
    app = App(readers, None if args.corpus is None else Corpus(args.corpus))
    with open_server(app, args.host, args.port) as server:
        if args.port not in (0, server.server_port):
            print(f"port {args.port} is in use; using {server.server_port}")
        if not is_loopback(args.host):
            print(
                "whoever knows this address can use it, elsewhere with the name or address of this "
                "machine in it; browsers there allow no microphone without HTTPS:"
            )
        print(f"{server.gate.address}  (Ctrl-C ends it)", flush=True)
        serve(server, open_browser=not args.no_browser)
    return 0


def _readers(args: argparse.Namespace) -> list["Reader"]:
    from seqlabel.demo.reading import Reader
    from seqlabel.errors import InputError
    from seqlabel.pretrained import names, resolve
    from seqlabel.recognizer import load

    given = [f"--{name.replace('_', '-')}" for name in MODELS if getattr(args, name) is not None]
    models = args.models or [Path(name) for name in names()]
    if not models:
        raise InputError("this installation has no models; give EXP, a model directory")
    if given and len(models) > 1:
        raise InputError(f"{given[0]} needs exactly one model: give one EXP")
    readers = []
    for path in models:
        recognizer = load(path)
        if recognizer.kind not in ("ink", "speech"):
            raise InputError(
                f"{path}: a model of {recognizer.kind}s; give a model of ink or speech"
            )
        name = "/".join(path.resolve().parts[-2:]) if path.exists() else path.name
        sound = resolve(path) / "example.wav"
        example = sound if sound.is_file() else None
        readers.append(Reader(name, recognizer, _choices(args, recognizer, bool(given)), example))
    return readers


def _choices(
    args: argparse.Namespace, recognizer: "Recognizer", informed: bool
) -> tuple["Choice", ...]:
    """Greedy, a beam search, and one with the language models given."""
    from seqlabel.demo.reading import READINGS, Choice

    beam = BEAM if args.beam is None else args.beam
    plain: dict[str, int | None] = dict.fromkeys(MODELS)
    wanted = [(plain | {"beam": None}, "path"), (plain | {"beam": beam}, "posterior")]
    if informed:
        wanted.append(({"beam": beam}, "score"))
    choices = []
    for options, scale in wanted:
        chosen = copy.copy(args)
        vars(chosen).update(options)
        decoder, title = make_decoder(chosen, recognizer)
        scale = scale if recognizer.network.per_label else "score"
        count = 1 if chosen.beam is None else READINGS
        choices.append(Choice(title, decoder, scale, count))
    return tuple(choices)
