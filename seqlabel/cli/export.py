"""seqlabel export: a trained model becomes one ONNX file."""

import argparse
from pathlib import Path

HELP = "write a model as an ONNX file that reads without torch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        type=Path,
        metavar="EXP",
        help="model directory, or the name of a model that comes along",
    )
    parser.add_argument("out", type=Path, metavar="OUT.onnx", help="file to write")
    parser.add_argument(
        "--front-end", action="store_true",
        help="samples in, log-probabilities out: put the speech features into the graph",
    )  # fmt: skip


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.errors import InputError
    from seqlabel.export.writer import export

    if args.out.suffix != ".onnx":
        raise InputError(f"{args.out}: the name of an exported model ends in .onnx")
    export(args.model, args.out, args.front_end)
    return 0
