"""The IAM handwriting database: scanned lines of English, and corpora written in its layout.

    lines/a01/a01-000u/a01-000u-00.png       line 00 of form a01-000u
    ascii/lines.txt                          line, ok or err, ..., text with | for spaces
    ascii/forms.txt                          form, writer, ...
    trainset.txt validationset1.txt validationset2.txt testset.txt      lines of each set

The lists are those of the task "Large Writer Independent Text Line Recognition"; no writer is in
two of its sets. The outer folders of the archives may be there or not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from seqlabel.corpora.folders import find_below, find_folder
from seqlabel.corpora.iam_layout import check_writers, set_lists, writers_of_forms
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, SkipBad, alphabet_of
from seqlabel.errors import InputError
from seqlabel.files import read_text
from seqlabel.inputs import read_image
from seqlabel.progress import progress_bar

SETS = {
    "train": "trainset",
    "dev": "validationset1",
    "dev2": "validationset2",
    "test": "testset",
}
"""Our names of the sets and the lists that define them."""

_LINES = {"train": 6161, "dev": 900, "dev2": 940, "test": 1861}
"""Sizes of the official sets."""

_LARGE_FOLDERS = frozenset({"lines", "words", "sentences", "forms", "xml"})


@dataclass(frozen=True)
class Options:
    """lists: folder with the set lists, where there is more than one.

    check_counts: refuse official lists with lines that are missing or in `lines.txt` twice.
    skip_bad: leave out and name lines whose image cannot be read, instead of stopping at the first.
    """

    lists: str = ""
    check_counts: bool = True
    skip_bad: bool = False


def prepare(source: Path, options: Options) -> Prepared:
    """The sets of the lists, as characters; dev2 only if its list is there.

    Lines whose words were segmented wrongly (`err`) are in the official sets and kept, tagged.
    Raises InputError for a folder that is not IAM, a line of a list without image or text, an image
    that cannot be read, and writers that the official sets share.
    """
    root = find_folder(source, _looks_like_iam, "IAM (lines/, ascii/, trainset.txt ...)")
    images = _one(root, "lines")
    rows = _read_lines(_one(root, "lines.txt"))
    folder = source / options.lists if options.lists else None
    lists = set_lists(root, folder, SETS, _LARGE_FOLDERS)
    writers = writers_of_forms(root, _LARGE_FOLDERS)
    skip = SkipBad(options.skip_bad)
    splits = {
        name: list(
            skip.read_each(
                ((line, line) for line in progress_bar(lines, name)),
                lambda line: _utterance(line, images, rows, writers),
            )
        )
        for name, lines in lists.items()
    }
    official = {name: len(lines) for name, lines in lists.items()} == _LINES
    notes = check_writers(root, splits, official and options.check_counts)
    if not writers:
        notes.append("writers unknown (no forms.txt): sets not checked for them")
    alphabet = alphabet_of(splits, unit="character")
    return Prepared("iam", "image", alphabet, splits, skip.reasons, tuple(notes))


def _looks_like_iam(names: set[str]) -> bool:
    return "lines" in names and ("ascii" in names or "lines.txt" in names)


def _one(root: Path, name: str) -> Path:
    found = find_below(root, name, depth=3, avoid=_LARGE_FOLDERS)
    if len(found) != 1:
        raise InputError(f"{root}: found {name} {len(found)} times; it must be there once")
    return found[0]


def _utterance(
    line: str, images: Path, rows: dict[str, tuple[str, str]], writers: dict[str, str]
) -> Utterance:
    """A line of a set list."""
    match = re.fullmatch(r"((\w+?)-\w+)-\d+", line)
    if match is None:
        raise InputError(
            f"{line!r} in a set list is not a line such as a01-000u-00; correct the list"
        )
    if line not in rows:
        raise InputError(f"{line}: in a set list, but not in lines.txt; get a complete copy")
    state, text = rows[line]
    path = images / match[2] / match[1] / f"{line}.png"
    read_image(path)
    return Utterance(
        id=line,
        source=path,
        kind="image",
        labels=tuple(text),
        text=text,
        speaker=writers.get(match[1], ""),
        tags={"segmentation": state},
    )


def _read_lines(path: Path) -> dict[str, tuple[str, str]]:
    """Line -> ok or err, and its text: the words of the last column, separated by spaces."""
    rows = {}
    for number, row in enumerate(read_text(path).splitlines(), 1):
        if not row.strip() or row.startswith("#"):
            continue
        columns = row.split(maxsplit=8)
        if len(columns) < 9 or columns[1] not in ("ok", "err"):
            raise InputError(
                f"{path}:{number}: expected: line, ok or err, grey level, components, x, y, width, "
                "height, text"
            )
        text = " ".join(columns[8].replace("|", " ").split())
        if columns[0] in rows:
            raise InputError(f"{path}:{number}: line {columns[0]} occurs twice; delete one")
        rows[columns[0]] = columns[1], text
    return rows
