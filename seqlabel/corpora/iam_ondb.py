"""IAM-OnDB: lines of English written on a whiteboard, and corpora written in its layout.

    lineStrokes/a01/a01-000/a01-000u-01.xml      line 01 of form a01-000u
    ascii/a01/a01-000/a01-000u.txt               what is written on the form, block CSR
    trainset.txt testset_v.txt testset_t.txt testset_f.txt    forms of each set, each after a space
    original/a01/a01-000/strokesu.xml, forms.txt writers (optional, either of them)

The outer folders of the archives (`lineStrokes-all/lineStrokes/...`) may be there or not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqlabel.corpora.folders import find_below, find_folder
from seqlabel.corpora.iam_layout import (
    WHOLE_COPY,
    check_writers,
    set_lists,
    writers_of_forms,
)
from seqlabel.corpora.labelling import labels_of_text, with_subwords
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, alphabet_of
from seqlabel.errors import InputError
from seqlabel.inputs import read_ink
from seqlabel.progress import progress_bar

SETS = {"train": "trainset", "dev": "testset_v", "dev2": "testset_t", "test": "testset_f"}
"""Our names of the sets and the lists that define them; `testset_f` is the final test."""

_FORMS = {"train": 775, "dev": 192, "dev2": 216, "test": 544}
_LINES = {"train": 5364, "dev": 1438, "dev2": 1518, "test": 3859}
"""Sizes of the official sets, from their lists and Graves et al. 2009."""

_KNOWN_BAD = {
    "z01-000z": "the form has no text",
    "a02-062-01": "known to be unusable",
    "a02-062-02": "known to be unusable",
    "a02-062-03": "known to be unusable",
    "a08-551z-08": "known to be unusable",
    "a08-551z-09": "known to be unusable",
    "e05-265z-04": "known to be unusable",
    "g04-060-02": "known to be unusable",
    "h02-037-02": "corrupt stroke",
    "h04-141z-03": "too long for its text",
    "j06-278z-04": "known to be unusable",
}
"""Forms and lines left out by other recipes (the lists of sjvasquez and chunkyjasper)."""

_LARGE_FOLDERS = frozenset({"linestrokes", "ascii", "original", "lineimages"})


@dataclass(frozen=True)
class Options:
    """unit: what the text is split into. subwords: number of subwords.
    lists: folder with the four set lists, where there is more than one (tasks t1 and t2).
    check_counts: require the published numbers of lines if the lists are the official ones.
    times: whether points must have usable times, for features that use them.
    skip_bad: leave out and name lines that cannot be read, instead of stopping at the first.
    """

    unit: Literal["character", "grapheme", "word", "subword"] = "character"
    subwords: int = 300
    lists: str = ""
    check_counts: bool = True
    times: bool = True
    skip_bad: bool = True


def prepare(source: Path, options: Options) -> Prepared:
    """Sets by the lists; dev2 (`testset_t`) only where its list is there.

    Lines known to be bad, and forms whose stroke files do not match the lines of the transcript,
    are left out and named. Raises InputError for a folder that is not IAM-OnDB, for a form without
    its files, and for wrong sizes of the official sets or writers that they share.
    """
    root = find_folder(source, _looks_like_iam, "IAM-OnDB (lineStrokes/, ascii/, trainset.txt ...)")
    strokes, ascii_ = _folder(root, "lineStrokes"), _folder(root, "ascii")
    folder = source / options.lists if options.lists else None
    lists = set_lists(root, folder, SETS, _LARGE_FOLDERS)
    writers = _read_writers(root)
    skipped: dict[str, str] = {}
    splits: dict[str, list[Utterance]] = {}
    sizes: dict[str, int] = {}
    for name, forms in lists.items():
        splits[name], sizes[name] = [], 0
        for form in progress_bar(forms, name):
            texts = _read_csr(_form_path(ascii_, form).with_suffix(".txt"))
            sizes[name] += len(texts)
            for line, path, text in _lines_of(form, texts, strokes, skipped):
                try:
                    ink = read_ink(path, options.times)
                except InputError as error:
                    if not options.skip_bad:
                        raise
                    skipped[line] = str(error)
                    continue
                utterance = Utterance(
                    id=line,
                    source=path,
                    kind="ink",
                    labels=labels_of_text(text, options.unit, line),
                    text=text,
                    speaker=writers.get(form, ""),
                    duration=ink.duration,
                )
                splits[name].append(utterance)
    official = {name: len(forms) for name, forms in lists.items()} == _FORMS
    official = official and options.check_counts
    if official and sizes != _LINES:
        raise InputError(
            f"{root}: {sizes} lines, but the official sets have {_LINES}; {WHOLE_COPY}"
        )
    if options.unit == "subword":
        splits, alphabet = with_subwords(splits, options.subwords)
    else:
        alphabet = alphabet_of(splits, options.unit)
    notes = check_writers(root, splits, official)
    if not writers:
        notes.append("writers unknown (no original/ and no forms.txt): sets not checked for them")
    return Prepared("iam_ondb", "ink", alphabet, splits, skipped, tuple(notes))


def _looks_like_iam(names: set[str]) -> bool:
    return any(name.startswith("linestrokes") for name in names)


def _folder(root: Path, name: str) -> Path:
    found = find_below(root, name, depth=3, avoid=_LARGE_FOLDERS) or find_below(
        root, f"{name}-all", depth=1
    )
    if len(found) != 1:
        raise InputError(
            f"{root}: {len(found) or 'no'} folders called {name}; exactly one is expected"
        )
    return found[0]


def _form_path(folder: Path, form: str) -> Path:
    """`a01-000u` -> FOLDER/a01/a01-000/a01-000u"""
    match = re.fullmatch(r"((\w+)-\d+)[a-z]?", form)
    if match is None:
        raise InputError(f"{form!r} in a set list is not a form such as a01-000u; correct the list")
    return folder / match[2] / match[1] / form


def _read_csr(path: Path) -> list[str]:
    """Lines of the block CSR: what was actually written (OCR is what was to be copied)."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    except OSError:  # not there, or a name that no file can have
        raise InputError(f"{path}: no transcription; unpack the whole ascii archive") from None
    _, found, block = text.partition("CSR:")
    if not found:
        raise InputError(f"{path}: no block `CSR:` in the transcription; get a clean copy")
    lines = (" ".join(line.split()) for line in block.replace("%%%%%%%%%%%", "\n").splitlines())
    return [line for line in lines if line]


