"""A progress bar on a terminal, and no output elsewhere."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def progress_bar(items: Iterable[Item], title: str, total: int | None = None) -> Iterable[Item]:
    """Iterate over `items` under a bar on standard error, shown only on a terminal."""
    # A bar that is switched off still starts a thread and takes a lock that forked processes share.
    if not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    if total is None and isinstance(items, Sequence):
        total = len(items)
    return tqdm(items, title, total, leave=False, dynamic_ncols=True)
