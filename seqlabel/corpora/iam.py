"""The IAM handwriting database: scanned lines of English, and corpora written in its layout.

    lines/a01/a01-000u/a01-000u-00.png       line 00 of form a01-000u
    ascii/lines.txt                          line, ok or err, ..., text with | for blanks
    ascii/forms.txt                          form, writer, ...
    trainset.txt validationset1.txt validationset2.txt testset.txt      lines of each set

The lists are those of the task "Large Writer Independent Text Line Recognition"; no writer is in
two of its sets. Users keep the outer folders of the archives or not.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from seqlabel.corpora.folders import find_below, find_folder
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, alphabet_of, shared_speakers
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
    skip_bad: leave out lines whose image cannot be read, named, instead of stopping at the first.
    """

    lists: str = ""
    check_counts: bool = True
    skip_bad: bool = False


def prepare(source: Path, options: Options) -> Prepared:
    """Sets by the lists, labels are characters; dev2 only where its list is there.

    Lines whose words were segmented wrongly (`err`) are in the official sets and kept, tagged.
    Raises InputError for a folder that is not IAM, a line of a list without image or text, an image
    that cannot be read, and writers that the official sets share.
    """
    root = find_folder(source, _looks_like_iam, "IAM (lines/, ascii/, trainset.txt ...)")
    images = _one(root, "lines")
    rows = _read_lines(_one(root, "lines.txt"))
    lists = _set_lists(root, source / options.lists if options.lists else None)
    writers = _read_writers(root)
    skipped: dict[str, str] = {}
    splits: dict[str, list[Utterance]] = {}
    for name, lines in lists.items():
        splits[name] = []
        for line in progress_bar(lines, name):
            try:
                splits[name].append(_utterance(line, images, rows, writers))
            except InputError as error:
                if not options.skip_bad:
                    raise InputError(
                        f"{error} (--set skip_bad=true leaves such lines out)"
                    ) from None
                skipped[line] = str(error)
    official = {name: len(lines) for name, lines in lists.items()} == _LINES
    notes = shared_speakers(splits)
    if official and options.check_counts and notes:
        raise InputError(
            f"{root}: {notes[0]}, which the official sets are not; get a whole copy, or go on "
            "with --set check_counts=false"
        )
    if not writers:
        notes.append("writers unknown (no forms.txt): sets not checked for them")
    alphabet = alphabet_of(splits, unit="character")
    return Prepared("iam", "image", alphabet, splits, skipped, tuple(notes))


def _looks_like_iam(names: set[str]) -> bool:
    return "lines" in names and ("ascii" in names or "lines.txt" in names)


def _one(root: Path, name: str) -> Path:
    found = find_below(root, name, depth=3, avoid=_LARGE_FOLDERS)
    if len(found) != 1:
        raise InputError(f"{root}: {name} is there {len(found)} times; once is expected")
    return found[0]


def _utterance(
    line: str, images: Path, rows: dict[str, tuple[str, str]], writers: dict[str, str]
) -> Utterance:
    """A line of a set list."""
    match = re.fullmatch(r"((\w+?)-\w+)-\d+", line)
    if match is None:
        raise InputError(f"{line!r} in a set list is no line such as a01-000u-00; correct the list")
    if line not in rows:
        raise InputError(f"{line}: in a set list, but not in lines.txt; get a whole copy")
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
    """Line -> ok or err, and its text: the words of the last column, with blanks between them."""
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
            raise InputError(f"{path}:{number}: line {columns[0]} is there twice; delete one")
        rows[columns[0]] = columns[1], text
    return rows


def _set_lists(root: Path, folder: Path | None) -> dict[str, list[str]]:
    """Lines of each set."""
    lists = {}
    for name, stem in SETS.items():
        found = find_below(folder or root, f"{stem}.txt", depth=3, avoid=_LARGE_FOLDERS)
        if len(found) > 1:
            places = " and ".join(str(path.parent.relative_to(root)) for path in found[:2])
            raise InputError(f"{root}: {stem}.txt in {places}; choose one with --set lists=FOLDER")
        if found:
            lists[name] = list(dict.fromkeys(read_text(found[0]).split()))
        elif name != "dev2":
            raise InputError(f"{folder or root}: no {stem}.txt; put the set lists there")
    return lists


def _read_writers(root: Path) -> dict[str, str]:
    """Form -> writer; empty without forms.txt."""
    for path in find_below(root, "forms.txt", depth=3, avoid=_LARGE_FOLDERS):
        rows = [row.split() for row in read_text(path).splitlines() if row[:1] != "#"]
        return {row[0]: row[1] for row in rows if len(row) > 1}
    return {}
