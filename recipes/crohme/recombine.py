"""New formulas from the symbols of old ones, for training.

    python recipes/crohme/recombine.py CROHME OUT [--count 18000] [--seed 1]

A formula is taken, or a run of its symbols in writing order, and each symbol is replaced by the
same symbol from any training formula, brought to the size and the place of the old one. A network
that would learn the few thousand formulas by heart meets new handwriting in every one of them.
Writes OUT/0.inkml, OUT/1.inkml, ...; `seqlabel prepare crohme ... --set extra=OUT` reads them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqlabel.corpora.crohme import is_linear, latex_of, symbol_groups
from seqlabel.corpora.folders import find_below
from seqlabel.errors import InputError
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.inkml import TraceGroup, read_inkml, write_inkml
from seqlabel.progress import progress_bar

KEPT = 0.2
"""Probability that a symbol stays as it was written."""
CROPPED = 0.5
"""Probability that a run of symbols is taken instead of the whole formula."""


class Symbol(NamedTuple):
    """A label and its strokes, (N, 2) points each."""

    label: str
    strokes: list[np.ndarray]

    @property
    def box(self) -> np.ndarray:
        """(2, 2): left and top, right and bottom."""
        points = np.concatenate(self.strokes)
        return np.stack([points.min(axis=0), points.max(axis=0)])


class Formula(NamedTuple):
    """Symbols in writing order."""

    symbols: list[Symbol]
    linear: bool


def read_formulas(corpus: Path) -> list[Formula]:
    """All training formulas that can be read."""
    formulas = []
    for folder in find_below(corpus, "TrainINKML", depth=1):
        for path in progress_bar(sorted(folder.rglob("*.inkml")), "reading"):
            try:
                file = read_inkml(path, times=False)
            except InputError:
                continue  # `seqlabel prepare` names them
            strokes = [stroke[:, :2] for stroke in file.ink.strokes]
            groups = [group for outer in file.groups for group in symbol_groups(outer)]
            symbols = [
                Symbol(group.annotations.get("truth", ""), [strokes[n] for n in group.strokes])
                for group in sorted(groups, key=lambda group: min(group.strokes))
            ]
            if symbols and all(symbol.label for symbol in symbols):
                formulas.append(Formula(symbols, is_linear(latex_of(file))))
    if not formulas:
        raise InputError(f"{corpus}: no training formula with its symbols")
    return formulas


def recombined(
    formulas: Sequence[Formula], known: dict[str, list[Symbol]], rng: np.random.Generator
) -> Formula:
    """One new formula; `known` has the symbols by label."""
    symbols, linear = formulas[rng.integers(len(formulas))]
    if len(symbols) > 2 and rng.random() < CROPPED:
        length = int(rng.integers(2, len(symbols)))
        first = int(rng.integers(len(symbols) - length + 1))
        symbols = symbols[first : first + length]
    fresh = [
        symbol
        if rng.random() < KEPT
        else fitted(known[symbol.label][rng.integers(len(known[symbol.label]))], symbol)
        for symbol in symbols
    ]
    return Formula(fresh, linear)


def fitted(symbol: Symbol, place: Symbol) -> Symbol:
    """A symbol moved to the middle of another and scaled, its shape kept, to its longer side."""
    own, other = symbol.box, place.box
    size = np.ptp(own, axis=0).max()
    scale = np.ptp(other, axis=0).max() / size if size > 0 else 1.0
    middle, target = own.mean(axis=0), other.mean(axis=0)
    return Symbol(symbol.label, [(s - middle) * scale + target for s in symbol.strokes])


def write(formula: Formula, path: Path) -> None:
    """As CROHME's own files; what is not on one line has no LaTeX."""
    strokes = [stroke for symbol in formula.symbols for stroke in symbol.strokes]
    ends = np.cumsum([len(symbol.strokes) for symbol in formula.symbols]).tolist()
    groups = [
        TraceGroup("", {"truth": symbol.label}, tuple(range(end - len(symbol.strokes), end)))
        for symbol, end in zip(formula.symbols, ends, strict=True)
    ]
    latex = " ".join(symbol.label for symbol in formula.symbols) if formula.linear else ""
    numbered = [np.column_stack([stroke, np.zeros(len(stroke))]) for stroke in strokes]
    write_inkml(path, Ink(numbered, timed=False), {"truth": f"${latex}$"}, groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="CROHME's folder")
    parser.add_argument("out", type=Path, help="folder for the new formulas")
    parser.add_argument("--count", type=int, default=18000, help="how many (18000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    formulas = read_formulas(options.corpus)
    known = defaultdict(list)
    for formula in formulas:
        for symbol in formula.symbols:
            known[symbol.label].append(symbol)
    options.out.mkdir(parents=True, exist_ok=True)
    for n in progress_bar(range(options.count), "writing"):
        rng = np.random.default_rng([options.seed, n])
        write(recombined(formulas, known, rng), options.out / f"{n}.inkml")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"recombine.py: {error}")
