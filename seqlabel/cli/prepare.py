"""`seqlabel prepare CORPUS SRC OUT`: a corpus on disk into manifests."""

import argparse
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlabel.config import build, load_toml
from seqlabel.corpora import CORPORA
from seqlabel.files import keep_apart, sole_writer

HELP = "turn a corpus on disk into manifests and an alphabet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "corpus", metavar="CORPUS", choices=list(CORPORA), help="one of the corpora below"
    )
    parser.add_argument("source", metavar="SRC", type=Path, help="folder or file of the corpus")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write")
    parser.add_argument("--config", metavar="FILE", help="TOML file with options of the corpus")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="set an option of the corpus; overrides --config",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "options of each corpus (seqlabel keys prepare.folder explains those of folder):\n"
    )
    parser.epilog += "\n".join(_option_lines())


def main(args: argparse.Namespace) -> None:
    """Read the corpus, write OUT and print a line for each set."""
    corpus = CORPORA[args.corpus]
    table = load_toml(args.config or os.devnull, args.set)
    options = build(corpus.Options, table, args.config or args.corpus)
    keep_apart(args.out, args.source)
    prepared = corpus.prepare(args.source, options)
    for name in prepared.splits:
        keep_apart(args.out / f"{name}.jsonl", args.source)
    with sole_writer(args.out):
        prepared.save(args.out)
    facts = prepared.facts()
    for name, size in facts["counts"].items():
        minutes = f"{size['minutes']:.2f} min, " if prepared.kind == "speech" else ""
        print(
            f"{name}: {size['utterances']} utterances of {size['speakers']} speakers, "
            f"{minutes}{size['labels']} labels"
        )
    for note in facts["notes"]:
        print(f"note: {note}")
    if facts["skipped"]:
        print(f"skipped: {len(facts['skipped'])}, named in {args.out / 'corpus.json'}")


def _option_lines() -> Iterator[str]:
    """The options of each corpus; those shared by all readers of own data are listed once."""
    shared = {field.name for field in dataclasses.fields(CORPORA["folder"].Options)}
    own = [
        name
        for name, corpus in CORPORA.items()
        if shared <= {field.name for field in dataclasses.fields(corpus.Options)}
    ]
    for name, corpus in CORPORA.items():
        fields = dataclasses.fields(corpus.Options)
        if name == "folder":
            yield f"  {', '.join(own)}:"
            yield f"      {' '.join(map(_option, fields))}"
        elif name not in own:
            yield f"  {name:<9} {' '.join(map(_option, fields))}"
        elif more := [field for field in fields if field.name not in shared]:
            yield f"  {name:<9} and {' '.join(map(_option, more))}"


def _option(field: dataclasses.Field[Any]) -> str:
    """An option as `--set` takes it, with its default if that is a plain value."""
    if isinstance(field.default, bool):
        return f"{field.name}={str(field.default).lower()}"
    plain = isinstance(field.default, str | int | float) and field.default != ""
    return f"{field.name}={field.default}" if plain else f"{field.name}=..."
