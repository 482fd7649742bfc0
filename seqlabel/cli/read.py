"""seqlabel read: recognise files and print their text."""

import argparse
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seqlabel.cli.decoders import add_decoder_arguments, make_decoder
from seqlabel.cli.failures import tell
from seqlabel.pretrained import find, names

STANDARD_INPUT = 0
"""Its file descriptor."""

HELP = "recognise audio, ink or image files and print their text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "seqlabel read (EXP | --model NAME) FILE... [options]"
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="EXP FILE",
        help="model directory, .onnx file or name of a model, then the files (-: standard input)",
    )
    parser.add_argument(
        "--model", metavar="NAME",
        help=f"a model that comes with seqlabel, instead of EXP: {', '.join(names())}",
    )  # fmt: skip
    parser.add_argument(
        "--n-best", type=int, default=1, metavar="N", help="number of hypotheses to show"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per file")
    parser.add_argument("--spans", action="store_true", help="print every label with its times")
    add_decoder_arguments(parser)


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.errors import InputError, one_line
    from seqlabel.recognizer import load

    model, files = args.model, args.files
    if model is None:
        model, *files = files
    if not files:
        raise InputError(f"no file given: seqlabel read {model} FILE")
    recognizer = load(find(model) if args.model else model)
    recognizer.decoder, _ = make_decoder(args, recognizer)
    failed = False
    for path in files:
        name = one_line(str(path))
        try:
            with seekable(path) as file:
                result = recognizer.read(file, n_best=args.n_best)
        except InputError as error:
            if len(files) == 1:
                raise
            failed = True
            tell("seqlabel read", str(error))
            if args.json:
                print(json.dumps({"file": str(path), "error": str(error)}, ensure_ascii=False))
            continue
        if args.json:
            print(json.dumps({"file": str(path), **result.to_json()}, ensure_ascii=False))
        elif args.spans or args.n_best > 1:
            print(f"{name}\n{result}")
        else:
            print(f"{name}: {result.text}")
    return 2 if failed else 0


@contextlib.contextmanager
def seekable(path: Path) -> Iterator[Path]:
    """The file; for "-", standard input, and for a pipe a copy of all it has, as long as needed.

    Readers go back in a file, to its header. InputError raised inside names `path`.
    """
    from seqlabel.errors import InputError

    if str(path) != "-" and not path.is_fifo():
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="seqlabel-") as copy:
        with open(path if path.is_fifo() else STANDARD_INPUT, "rb", closefd=path.is_fifo()) as pipe:
            shutil.copyfileobj(pipe, copy)
        copy.flush()
        try:
            yield Path(copy.name)
        except InputError as error:
            raise InputError(str(error).replace(copy.name, str(path))) from None
