"""Finding a corpus below the given folder."""

from collections.abc import Callable
from pathlib import Path

from seqlabel.errors import InputError


def find_folder(source: Path, holds: Callable[[set[str]], bool], corpus: str) -> Path:
    """The folder of a corpus: `source` itself, or the only one at most two levels below it.

    holds: whether the lower-case names in a folder are those of the corpus. corpus: its name for
    messages. Raises InputError if there is none, or more than one.
    """
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; name that of {corpus}")
    level = [source]
    for _ in range(3):
        found = sorted(f for f in level if holds({entry.name.lower() for entry in f.iterdir()}))
        if len(found) > 1:
            raise InputError(
                f"{source}: {corpus} occurs more than once ({found[0].name}, {found[1].name}); "
                "name one of them"
            )
        if found:
            return found[0]
        level = [entry for folder in level for entry in folder.iterdir() if entry.is_dir()]
    raise InputError(f"{source}: does not contain {corpus}; name its folder")


def find_below(
    root: Path, name: str, depth: int, avoid: frozenset[str] = frozenset()
) -> list[Path]:
    """Files and folders called `name`, in any letter case, at the smallest depth that has one.

    depth: levels below `root` that are searched. avoid: lower-case names of folders that are not
    entered.
    """
    level = [root]
    for _ in range(depth):
        entries = sorted(entry for folder in level for entry in folder.iterdir())
        found = [entry for entry in entries if entry.name.lower() == name.lower()]
        if found:
            return found
        level = [e for e in entries if e.is_dir() and e.name.lower() not in avoid]
    return []
