"""Time of the parts of an epoch."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import nn

PARTS = ("data", "forward", "loss", "backward", "step", "evaluate", "checkpoint")


class Clock:
    """Seconds spent per part of the work; `with clock("forward"): ...` adds to a part.

    Nested parts count for the inner one only.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = 0.0

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        started, outside = time.perf_counter(), self._inner
        self._inner = 0.0
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[part] += spent - self._inner
            self._inner = outside + spent

    def watch(self, module: nn.Module, part: str) -> None:
        """Count every forward pass of `module` as `part`."""
        open_parts: list[AbstractContextManager[None]] = []

        def begin(*_: Any) -> None:
            open_parts.append(self(part))
            open_parts[-1].__enter__()

        def end(*_: Any) -> None:
            open_parts.pop().__exit__(None, None, None)

        module.register_forward_pre_hook(begin)
        module.register_forward_hook(end)

    def take(self) -> dict[str, float]:
        """Seconds of every part since the last call."""
        spent = {part: self.seconds[part] for part in PARTS}
        self.seconds.clear()
        return spent
