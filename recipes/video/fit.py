"""Training until the processor time is used up; the same for all compared networks."""

import math
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

DEV = 100
"""Updates between two values of the dev loss."""


def fit(
    network: nn.Module,
    draw_loss: Callable[[], Tensor],
    minutes: float,
    learning_rate: float,
    clip: float,
    dev_loss: Callable[[], float] | None = None,
) -> int:
    """Train with Adam on `draw_loss`, the loss of a new batch at each call; returns the updates.

    The learning rate falls along a cosine to a hundredth of its initial value when the processor
    time is used up. At least one update is made. Gradients with a norm above `clip` are scaled to
    it. With `dev_loss`, which is computed every `DEV` updates, the best weights are kept.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    seconds = 60 * minutes
    started, updates, spent = time.process_time(), 0, 0.0
    least, best = math.inf, {}
    while not updates or spent < seconds:
        done = spent / seconds if seconds else 0.0
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        optimiser.zero_grad()
        loss = draw_loss()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimiser.step()
        updates += 1
        spent = time.process_time() - started
        if updates % DEV == 1:
            told = f"{updates:6} updates  {spent:4.0f} s  {loss.item():8.3f}"
            if dev_loss:
                with torch.no_grad():
                    dev = dev_loss()
                told += f"  dev {dev:8.3f}"
                if dev < least:
                    least, best = dev, {k: v.clone() for k, v in network.state_dict().items()}
            print(told, file=sys.stderr)
    if dev_loss:
        network.load_state_dict(best)
    return updates
