"""Pretrained models that are part of the package, by name.

Each folder here is a model directory as `seqlabel train` writes it, with 8-bit weights and a model
card (README.md): data, licence, protocol, error rates, command, date.
"""

import os
from pathlib import Path

from seqlabel.config import did_you_mean
from seqlabel.errors import InputError

HERE = Path(__file__).parent
CARD = "README.md"


def names() -> tuple[str, ...]:
    """Names of the models, in alphabetical order."""
    return tuple(sorted(card.parent.name for card in HERE.glob(f"*/{CARD}")))


def find(name: str) -> Path:
    """The model directory of a name; InputError for any other name, with the nearest one."""
    if name not in names():
        raise InputError(f"no model {name!r} comes with seqlabel{did_you_mean(name, names())}")
    return HERE / name


def resolve(model: str | os.PathLike[str]) -> Path:
    """The path of a model: an existing folder or file, otherwise the name of a pretrained model.

    Raises InputError if it is neither.
    """
    path = Path(model)
    if path.exists() or path.name != str(model):
        return path
    try:
        return find(str(model))
    except InputError as error:
        raise InputError(f"{model}: no such model directory, and {error}") from None
