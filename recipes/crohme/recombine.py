"""New formulas from the symbols of old ones, for training.

    python recipes/crohme/recombine.py CROHME OUT [--count 18000] [--seed 1] [--relabelled 0.3]

A formula is taken, or a run of its symbols in writing order, and each symbol is replaced by the
same symbol from another training formula, distorted and moved and scaled to the place and size of
the old one. Half of the formulas use the symbols of one writer as far as possible, because the
shapes of a writer's symbols are related. This reduces overfitting to the training formulas.
Writes OUT/0.inkml, OUT/1.inkml, ..., all or none and never over other files;
`seqlabel prepare crohme ... --set extra=OUT` reads them.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqlabel.cli.failures import run_command
from seqlabel.corpora.crohme import find_corpus, is_linear, latex_of, symbol_groups
from seqlabel.corpora.folders import find_below
from seqlabel.errors import InputError
from seqlabel.inputs.formats.inkml import TraceGroup, read_inkml, write_inkml
from seqlabel.inputs.ink import Ink
from seqlabel.progress import progress_bar
from seqlabel.synthetic.folder import write_once

KEPT = 0.2
"""Probability that a symbol is not replaced."""
CROPPED = 0.5
"""Probability that a run of symbols is taken instead of the whole formula."""
ONE_HAND = 0.5
"""Probability that the new symbols come from one writer, as far as available."""
OTHER, AGAIN = 0.5, 0.2
"""Probability that a symbol of a relabelled formula becomes another of its class, and that this is
the previous one. It prevents the network from learning the label sequences of the training
formulas."""
CLASSES = (
    tuple("0123456789"),
    tuple("abcdefghijklmnopqrstuvwxyz"),
    tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("=", "\\lt", "\\gt", "\\leq", "\\geq", "\\neq"),
    ("+", "\\times", "\\div", "\\pm"),
)
"""Symbols that may replace one another."""


class Distortion(NamedTuple):
    """Greatest changes of a symbol, each uniform either way; the sizes are of its longer side.

    rotation, shear: degrees. aspect: |ln| of width by height. size: |ln| of the longer side.
    bend: how far the middle of a straight side comes out. shift: of the whole symbol.
    """

    rotation: float = 6.0
    shear: float = 10.0
    aspect: float = 0.2
    size: float = 0.15
    bend: float = 0.08
    shift: float = 0.06


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
    """Symbols in writing order. hand: its writer, empty where none is named."""

    symbols: list[Symbol]
    linear: bool
    hand: str


def read_formulas(corpus: Path) -> list[Formula]:
    """All training formulas that can be read."""
    formulas = []
    for folder in find_below(find_corpus(corpus), "TrainINKML", depth=1):
        for path in progress_bar(sorted(folder.rglob("*.inkml")), "reading"):
            try:
                file = read_inkml(path, times=False)
            except InputError:
                continue  # `seqlabel prepare` names them
            strokes = [stroke[:, :2] for stroke in file.ink.strokes]
            symbols = [
                Symbol(group.annotations.get("truth", ""), [strokes[n] for n in group.strokes])
                for group in sorted(symbol_groups(file), key=lambda group: min(group.strokes))
            ]
            if symbols and all(symbol.label for symbol in symbols):
                writer = file.annotations.get("writer", "")
                hand = "" if writer == "Unknown" else writer
                formulas.append(Formula(symbols, is_linear(latex_of(file)), hand))
    if not formulas:
        raise InputError(f"{corpus}: no training formula with its symbols")
    return formulas


class Symbols:
    """The symbols of formulas by label, and by writer and label.

    hands: the writer of each formula that names one.
    """

    def __init__(self, formulas: Sequence[Formula]) -> None:
        self.hands = [formula.hand for formula in formulas if formula.hand]
        self.all = defaultdict[str, list[Symbol]](list)
        self.of_hand = defaultdict[tuple[str, str], list[Symbol]](list)
        for formula in formulas:
            for symbol in formula.symbols:
                self.all[symbol.label].append(symbol)
                if formula.hand:
                    self.of_hand[formula.hand, symbol.label].append(symbol)

    def some_hand(self, rng: np.random.Generator) -> str:
        """A random writer, weighted by the number of formulas; empty if none is named."""
        return self.hands[rng.integers(len(self.hands))] if self.hands else ""

    def draw(self, label: str, hand: str, rng: np.random.Generator) -> Symbol:
        """One by the writer if there is one, else by any writer; hand "" is any writer."""
        known = self.of_hand.get((hand, label)) or self.all[label]
        return known[rng.integers(len(known))]


def recombined(
    formulas: Sequence[Formula],
    known: Symbols,
    rng: np.random.Generator,
    limits: Distortion,
    relabel: float,
) -> Formula:
    """One new formula; `relabel` is the probability that some of its labels become others."""
    symbols, linear, _ = formulas[rng.integers(len(formulas))]
    if len(symbols) > 2 and rng.random() < CROPPED:
        length = int(rng.integers(2, len(symbols)))
        first = int(rng.integers(len(symbols) - length + 1))
        symbols = symbols[first : first + length]
    hand = known.some_hand(rng) if rng.random() < ONE_HAND else ""
    other = OTHER if relabel and rng.random() < relabel else 0.0
    fresh: list[Symbol] = []
    for old in symbols:
        label = old.label
        if relabel and rng.random() < other:
            label = relabelled(label, fresh[-1].label if fresh else "", known, rng)
        if label != old.label or rng.random() >= KEPT:
            new = distorted(known.draw(label, hand, rng), rng, limits)
            old = fitted(new, old, rng, limits)
        fresh.append(old)
    return Formula(fresh, linear, hand)


def relabelled(label: str, before: str, known: Symbols, rng: np.random.Generator) -> str:
    """Another label of the same class, sometimes that before; the same where it has no class."""
    for members in CLASSES:
        if label in members:
            written = [member for member in members if member in known.all]
            if before in written and rng.random() < AGAIN:
                return before
            return written[rng.integers(len(written))]
    return label


def distorted(symbol: Symbol, rng: np.random.Generator, limits: Distortion) -> Symbol:
    """A symbol bent, then made wider or narrower, sheared and turned about its middle."""
    middle = symbol.box.mean(axis=0)
    half = np.ptp(symbol.box, axis=0).max() / 2 or 1.0
    bend = rng.uniform(-1, 1, 2) * 2 * limits.bend
    angle, slope = np.radians(rng.uniform(-1, 1, 2) * [limits.rotation, limits.shear])
    aspect = np.exp(rng.uniform(-0.5, 0.5) * limits.aspect)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[1.0, np.tan(slope)], [0.0, 1.0]]) @ np.diag([aspect, 1 / aspect])
    strokes = []
    for stroke in symbol.strokes:
        points = (stroke - middle) / half
        points = points + bend * (1 - points[:, ::-1] ** 2)  # x by the square of y, y by that of x
        strokes.append(points @ linear.T * half + middle)
    return Symbol(symbol.label, strokes)


def fitted(symbol: Symbol, place: Symbol, rng: np.random.Generator, limits: Distortion) -> Symbol:
    """A symbol moved to the middle of another and scaled, its shape kept, to its longer side."""
    own, other = symbol.box, place.box
    size, wanted = (np.ptp(box, axis=0).max() for box in (own, other))
    wanted = wanted * np.exp(rng.uniform(-1, 1) * limits.size)
    scale = wanted / size if size > 0 else 1.0
    target = other.mean(axis=0) + rng.uniform(-1, 1, 2) * limits.shift * wanted
    middle = own.mean(axis=0)
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
    parser.add_argument(
        "--relabelled", type=float, default=0.0, metavar="P", help="share with other labels (0)"
    )
    options = parser.parse_args()
    if options.count < 1 or options.seed < 0 or not 0 <= options.relabelled <= 1:
        parser.error("--count from 1 on, --seed from 0 on and --relabelled from 0 to 1 are needed")
    limits = Distortion()

    def write_all(folder: Path) -> None:
        formulas = read_formulas(options.corpus)
        known = Symbols(formulas)
        for n in progress_bar(range(options.count), "writing"):
            rng = np.random.default_rng([options.seed, n])
            formula = recombined(formulas, known, rng, limits, options.relabelled)
            write(formula, folder / f"{n}.inkml")

    wanted = {
        "corpus": str(find_corpus(options.corpus).resolve()),
        "count": options.count,
        "seed": options.seed,
        "relabelled": options.relabelled,
        "distortion": limits._asdict(),
    }
    if not write_once(options.out, wanted, write_all):
        print(f"{options.out}: there already", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command("recombine.py", main))
