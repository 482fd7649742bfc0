"""CROHME: online handwritten mathematics in InkML.

    TrainINKML/{HAMEX,KAIST,MathBrush,MfrDB,expressmatch,extension}/*.inkml    train
    TestINKMLGT/*.inkml                                                test set of 2013: dev here
    TestEM2014GT/*.inkml                                               test set of 2014: test here

The target is the sequence of symbols in the order of writing (of each symbol's first stroke), taken
from the segmentation in the file: a monotonic target, and not the LaTeX of the competition, so the
symbol error rate is no expression rate.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.folders import find_below, find_folder
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.errors import InputError
from seqlabel.inputs.reading import read_bytes
from seqlabel.inputs.xml_guard import parse_xml
from seqlabel.progress import progress_bar

FOLDERS = {"train": "TrainINKML", "dev": "TestINKMLGT", "test": "TestEM2014GT"}

_TWO_DIMENSIONAL = re.compile(r"[\^_]|\\(frac|sqrt|sum|int|lim)")


@dataclass(frozen=True)
class Options:
    """subset: all expressions, or only those on one line: no scripts, fractions, roots or limits.

    skip_bad: leave out files that cannot be read, named (two of the original ones are malformed),
    instead of stopping at the first.
    """

    subset: Literal["all", "linear"] = "all"
    skip_bad: bool = True


def prepare(source: Path, options: Options) -> Prepared:
    """Train, dev (2013) and test (2014); the alphabet is that of all training expressions.

    Raises InputError for a folder that is not CROHME and for symbols that no training file has.
    """
    root = find_folder(source, {"traininkml"}.issubset, "CROHME (TrainINKML/ ...)")
    skip = SkipBad(options.skip_bad)
    splits = {}
    for name, folder in FOLDERS.items():
        for path in find_below(root, folder, depth=1):
            files = [(_id(file, path, name), file) for file in sorted(path.rglob("*.inkml"))]
            splits[name] = list(skip.read_each(progress_bar(files, name), _Reader(path, name)))
    symbols = {symbol for utterance in splits.get("train", []) for symbol in utterance.labels}
    if options.subset == "linear":
        splits = {
            name: [u for u in utterances if u.tags["linear"] == "yes"]
            for name, utterances in splits.items()
        }
    if not symbols:
        raise InputError(f"{root}: no expression with its symbols in TrainINKML/")
    return Prepared("crohme", "ink", Alphabet(sorted(symbols), unit="symbol"), splits, skip.reasons)


@dataclass(frozen=True)
class _Reader:
    """Reads the truth of an InkML file below the folder of a set."""

    folder: Path
    name: str

    def __call__(self, path: Path) -> Utterance:
        root = parse_xml(read_bytes(path), path)
        latex = _annotation(root, "truth")
        linear = bool(latex) and not _TWO_DIMENSIONAL.search(latex)
        return Utterance(
            id=_id(path, self.folder, self.name),
            source=path,
            kind="ink",
            labels=symbols_in_writing_order(root, path),
            text=latex,
            speaker=_annotation(root, "writer"),
            tags={"linear": "yes" if linear else "no"},
        )


def _id(path: Path, folder: Path, name: str) -> str:
    return f"{name}/{path.relative_to(folder).with_suffix('').as_posix()}"


def symbols_in_writing_order(root: Element, path: Path) -> tuple[str, ...]:
    """The symbols of a parsed file, ordered by the first of each symbol's strokes.

    Raises InputError naming `path` when there are none, or one refers to a stroke that is absent.
    """
    order = {trace.get("id"): number for number, trace in enumerate(root.iterfind("trace"))}
    symbols = []
    for group in _symbol_groups(root):
        references = [
            view.get("traceDataRef", "").lstrip("#") for view in group.iterfind("traceView")
        ]
        missing = [reference for reference in references if reference not in order]
        if missing:
            raise InputError(f"{path}: a symbol refers to trace {missing[0]!r}, which is absent")
        symbols.append(
            (min(order[reference] for reference in references), _annotation(group, "truth"))
        )
    if not symbols:
        raise InputError(f"{path}: no segmentation into symbols; a file with its truth is needed")
    return tuple(symbol for _, symbol in sorted(symbols))


def _symbol_groups(root: Element) -> Iterator[Element]:
    """The groups of strokes that are one symbol each."""
    for outer in root.iterfind("traceGroup"):
        for group in outer.iter("traceGroup"):
            if group.find("traceView") is not None:
                yield group


def _annotation(element: Element, kind: str) -> str:
    for annotation in element.iterfind("annotation"):
        if annotation.get("type") == kind:
            return "".join(annotation.itertext()).strip().strip("$").strip()
    return ""
