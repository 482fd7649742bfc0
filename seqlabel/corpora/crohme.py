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

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.folders import find_below, find_folder
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.errors import InputError
from seqlabel.inputs.formats.inkml import InkML, TraceGroup, read_inkml
from seqlabel.progress import progress_bar

FOLDERS = {"train": "TrainINKML", "dev": "TestINKMLGT", "test": "TestEM2014GT"}

_TWO_DIMENSIONAL = re.compile(r"[\^_]|\\(frac|sqrt|sum|int|lim)")


@dataclass(frozen=True)
class Options:
    """subset: all expressions, or only those on one line: no scripts, fractions, roots or limits.

    skip_bad: leave out files that cannot be read, named (two of the original ones are malformed),
    instead of stopping at the first. extra: a folder of further files for training.
    times: whether points have to have usable times, for features that read them; in three of the
    original files they go back.
    """

    subset: Literal["all", "linear"] = "all"
    skip_bad: bool = True
    extra: str = ""
    times: bool = False


def prepare(source: Path, options: Options) -> Prepared:
    """Train, dev (2013) and test (2014); the alphabet is that of all training expressions.

    Raises InputError for a folder that is not CROHME and for symbols that no training file has.
    """
    root = find_corpus(source)
    skip = SkipBad(options.skip_bad)
    stray: list[str] = []
    splits = {}
    for name, folder in FOLDERS.items():
        for path in find_below(root, folder, depth=1):
            files = [(_id(file, path, name), file) for file in sorted(path.rglob("*.inkml"))]
            reader = _Reader(path, name, options.times, stray)
            splits[name] = list(skip.read_each(progress_bar(files, name), reader))
    if options.extra:
        path = Path(options.extra)
        files = [(_id(file, path, "extra"), file) for file in sorted(path.rglob("*.inkml"))]
        if not files:
            raise InputError(f"{path}: no .inkml file for training; correct `extra`")
        reader = _Reader(path, "extra", options.times, stray)
        more = skip.read_each(progress_bar(files, "extra"), reader)
        splits["train"] = [*splits.get("train", []), *more]
    symbols = {symbol for utterance in splits.get("train", []) for symbol in utterance.labels}
    if options.subset == "linear":
        splits = {
            name: [u for u in utterances if u.tags["linear"] == "yes"]
            for name, utterances in splits.items()
        }
    if not symbols:
        raise InputError(f"{root}: no expression with its symbols in TrainINKML/")
    alphabet = Alphabet(sorted(symbols), unit="symbol")
    kept = {utterance.id for utterances in splits.values() for utterance in utterances}
    found = [id for id in stray if id in kept]
    notes = [f"{len(found)} expressions have strokes of no symbol, {found[0]} first"] * bool(found)
    return Prepared("crohme", "ink", alphabet, splits, skip.reasons, tuple(notes))


def find_corpus(source: Path) -> Path:
    """The folder that holds TrainINKML; raises InputError where there is none."""
    return find_folder(source, {"traininkml"}.issubset, "CROHME (TrainINKML/ ...)")


@dataclass(frozen=True)
class _Reader:
    """Reads the truth of an InkML file below the folder of a set.

    stray: gathers the ids of expressions with strokes of no symbol.
    """

    folder: Path
    name: str
    times: bool
    stray: list[str]

    def __call__(self, path: Path) -> Utterance:
        file = read_inkml(path, self.times)
        latex = latex_of(file)
        labels = symbols_in_writing_order(file, path)
        if len({n for symbol in symbol_groups(file) for n in symbol.strokes}) < len(
            file.ink.strokes
        ):
            self.stray.append(_id(path, self.folder, self.name))
        return Utterance(
            id=_id(path, self.folder, self.name),
            source=path,
            kind="ink",
            labels=labels,
            text=latex or None,
            speaker=file.annotations.get("writer", ""),
            duration=file.ink.duration,
            tags={"linear": "yes" if is_linear(latex) else "no"},
        )


def _id(path: Path, folder: Path, name: str) -> str:
    return f"{name}/{path.relative_to(folder).with_suffix('').as_posix()}"


def latex_of(file: InkML) -> str:
    """The formula as LaTeX without its dollars, empty where the file does not say it."""
    return file.annotations.get("truth", "").strip("$ \t\n")


def is_linear(latex: str) -> bool:
    """Whether a formula is known to stand on one line."""
    return bool(latex) and not _TWO_DIMENSIONAL.search(latex)


def symbols_in_writing_order(file: InkML, path: Path) -> tuple[str, ...]:
    """The symbols of a file, ordered by the first of each symbol's strokes.

    Raises InputError naming `path` when the file is not divided into symbols.
    """
    groups = symbol_groups(file)
    if not groups:
        raise InputError(f"{path}: no segmentation into symbols; a file with its truth is needed")
    symbols = [(min(group.strokes), group.annotations.get("truth", "")) for group in groups]
    for stroke, symbol in symbols:
        if len(symbol.split()) != 1:
            raise InputError(
                f"{path}: the symbol of trace {stroke} is {symbol!r}; a truth without blanks is "
                "needed"
            )
    return tuple(symbol for _, symbol in sorted(symbols))


def symbol_groups(file: InkML) -> list[TraceGroup]:
    """The groups of strokes that are one symbol each, as they stand in the file."""

    def below(outer: TraceGroup) -> Iterator[TraceGroup]:
        if outer.strokes:
            yield outer
        for group in outer.groups:
            yield from below(group)

    return [group for outer in file.groups for group in below(outer)]
