"""Averages of weights: exponential over all updates (EMA), and over the best epochs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Ema:
    """Exponential moving average of a module's weights (Polyak & Juditsky 1992).

    After update n the average is a ← d a + (1 - d) w with d = min(decay, (1 + n) / (10 + n)): the
    first updates, far from the final weights, decay fast.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.average = {name: w.detach().clone() for name, w in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Add the module's weights to the average."""
        d = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, weight in module.named_parameters():
            self.average[name].lerp_(weight, 1 - d)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Inside the context the module has the averaged weights."""
        weights = dict(module.named_parameters())
        own = {name: weight.detach().clone() for name, weight in weights.items()}
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(self.average[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.copy_(own[name])

    def averaged(self, module: Network) -> Network:
        """A copy of the module, in evaluation mode, whose weights are and remain the averages."""
        copy = deepcopy(module).eval()
        for name, weight in copy.named_parameters():
            weight.data = self.average[name]
        return copy.requires_grad_(False)

    def state_dict(self) -> dict[str, object]:
        """State for a checkpoint."""
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the output of `state_dict`, on the device of the module's weights."""
        self.updates = int(state["updates"])
        for name, average in self.average.items():
            average.copy_(state["average"][name])


def average_weights(snapshots: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several sets of weights with the same names and shapes."""
    return {
        name: torch.stack([snapshot[name].double() for snapshot in snapshots]).mean(0).to(w.dtype)
        for name, w in snapshots[0].items()
    }
