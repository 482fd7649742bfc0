"""Weights of a trained model as the start of another training (`initial`).

Arrays are taken by name, where their shapes agree. Entries that belong to a label, as the rows of
an output layer do, are taken by symbol: "a" begins as the "a" of the other model, wherever it
stands in the two alphabets, and a symbol that the other model lacks begins at random.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError, some_of
from seqlabel.features.front_end import FrontEnd
from seqlabel.models.model import Model
from seqlabel.pretrained import resolve
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import ALPHABET, WEIGHTS, load_weights, network_of_sizes

log = logging.getLogger("seqlabel")


def joined_alphabet(own: Alphabet, folder: Path) -> Alphabet:
    """The symbols of an alphabet and of a model directory's, in code point order.

    Raises InputError for alphabets of different units, with levels, or of subwords.
    """
    other = Alphabet.load(folder / ALPHABET)
    if own.unit != other.unit or own.levels or other.levels or own.unit == "subword":
        raise InputError(
            f"{folder / ALPHABET}: keep_labels joins alphabets of one unit without levels, not "
            f"{other.unit} and {own.unit}; leave keep_labels out"
        )
    return Alphabet(sorted({*own.symbols, *other.symbols}), own.unit)


def take_initial(
    model: Model, experiment: Experiment, front_end: FrontEnd, alphabet: Alphabet
) -> set[str]:
    """`take_weights` of the configuration's `initial`."""
    build = partial(network_of_sizes, experiment, front_end)
    return take_weights(model, alphabet, resolve(experiment.initial), build)


def take_weights(
    model: Model, alphabet: Alphabet, folder: Path, build: Callable[[Sequence[int]], Model]
) -> set[str]:
    """Give a network the weights of a model directory that fit it; returns their names.

    alphabet: of the network. build: makes the network for other numbers of labels, K of the levels
    below, the finest first, then K of the labels. Raises InputError if nothing fits.
    """
    own, found = model.state_dict(), load_weights(folder / WEIGHTS)
    other = Alphabet.load(folder / ALPHABET)
    pairs = [*zip(_levels(alphabet), _levels(other), strict=False)]
    axes = label_axes(build, [len(symbols) for symbols in _levels(alphabet)])
    taken = {}
    for name, weight in own.items():
        if name not in found:
            continue
        if name not in axes:
            fitting = found[name] if found[name].shape == weight.shape else None
        else:
            axis, level = axes[name]
            fitting = _by_symbol(weight, found[name], axis, *pairs[level])
        if fitting is not None:
            taken[name] = fitting
    if not taken:
        raise InputError(f"{folder}: none of the weights fits the network; check `initial`")
    model.load_state_dict(taken, strict=False)
    log.info("%s: %d of %d weights taken%s", folder, len(taken), len(own), _named(own, taken))
    if alphabet.symbols != other.symbols and axes.keys() & taken.keys():
        new = [symbol for symbol in alphabet.symbols if symbol not in _common(alphabet, other)]
        log.info(
            "%s: %d of %d labels are known to it%s",
            folder, len(alphabet.symbols) - len(new), len(alphabet.symbols),
            f", not {some_of(new)}" if new else "",
        )  # fmt: skip
    return set(taken)


def label_axes(
    build: Callable[[Sequence[int]], Model], sizes: Sequence[int]
) -> dict[str, tuple[int, int]]:
    """Name of an array -> (its axis that counts labels, number of the level of these).

    Such an axis grows with the labels. build, sizes: see `take_weights`.
    """
    axes = {}
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in build(sizes).state_dict().items()}
        for level in range(len(sizes)):
            larger = build([size + (n == level) for n, size in enumerate(sizes)])
            for name, weight in larger.state_dict().items():
                for axis, size in enumerate(weight.shape):
                    if size != shapes[name][axis]:
                        axes[name] = (axis, level)
    return axes


def _by_symbol(
    own: Tensor, found: Tensor, axis: int, alphabet: Alphabet, other: Alphabet
) -> Tensor | None:
    """`own` with the entries of common symbols (and the blank) of `found`, None if it cannot be.

    Some arrays have an entry for the blank, in others index 0 is the first symbol.
    """
    without = len(alphabet) - own.shape[axis]
    expected = list(own.shape)
    expected[axis] = len(other) - without
    if list(found.shape) != expected:
        return None
    here, there = ([0], [0]) if not without else ([], [])
    for symbol in _common(alphabet, other):
        here.append(alphabet.find(symbol) - without)
        there.append(other.find(symbol) - without)
    entries = found.index_select(axis, torch.tensor(there, dtype=torch.int64))
    return own.index_copy(axis, torch.tensor(here, dtype=torch.int64), entries.to(own.dtype))


def _common(alphabet: Alphabet, other: Alphabet) -> list[str]:
    """Symbols in both; symbols of different units have nothing to do with each other."""
    return [s for s in alphabet.symbols if s in other] if alphabet.unit == other.unit else []


def _levels(alphabet: Alphabet) -> list[Alphabet]:
    return [*(below for _, below in alphabet.levels), alphabet]


def _named(own: dict[str, Tensor], taken: dict[str, Tensor]) -> str:
    left = [name for name in own if name not in taken]
    return f", not {some_of(left)}" if left else ""
