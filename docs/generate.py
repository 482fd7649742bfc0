"""Writes the reference pages that follow from the code: configuration keys, verbs, Python API.

    python docs/generate.py docs/reference

A docstring is Markdown as it stands: paragraphs, backquotes, indented examples.
"""

import contextlib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seqlabel.cli import VERBS, build_parser
from seqlabel.cli.key_sections import sections
from seqlabel.pretrained import CARD, find, names
from seqlabel.scoring import PROTOCOLS

MODULES = (
    "seqlabel",
    "seqlabel.alphabet",
    "seqlabel.decoding",
    "seqlabel.decoding.alignment",
    "seqlabel.decoding.confidence",
    "seqlabel.decoding.spotting",
    "seqlabel.scoring",
    "seqlabel.report",
    "seqlabel.inputs",
    "seqlabel.lstm",
    "seqlabel.models.ctc",
    "seqlabel.pretrained",
)
"""What the API page shows: the names in `__all__`, or else those defined in the module itself."""


def write_reference(folder: Path) -> None:
    """Write configuration.md into a folder, and verbs.md, api.md and models.md into `generated`."""
    (folder / "generated").mkdir(parents=True, exist_ok=True)
    pages = {
        "configuration": configuration(),
        "generated/verbs": verbs(),
        "generated/api": api(),
        "generated/models": models(),
    }
    for name, lines in pages.items():
        text = "\n".join(lines).rstrip() + "\n"
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")


def configuration() -> Iterator[str]:
    """Every key of a configuration with its type and default, from the dataclasses."""
    yield "# Configuration keys\n"
    yield (
        "A configuration is a TOML file. An unknown key is an error that names the nearest known "
        'one. `base = "other.toml"` at the top takes over what this file does not set. '
        "`--set table.key=value` overrides a key on the command line. A run directory holds the "
        "configuration with every default spelled out. `seqlabel keys NAME` prints these sections "
        "on a terminal.\n"
    )
    yield (
        "The options of `seqlabel prepare` are at the end: `--config FILE` names a TOML file with "
        "them, `--set key=value` sets one.\n"
    )
    for section in sections():
        yield f"## {section.title}\n"
        if section.text:
            yield f"{as_list(section.text)}\n"
        if section.keys:
            yield "| key | type | default |\n|---|---|---|"
            for key, kind, default in section.keys:
                yield f"| `{key}` | {kind} | `{default}` |"
            yield ""
    yield "## Scoring protocols\n"
    yield "| name | what is scored | tokens |\n|---|---|---|"
    for protocol in PROTOCOLS.values():
        yield f"| `{protocol.name}` | {protocol.note} | {protocol.tokens} |"


def as_list(docstring: str) -> str:
    """The lines of a docstring that explain options (`key, key: words`) as a list."""
    return re.sub(r"(?m)^([a-z_0-9]+(?:, [a-z_0-9]+)*): ", r"- **\1**: ", docstring)


def verbs() -> Iterator[str]:
    """`seqlabel VERB --help` of every verb."""
    yield "# Command line\n"
    yield "`seqlabel VERB --help` prints the same on a terminal.\n"
    with wide_terminal():
        for verb in VERBS:
            module = importlib.import_module(f"seqlabel.cli.{verb}")
            yield f"## seqlabel {verb}\n"
            yield f"{module.HELP[:1].upper()}{module.HELP[1:]}.\n"
            yield f"```text\n{build_parser(verb).format_help().rstrip()}\n```\n"


@contextlib.contextmanager
def wide_terminal(columns: str = "88") -> Iterator[None]:
    """argparse wraps at the width of the terminal; pages want one width."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = columns
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def models() -> Iterator[str]:
    """The cards of the pretrained models."""
    yield "# Pretrained models\n"
    yield (
        "`seqlabel.load(NAME)`, `seqlabel read --model NAME`, and every verb that takes a model "
        "directory take these names.\n"
    )
    for name in names():
        yield f"#{(find(name) / CARD).read_text('utf-8')}"


def api() -> Iterator[str]:
    """The public classes and functions with their docstrings."""
    yield "# Python API\n"
    for name in MODULES:
        module = importlib.import_module(name)
        yield f"## {name}\n"
        yield f"{inspect.getdoc(module)}\n"
        for public in public_names(module):
            yield from entry(f"{name}.{public}", getattr(module, public))


def public_names(module: Any) -> Iterable[str]:
    """The names a user imports from a module."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not name.startswith("__")]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


def entry(name: str, value: Any) -> Iterator[str]:
    """One class or function; classes with their public methods."""
    if not (inspect.isclass(value) or callable(value)):
        return
    short = name.rpartition(".")[2]
    yield f"### {short}\n"
    yield f"```python\n{short}{signature(value)}\n```\n"
    yield f"{inspect.getdoc(value) or ''}\n"
    if not inspect.isclass(value):
        return
    for member, function in vars(value).items():
        if member.startswith("_"):
            continue
        plain = function.__func__ if isinstance(function, classmethod | staticmethod) else function
        if isinstance(plain, property):
            yield f"**`{short}.{member}`** {first_paragraph(plain)}\n"
        elif inspect.isfunction(plain) and plain.__doc__:
            yield f"```python\n{short}.{member}{signature(plain)}\n```\n"
            yield f"{inspect.getdoc(plain)}\n"


def signature(value: Any) -> str:
    """Arguments without annotations, which the docstring says in words."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return "(...)"
    kept = [p.replace(annotation=p.empty) for p in parameters if p.name not in ("self", "cls")]
    return str(inspect.Signature(kept))


def first_paragraph(value: Any) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