def _lines_of(
    form: str, texts: list[str], strokes: Path, skipped: dict[str, str]
) -> Iterator[tuple[str, Path, str]]:
    """(line id, file, text) of each usable line of a form; the others go into `skipped`."""
    path = _form_path(strokes, form)
    files = sorted(path.parent.glob(f"{form}-*.xml"), key=lambda file: _line_number(file, form))
    if form in _KNOWN_BAD:
        skipped[form] = _KNOWN_BAD[form]
        return
    numbers = [_line_number(file, form) for file in files]
    if numbers != list(range(1, len(texts) + 1)):
        shown = " ".join(map(str, numbers))
        skipped[form] = (
            f"{len(texts)} lines of text, but stroke files for the lines {shown or 'none'}"
        )
        return
    for file, text in zip(files, texts, strict=True):
        if file.stem in _KNOWN_BAD:
            skipped[file.stem] = _KNOWN_BAD[file.stem]
        else:
            yield file.stem, file, text


def _line_number(path: Path, form: str) -> int:
    try:
        return int(path.stem.removeprefix(f"{form}-"))
    except ValueError:
        raise InputError(f"{path}: the name does not end in a line number; rename it") from None


def _read_writers(root: Path) -> dict[str, str]:
    """Form -> writer, from forms.txt or the writer ids in original/; empty without either."""
    writers = writers_of_forms(root, _LARGE_FOLDERS)
    if writers:
        return writers
    for folder in find_below(root, "original", depth=3, avoid=_LARGE_FOLDERS):
        for path in folder.glob("*/*/strokes*.xml"):
            with open(path, encoding="latin-1") as stream:
                match = re.search(r'writerID="([^"]+)"', stream.read(4000))
            if match:
                writers[path.parent.name + path.stem.removeprefix("strokes")] = match[1]
    return writers
