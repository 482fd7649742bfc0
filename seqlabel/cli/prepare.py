"""`seqlabel prepare CORPUS SRC OUT`: a corpus on disk becomes manifests."""

import argparse
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlabel.config import build, load_toml
from seqlabel.corpora import CORPORA
from seqlabel.files import sole_writer

HELP = "turn a corpus on disk into manifests and an alphabet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "corpus", metavar="CORPUS", choices=list(CORPORA), help="one of those below"
    )
    parser.add_argument("source", metavar="SRC", type=Path, help="its folder, or file")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write")
    parser.add_argument("--config", metavar="FILE", help="TOML file with options of the corpus")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the corpus, over the file's",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "options of each corpus with their defaults:\n" + "\n".join(_option_lines())


def main(args: argparse.Namespace) -> None:
    """Read the corpus, write OUT and print the size of each set in one line."""
    corpus = CORPORA[args.corpus]
    table = load_toml(args.config or os.devnull, args.set)
    options = build(corpus.Options, table, args.config or args.corpus)
    prepared = corpus.prepare(args.source, options)
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
    """The options of each corpus; those that all of a person's own data share stand in one line."""
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
    """An option as `--set` takes it, with its default where that is one plain value."""
    if isinstance(field.default, bool):
        return f"{field.name}={str(field.default).lower()}"
    plain = isinstance(field.default, str | int | float) and field.default != ""
    return f"{field.name}={field.default}" if plain else f"{field.name}=..."
