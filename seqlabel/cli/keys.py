"""seqlabel keys: explains the keys of configurations and the options of prepare."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.cli.key_sections import Section

HELP = "explain the keys of configurations and the options of prepare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="tables or keys, for example model, features.fbank, prepare.folder, patience; "
        "without a name: the list of tables",
    )


def main(args: argparse.Namespace) -> None:
    """Print the tables that are named, or those that have a key of the name."""
    from seqlabel.cli.key_sections import sections
    from seqlabel.config import did_you_mean
    from seqlabel.errors import InputError

    found = list(sections())
    if not args.names:
        width = max(len(section.name) for section in found)
        for section in found:
            print(f"{section.name:<{width}}  {section.title}")
        return
    chosen: list[Section] = []
    for name in args.names:
        matching = [s for s in found if s.name == name or s.name.startswith(f"{name}.")]
        matching = matching or [s for s in found if any(key == name for key, *_ in s.keys)]
        if not matching:
            known = [s.name for s in found] + [key for s in found for key, *_ in s.keys]
            raise InputError(f"no table or key {name!r}{did_you_mean(name, known)}")
        chosen += [section for section in matching if section not in chosen]
    print("\n\n".join(map(_shown, chosen)))


def _shown(section: "Section") -> str:
    """A section as text: title, docstring, a line for each key."""
    lines = [section.title, "=" * len(section.title)]
    lines += [section.text, ""] if section.text else []
    width = max((len(key) for key, *_ in section.keys), default=0)
    lines += [f"  {key:<{width}}  {default}  ({kind})" for key, kind, default in section.keys]
    return "\n".join(lines)
