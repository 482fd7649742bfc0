"""seqlabel export: a trained model as one ONNX file."""

import argparse
from pathlib import Path

HELP = "write a model as an ONNX file, which needs no torch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        type=Path,
        metavar="EXP",
        help="model directory, or the name of a model that comes with seqlabel",
    )
    parser.add_argument("out", type=Path, metavar="OUT.onnx", help="file to write")
    parser.add_argument(
        "--front-end", action="store_true",
        help="put the speech features into the graph too: samples in, log-probabilities out",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.errors import InputError
    from seqlabel.export.writer import export

    if args.out.suffix != ".onnx":
        raise InputError(f"{args.out}: the name must end in .onnx")
    export(args.model, args.out, args.front_end)
    return 0
