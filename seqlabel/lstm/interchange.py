"""Weights to and from the state dict of a torch.nn.LSTM.

torch orders the rows i, f, g, o and has two bias vectors per gate, whose sum is the one here.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.lstm.cell import AnyCell, Cell
from seqlabel.lstm.weights import Direction

_TORCH_NAMES = {
    "input": "weight_ih",
    "recurrent": "weight_hh",
    "bias": "bias_ih",
    "projection": "weight_hr",
}


def load_torch(cell: AnyCell, layers: list[list[Direction]], theirs: Mapping[str, Tensor]) -> None:
    """Copies the weights of an nn.LSTM state dict into `layers` (layer, direction).

    Raises InputError if the cell is not the plain one, or names or shapes differ.
    """
    _check_plain(cell)
    _check_names(layers, theirs)
    with torch.no_grad():
        for direction, suffix in _named(layers):
            for name, weight in direction.named_parameters():
                value = theirs[_TORCH_NAMES[name] + suffix]
                if name == "bias":
                    value = value + theirs["bias_hh" + suffix]
                weight.copy_(swap_rows(value, name))


def save_torch(cell: AnyCell, layers: list[list[Direction]]) -> dict[str, Tensor]:
    """The state dict of an nn.LSTM that computes the same. Raises InputError as `load_torch`."""
    _check_plain(cell)
    theirs: dict[str, Tensor] = {}
    for direction, suffix in _named(layers):
        for name, weight in direction.named_parameters():
            value = swap_rows(weight.detach(), name).clone()
            theirs[_TORCH_NAMES[name] + suffix] = value
            if name == "bias":
                theirs["bias_hh" + suffix] = torch.zeros_like(value)
    return theirs


def is_plain(cell: object) -> bool:
    """Whether nn.LSTM computes this cell, with or without projection or bias."""
    return isinstance(cell, Cell) and cell in (
        Cell(projection=cell.projection),
        Cell(projection=cell.projection, bias="none"),
    )


def _check_plain(cell: AnyCell) -> None:
    if not is_plain(cell):
        raise InputError(f"torch.nn.LSTM has no such cell: {cell}; only cell='lstm' is exchanged")


def _check_names(layers: list[list[Direction]], theirs: Mapping[str, Tensor]) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for direction, suffix in _named(layers):
        for name, weight in direction.named_parameters():
            expected[_TORCH_NAMES[name] + suffix] = tuple(weight.shape)
            if name == "bias":
                expected["bias_hh" + suffix] = tuple(weight.shape)
    for name in sorted(expected.keys() ^ theirs.keys()):
        fault = "is missing from the state dict" if name in expected else "does not exist here"
        raise InputError(
            f"{name} {fault}: layers, directions, bias or projection differ from this layer's"
        )
    for name, shape in expected.items():
        if tuple(theirs[name].shape) != shape:
            raise InputError(
                f"{name} has shape {tuple(theirs[name].shape)} in the state dict, not {shape}: "
                "input_size or hidden_size differ"
            )


def _named(layers: list[list[Direction]]) -> Iterator[tuple[Direction, str]]:
    """Each direction with the suffix of its names in torch."""
    for number, layer in enumerate(layers):
        for direction, suffix in zip(layer, ("", "_reverse"), strict=False):
            yield direction, f"_l{number}{suffix}"


def swap_rows(weight: Tensor, name: str) -> Tensor:
    """Exchanges the row orders i, f, g, o (torch) and i, f, o, z; each swap undoes itself."""
    if name == "projection":
        return weight
    i, f, third, fourth = weight.chunk(4)
    return torch.cat([i, f, fourth, third])
