"""What IAM and IAM-OnDB share: set lists and writers, whom no two official sets share."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seqlabel.corpora.folders import find_below
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import shared_speakers
from seqlabel.errors import InputError
from seqlabel.files import read_text

WHOLE_COPY = "get a complete copy, or continue with --set check_counts=false"


def set_lists(
    root: Path, folder: Path | None, stems: Mapping[str, str], avoid: frozenset[str]
) -> dict[str, list[str]]:
    """What each set's list names, every name once; dev2 only where its list is there.

    stems: our names of the sets -> the lists' names without ".txt". folder: where the lists are,
    anywhere below `root` if None. avoid: see `find_below`. Raises InputError for a list that is
    missing, or there more than once.
    """
    lists = {}
    for name, stem in stems.items():
        found = find_below(folder or root, f"{stem}.txt", depth=3, avoid=avoid)
        if len(found) > 1:
            places = " and ".join(str(path.parent.relative_to(root)) for path in found[:2])
            raise InputError(f"{root}: {stem}.txt in {places}; choose one with --set lists=FOLDER")
        if found:
            lists[name] = list(dict.fromkeys(read_text(found[0]).split()))
        elif name != "dev2":
            raise InputError(f"{folder or root}: no {stem}.txt; put the set lists there")
    return lists


def writers_of_forms(root: Path, avoid: frozenset[str]) -> dict[str, str]:
    """Form -> writer, from forms.txt; empty without that file."""
    for path in find_below(root, "forms.txt", depth=3, avoid=avoid):
        rows = [row.split() for row in read_text(path).splitlines() if row[:1] != "#"]
        return {row[0]: row[1] for row in rows if len(row) > 1}
    return {}


def check_writers(
    root: Path, splits: Mapping[str, Sequence[Utterance]], official: bool
) -> list[str]:
    """A note for each pair of sets that share writers; InputError if the sets are `official`."""
    notes = shared_speakers(splits)
    if official and notes:
        raise InputError(f"{root}: {notes[0]}, unlike the official sets; {WHOLE_COPY}")
    return notes
