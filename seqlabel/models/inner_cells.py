"""Cells of the networks that some criteria have of their own."""

from collections.abc import Mapping
from typing import Any

from seqlabel.errors import InputError
from seqlabel.lstm.cell import as_cell, is_timed


def check_inner_cell(cell: str | Mapping[str, Any]) -> None:
    """Raise InputError for a cell that cannot be in such a network, or is none at all."""
    if cell == "lstmp":
        raise InputError(
            "cell = 'lstmp' lacks the number of its outputs, which only the encoder "
            "has as an option; use 'peephole'"
        )
    if is_timed(as_cell(cell)):
        raise InputError(
            f"cell = {cell!r} needs the time between frames, which only the encoder gets"
        )
