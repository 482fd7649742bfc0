"""Predicts every next frame of a video of a bouncing square from the frames before it.

    python square.py [--network convlstm|lstm] [--cells N] [--field N] [--edges bounce|wrap]
                     [--videos N] [--minutes M] [--seed N]

A 4 x 4 square moves over 12 x 12 pixels, one pixel per frame in one of eight directions. It bounces
off the borders; with --edges wrap it leaves on one side and returns on the other (a torus). From
the third frame on the next one is certain, and these frames are scored. Every batch has new videos;
with --videos N all are drawn from the same N, and 100 other videos choose the weights.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fit import fit
from torch import Tensor, nn

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.files import write_json
from seqlabel.lstm import LSTM, ConvLSTM

SIDE, FRAMES, BATCH = 4, 20, 16
RATES = {"convlstm": 3e-2, "lstm": 1e-2}
"""Learning rates: for each network the best of those tried."""

READ = 2
"""Frames needed to see the direction."""


def videos(count: int, field: int, edges: str, rng: np.random.Generator) -> Tensor:
    """(count, FRAMES, 1, field, field) of 0 and 1."""
    room = field - SIDE
    velocity = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx])
    start = rng.integers(0, field if edges == "wrap" else 2 * room, (count, 1, 2))
    step = velocity[rng.integers(len(velocity), size=count)][:, None]
    way = start + step * np.arange(FRAMES)[:, None]
    if edges == "bounce":
        way = room - np.abs(way % (2 * room) - room)
    inside = (np.arange(field) - way[..., None]) % field < SIDE  # (count, FRAMES, 2, field)
    square = inside[:, :, 0, :, None] & inside[:, :, 1, None, :]
    return torch.from_numpy(square[:, :, None].astype(np.float32))


class ConvNetwork(nn.Module):
    """A convolutional LSTM and a 1 x 1 convolution of its maps; x (B, T, 1, H, W) -> logits."""

    def __init__(self, field: int, maps: int) -> None:
        super().__init__()
        self.layer = ConvLSTM(1, maps, 3, positions=(field, field), forget_bias=1.0)
        self.output = nn.Conv2d(maps, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layer(x)
        return self.output(y.flatten(0, 1)).unflatten(0, x.shape[:2])


class PlainNetwork(nn.Module):
    """The same with an LSTM that reads each frame as a vector."""

    def __init__(self, field: int, cells: int) -> None:
        super().__init__()
        self.layer = LSTM(field**2, cells, forget_bias=1.0)
        self.output = nn.Linear(cells, field**2)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layer(x.flatten(2))
        return self.output(y).unflatten(2, x.shape[2:])


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Nats per frame of x (B, T, 1, H, W), summed over the pixels, from frame READ on."""
    known = logits[:, READ - 1 : -1]
    frames = known.shape[0] * known.shape[1]
    return F.binary_cross_entropy_with_logits(known, x[:, READ:], reduction="sum") / frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("convlstm", "lstm"), default="convlstm")
    parser.add_argument("--cells", type=int, help="maps (default 8), or cells (32) of the layer")
    parser.add_argument("--field", type=int, default=12, help="pixels of a side, 6 or more")
    parser.add_argument("--edges", choices=("bounce", "wrap"), default="bounce")
    parser.add_argument("--videos", type=int, default=0, help="for training; 0: no limit")
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument("--minutes", type=float, default=1.0, help="processor time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.videos < 0:
        raise InputError(f"--videos {options.videos}: a number is expected, 0 for no limit")
    if options.field < 6:
        raise InputError(f"--field {options.field}: the square needs 6 pixels or more to move")
    torch.manual_seed(options.seed)
    rng = np.random.default_rng([2, options.seed])
    if options.network == "convlstm":
        network: nn.Module = ConvNetwork(options.field, options.cells or 8)
    else:
        network = PlainNetwork(options.field, options.cells or 32)

    rate = options.rate or RATES[options.network]
    fixed = videos(options.videos, options.field, options.edges, rng)
    dev = videos(100, options.field, options.edges, np.random.default_rng(3))

    def draw_loss() -> Tensor:
        if options.videos:
            x = fixed[torch.from_numpy(rng.integers(options.videos, size=BATCH))]
        else:
            x = videos(BATCH, options.field, options.edges, rng)
        return cross_entropy(network(x), x)

    def dev_loss() -> float:
        return float(cross_entropy(network(dev), dev))

    updates = fit(network, draw_loss, options.minutes, rate, 10.0,
                  dev_loss if options.videos else None)  # fmt: skip
    test = videos(500, options.field, options.edges, np.random.default_rng(1))
    with torch.no_grad():
        nats = float(cross_entropy(network(test), test))
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{options.network}: {weights} weights, {updates} updates, {nats:.3f} nats per frame")
    if options.json:
        found = {"weights": weights, "updates": updates, "nats": nats}
        write_json(options.json, {"network": options.network, "field": options.field,
                                  "edges": options.edges,
                                  "videos": options.videos, **found})  # fmt: skip


if __name__ == "__main__":
    sys.exit(run_command("square.py", main))
