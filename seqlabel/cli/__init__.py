"""The command line: `seqlabel VERB ...`, one module per verb.

A verb's module exports `HELP` (one line), `add_arguments(parser)` and `main(args) -> int | None`.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from seqlabel.cli.failures import run_command
from seqlabel.cli.terminal import InertFormatter, inert_terminal

VERBS = (
    "prepare", "manifest", "check", "synth", "features", "train", "decode", "score", "read",
    "listen", "lm", "align", "spot", "show", "export", "demo", "keys",
)  # fmt: skip
"""Verbs in the order of use; each is the module `seqlabel.cli.<verb>`."""


def build_parser(verb: str | None) -> argparse.ArgumentParser:
    """The parser of one verb, or of the verb list when `verb` is None or unknown."""
    if verb in VERBS:
        module = importlib.import_module(f"seqlabel.cli.{verb}")
        parser = argparse.ArgumentParser(prog=f"seqlabel {verb}", description=module.HELP)
        module.add_arguments(parser)
        parser.set_defaults(main=module.main)
        return parser
    from seqlabel import __version__

    lines = [
        f"  {name:<9} {importlib.import_module(f'seqlabel.cli.{name}').HELP}" for name in VERBS
    ]
    parser = argparse.ArgumentParser(
        prog="seqlabel",
        usage="seqlabel VERB ... (seqlabel VERB --help)",
        description="Turns speech into phones or letters and pen strokes into text.",
        epilog="verbs:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"seqlabel {__version__}")
    parser.add_argument("verb", metavar="VERB", choices=VERBS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; exit codes: 0 done, 1 a check failed, 2 bad usage or input, 130 Ctrl-C."""
    argv = list(sys.argv[1:] if argv is None else argv)
    verb = argv[0] if argv else None
    if verb in VERBS:
        parser = build_parser(verb)
        # Options may stand between files, but not where a verb has verbs of its own.
        parse = parser.parse_args if verb == "synth" else parser.parse_intermixed_args
        arguments = parse(argv[1:])
    else:
        parser = build_parser(None)
        if not argv:
            parser.print_help()
            return 2
        parser.parse_args(argv[:1])  # --help and --version end here; anything else is an error
        return 2
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(InertFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("seqlabel").setLevel(logging.INFO)
    with inert_terminal():
        return run_command(f"seqlabel {verb}", lambda: arguments.main(arguments))
