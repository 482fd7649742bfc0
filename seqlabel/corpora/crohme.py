"""CROHME and MathWriting: online handwritten mathematics in InkML.

    TrainINKML/{HAMEX,KAIST,MathBrush,MfrDB,expressmatch,extension}/*.inkml    train
    TestINKMLGT/*.inkml                                                test set of 2013: dev here
    TestEM2014GT/*.inkml                                               test set of 2014: test here

Other years and other folders are chosen by options, see `crohme_sets`. The target is the sequence
of symbols in the order of writing (of each symbol's first stroke), from the segmentation in the
file. It is monotonic, unlike the LaTeX of the competition, so the symbol error rate cannot be
compared with expression rates. For files without segmentation the target is their LaTeX.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seqlabel.alphabet.latex import plain_latex, split_latex
from seqlabel.corpora.crohme_sets import ChosenSet, choose_sets
from seqlabel.corpora.crohme_symbols import symbol_name, token_name
from seqlabel.corpora.folders import find_folder
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, SkipBad, alphabet_of
from seqlabel.errors import InputError
from seqlabel.inputs.formats.inkml import InkML, TraceGroup, read_inkml
from seqlabel.inputs.reading import naming
from seqlabel.progress import progress_bar

_TWO_DIMENSIONAL = re.compile(r"[\^_]|\\(frac|sqrt|sum|int|lim)")


@dataclass(frozen=True)
class Options:
    """subset: all expressions, or only those on one line: no scripts, fractions, roots or limits.
    skip_bad: leave out and name files that cannot be read (two of the original ones are malformed),
    instead of stopping at the first. extra: a folder of further files for training.
    times: whether points must have usable times, for features that use them; in three of the
    original files times decrease.
    protocol: the year whose sets are taken, or "mathwriting".
    train, dev, test: folders below the corpus, or years for their official sets, instead of those
    of the protocol; several test sets are written separately. unit: "symbol" for symbols in writing
    order, or "latex" for the tokens of the formula.
    """

    subset: Literal["all", "linear"] = "all"
    skip_bad: bool = True
    extra: str = ""
    times: bool = False
    protocol: Literal["2013", "2014", "2016", "2019", "2023", "mathwriting"] = "2014"
    train: tuple[str | int, ...] = ()
    dev: tuple[str | int, ...] = ()
    test: tuple[str | int, ...] = ()
    unit: Literal["symbol", "latex"] = "symbol"


def prepare(source: Path, options: Options) -> Prepared:
    """The chosen sets; the alphabet is that of all training expressions, whatever the subset.

    Raises InputError for a folder that is not CROHME and for sets that are not there.
    """
    given = {"train": options.train, "dev": options.dev, "test": options.test}
    chosen = {name: [str(entry) for entry in entries] for name, entries in given.items()}
    sets, remarks = choose_sets(source, options.protocol, chosen)
    skip = SkipBad(options.skip_bad)
    reader = _Reader(options)
    splits: dict[str, list[Utterance]] = {}
    for one in sets:
        named = [(id, (id, path)) for id, path in one.files()]
        splits[one.name] = list(skip.read_each(progress_bar(named, one.name), reader))
    if options.extra:
        more = ChosenSet("extra", (Path(options.extra),))
        extra = [(id, (id, path)) for id, path in more.files()]
        if not extra:
            raise InputError(f"{options.extra}: no .inkml file for training; correct `extra`")
        splits["train"] += skip.read_each(progress_bar(extra, "extra"), reader)
    if not any(utterance.labels for utterance in splits["train"]):
        cause = next(iter(skip.reasons.values()), "its folders have no .inkml file")
        raise InputError(f"{source}: no training expression with labels; {cause}")
    alphabet = alphabet_of(splits, options.unit)
    if options.subset == "linear":
        splits = {
            name: [u for u in utterances if u.tags["linear"] == "yes"]
            for name, utterances in splits.items()
        }
    kept = {utterance.id for utterances in splits.values() for utterance in utterances}
    found = [id for id in reader.stray if id in kept]
    if found:
        remarks.append(
            f"{len(found)} expressions have strokes that belong to no symbol, first {found[0]}"
        )
    return Prepared("crohme", "ink", alphabet, splits, skip.reasons, tuple(remarks))


def find_corpus(source: Path) -> Path:
    """The folder that has TrainINKML; raises InputError if there is none."""
    return find_folder(source, {"traininkml"}.issubset, "CROHME (TrainINKML/ ...)")


@dataclass(frozen=True)
class _Reader:
    """Reads the labels of an InkML file.

    stray: collects the ids of expressions with strokes that belong to no symbol.
    """

    options: Options
    stray: list[str] = field(default_factory=list)

    def __call__(self, named: tuple[str, Path]) -> Utterance:
        id, path = named
        file = read_inkml(path, self.options.times)
        latex = latex_of(file)
        if self.options.unit == "latex":
            labels = latex_tokens(file, path)
        else:
            labels = symbols_in_writing_order(file, path)
            owned = {n for symbol in symbol_groups(file) for n in symbol.strokes}
            if len(owned) < len(file.ink.strokes):
                self.stray.append(id)
        return Utterance(
            id=id,
            source=path,
            kind="ink",
            labels=labels,
            text=latex or None,
            speaker=file.annotations.get("writer", ""),
            duration=file.ink.duration,
            tags={"linear": "yes" if is_linear(latex) else "no"},
        )


def latex_of(file: InkML) -> str:
    """The formula as LaTeX without its dollars, empty if the file has none.

    MathWriting has `label`, and `normalizedLabel` with a normalised spelling.
    """
    found = (file.annotations.get(name) for name in ("normalizedLabel", "label", "truth"))
    return next(filter(None, found), "").strip("$ \t\n")


def latex_tokens(file: InkML, path: Path) -> tuple[str, ...]:
    """The tokens of a file's formula; those of CROHME are normalised first.

    Raises InputError naming `path` for a file without a formula, and for unbalanced braces.
    """
    with naming(path):
        known = file.annotations
        for name in ("normalizedLabel", "label"):
            if known.get(name):
                return split_latex(known[name])
        if not known.get("truth", "").strip("$ \t\n"):
            raise InputError(
                "no formula (label or truth annotation); get the files with ground truth"
            )
        # Some files lack the space after \lt and \gt, which makes commands such as \ltq.
        truth = re.sub(r"\\([lg]t)(?=[A-Za-z])", r"\\\1 ", known["truth"])
        return plain_latex([token_name(token) for token in split_latex(truth)])


def is_linear(latex: str) -> bool:
    """Whether a formula is known to stand on one line."""
    return bool(latex) and not _TWO_DIMENSIONAL.search(latex)


def symbols_in_writing_order(file: InkML, path: Path) -> tuple[str, ...]:
    """The symbols of a file, ordered by each symbol's first stroke, under their normalised names.

    Raises InputError naming `path` if the file has no segmentation into symbols.
    """
    groups = symbol_groups(file)
    if not groups:
        raise InputError(
            f"{path}: no segmentation into symbols; get the files with ground truth, or use LaTeX "
            f"as the labels (--set unit=latex)"
        )
    symbols = [(min(group.strokes), group.annotations.get("truth", "")) for group in groups]
    for stroke, symbol in symbols:
        if len(symbol.split()) != 1:
            raise InputError(
                f"{path}: the symbol of trace {stroke} is {symbol!r}; a name without white space "
                f"is needed"
            )
    return tuple(symbol_name(symbol) for _, symbol in sorted(symbols))


def symbol_groups(file: InkML) -> list[TraceGroup]:
    """The groups of strokes that are one symbol each, as they stand in the file."""

    def below(outer: TraceGroup) -> Iterator[TraceGroup]:
        if outer.strokes:
            yield outer
        for group in outer.groups:
            yield from below(group)

    return [group for outer in file.groups for group in below(outer)]
