"""Long time lags: temporal order and adding (Hochreiter & Schmidhuber 1997, experiments 6a and 4).

Only the last step of a sequence is evaluated; the relevant inputs are far before it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from packed import Packed
from results import Claim, Line, Outcome
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from seqlabel.lstm import PRESETS, Cell
from seqlabel.lstm.weights import Initialisation

BATCH = 32
STEPS = 50
ORDER_INIT = Initialisation("uniform", 0.0, {"f": (1,)})
# Adding needs a longer memory at first: f starts at 0.95, which a coupled gate reaches by i = 0.05.
ADDING_INIT = Initialisation("uniform", 0.0, {"f": (3,)})
COUPLED_INIT = Initialisation("uniform", 0.0, {"i": (-3,)})
Batch = tuple[Tensor, Tensor]


def order_batch(random: np.random.Generator, size: int) -> Batch:
    """Symbols (size, 50, 8) one-hot and the class 0..3 of each: XX, XY, YX or YY.

    E, then a to d at random with an X or Y at one of the steps 3-12 and of 25-40, B at the end.
    """
    a, x, e, b = 0, 4, 6, 7
    symbols = random.integers(a, a + 4, (size, STEPS))
    marks = random.integers(2, size=(size, 2))
    rows = np.arange(size)
    symbols[rows, random.integers(3, 13, size)] = x + marks[:, 0]
    symbols[rows, random.integers(25, 41, size)] = x + marks[:, 1]
    symbols[:, 0], symbols[:, -1] = e, b
    return one_hot(torch.from_numpy(symbols), 8).float(), torch.from_numpy(marks @ [2, 1])


def adding_batch(random: np.random.Generator, size: int, steps: int = STEPS) -> Batch:
    """Pairs (size, steps, 2) of a number in [-1, 1] and a marker; the target 0.5 + (X1 + X2) / 4.

    Marked by 1 are one of the first tenth and one of the first half of the numbers; the markers of
    the first and the last pair are -1.
    """
    x = np.zeros((size, steps, 2))
    x[:, :, 0] = random.uniform(-1, 1, (size, steps))
    x[:, [0, -1], 1] = -1
    rows = np.arange(size)
    first = random.integers(1, steps // 10 + 1, size)
    second = random.integers(steps // 10 + 1, steps // 2, size)
    x[rows, first, 1] = x[rows, second, 1] = 1
    target = 0.5 + (x[rows, first, 0] + x[rows, second, 0]) / 4
    return torch.from_numpy(x).float(), torch.from_numpy(target).float()


def train(
    network: Packed,
    batch: Callable[[np.random.Generator, int], Batch],
    loss: Callable[[Tensor, Tensor], Tensor],
    updates: int,
    rate: float,
) -> None:
    """Adam, gradient norm at most 1, a tenth of the rate in the last fifth."""
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    random = np.random.default_rng(0)
    for update in range(updates):
        optimiser.param_groups[0]["lr"] = rate if update < 0.8 * updates else rate / 10
        x, target = batch(random, BATCH)
        y, _ = network(x)
        optimiser.zero_grad()
        loss(y[:, :, -1], target).backward()
        network.clip(1.0)
        optimiser.step()


def class_loss(y: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of each network's batch, summed over networks: (R, B, 4), (B,)."""
    runs = len(y)
    return cross_entropy(y.flatten(0, 1), target.repeat(runs)) * runs


def square_loss(y: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of each network's batch, summed over networks: (R, B, 1), (B,)."""
    return (y[..., 0] - target).square().mean(dim=1).sum()


def order(seeds: int, quick: bool) -> Outcome:
    lines = {}
    for name in ("lstm", "peephole", "rnn_tanh"):
        network = Packed(name, 8, 4, 4, range(seeds), ORDER_INIT)
        train(network, order_batch, class_loss, 150 if quick else 1500, rate=0.01)
        x, target = order_batch(np.random.default_rng(1), 512)
        with torch.no_grad():
            right = network(x)[0][:, :, -1].argmax(dim=2) == target
        shares = tuple(right.float().mean(dim=1).tolist())
        lines[name] = Line("order", name, network.weights, "right", shares)
    return Outcome(
        tuple(lines.values()),
        (
            Claim("LSTM: every test sequence right in most runs", lines["lstm"].median == 1),
            Claim("tanh RNN: near chance, 0.25", max(lines["rnn_tanh"].values) <= 0.35),
        ),
    )


def adding_lines(cells: Sequence[str], seeds: int, updates: int, title: str) -> dict[str, Line]:
    """Mean squared error on 1000 test sequences; a constant output has 0.042."""
    lines = {}
    for name in cells:
        cell = PRESETS[name]
        coupled = isinstance(cell, Cell) and cell.coupled
        init = COUPLED_INIT if coupled else ADDING_INIT
        network = Packed(cell, 2, 12, 1, range(seeds), init)
        train(network, adding_batch, square_loss, updates, rate=5e-3)
        x, target = adding_batch(np.random.default_rng(1), 1000)
        with torch.no_grad():
            y = network(x)[0][:, :, -1, 0]
        errors = (y - target).square().mean(dim=1).tolist()
        lines[name] = Line(title, name, network.weights, "squared error", tuple(errors))
    return lines


def adding(seeds: int, quick: bool) -> Outcome:
    updates = 200 if quick else 2000
    lines = adding_lines(("lstm", "peephole", "rnn_tanh"), seeds, updates, "adding")
    return Outcome(
        tuple(lines.values()),
        (
            Claim("LSTM: below 0.01 in most runs", lines["lstm"].median < 0.01),
            Claim("tanh RNN: above 0.03 in every run", min(lines["rnn_tanh"].values) > 0.03),
        ),
    )


def odyssey(seeds: int, quick: bool) -> Outcome:
    """The variants of Greff et al. 2015 on adding: one toy task, not a ranking of the variants."""
    variants = ("V", "NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG", "NP", "FGR")
    lines = adding_lines(variants, seeds, 200 if quick else 2000, "odyssey, adding")
    medians = [line.median for line in lines.values()]
    return Outcome(
        tuple(lines.values()),
        (Claim("every variant learns: median below 0.04", max(medians) < 0.04),),
    )
