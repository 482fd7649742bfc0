"""A progress bar on a terminal, and no output elsewhere."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress_bar(items: Iterable[Item], title: str, total: int | None = None) -> Iterable[Item]:
    """Iterate over `items` under a bar on standard error, shown only on a terminal."""
    if total is None and isinstance(items, Sequence):
        total = len(items)
    return tqdm(
        items, title, total, leave=False, disable=not sys.stderr.isatty(), dynamic_ncols=True
    )
