"""One cell that generates a wave of period 10 (Gers, Schraudolph & Schmidhuber 2002).

The input is constant, so the cell must measure time: while its output gate is closed, its state is
visible through the peepholes only. 17 weights with diagonal peepholes: 4 from the input, 4
recurrent, 4 biases, 3 peepholes, 2 of the output. Training sequences have at most 10 periods; then
the network runs freely until the error exceeds 0.3.
"""

from collections.abc import Sequence

import torch
from packed import Packed
from results import Claim, Line, Outcome
from torch import Tensor

from seqlabel.lstm import Cell
from seqlabel.lstm.weights import Initialisation

PERIOD = 10
LONGEST = 1100  # steps of a free run
TOLERANCE = 0.3  # of the paper
INIT = Initialisation("normal", 0.3, {"f": (1,)})
PEEPHOLES = {
    "diagonal peepholes, h = identity": Cell(peephole="diagonal", output="identity"),
    "diagonal peepholes, h = tanh": Cell(peephole="diagonal"),
}
NO_PEEPHOLES = {
    "no peepholes, h = identity": Cell(output="identity"),
    "no peepholes, h = tanh": Cell(),
}
OTHERS = {
    "state-fed gates": Cell(peephole="state", output="identity"),
    "no forget gate, peepholes": Cell(forget=False, peephole="diagonal", output="identity"),
}
CELLS = {**PEEPHOLES, **NO_PEEPHOLES, **OTHERS}


def cosine(steps: int) -> Tensor:
    """(1 - cos(2πt/10)) / 2 for t = 0, 1, ..."""
    t = torch.arange(steps)
    return (1 - torch.cos(2 * torch.pi * t / PERIOD)) / 2


def triangle(steps: int) -> Tensor:
    t = torch.arange(steps) % PERIOD
    return 1 - (2 * t / PERIOD - 1).abs()


WAVES = {"cosine": cosine, "triangle": triangle}


def periods(progress: float) -> int:
    """Length of training sequences at a progress of 0..1; it grows."""
    return 3 if progress < 0.3 else 6 if progress < 0.6 else 10


def train(cell: Cell, seeds: Sequence[int], updates: int) -> Packed:
    """Networks for each wave and seed, waves outermost; Adam on the mean squared error."""
    network = Packed(cell, 1, 1, 1, [*seeds] * len(WAVES), INIT)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for update in range(updates):
        progress = update / updates
        optimiser.param_groups[0]["lr"] = 0.01 if progress < 0.8 else 0.001
        steps = periods(progress) * PERIOD
        y, _ = network(torch.ones(1, steps, 1))
        loss = (y.view(len(WAVES), -1, steps) - targets(steps)).square().mean(dim=2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network


def targets(steps: int) -> Tensor:
    """(waves, 1, steps)"""
    return torch.stack([wave(steps) for wave in WAVES.values()])[:, None]


@torch.no_grad()
def survived(network: Packed) -> Tensor:
    """Steps of each free run before the error exceeds 0.3: (waves, seeds)."""
    y, _ = network(torch.ones(1, LONGEST, 1))
    wrong = (y.view(len(WAVES), -1, LONGEST) - targets(LONGEST)).abs() > TOLERANCE
    return torch.where(wrong.any(dim=2), wrong.float().argmax(dim=2), LONGEST)


def run(seeds: int, quick: bool) -> Outcome:
    lines, steps = [], {}
    for name, cell in CELLS.items():
        network = train(cell, range(seeds), updates=500 if quick else 5000)
        for wave, free in zip(WAVES, survived(network).tolist(), strict=True):
            lines.append(Line(f"wave, {wave}", name, network.weights, "steps", tuple(free)))
            steps[name, wave] = max(free)
    return Outcome(
        tuple(lines),
        (
            Claim(
                "diagonal peepholes: some runs go on for 200 steps, twice the training",
                all(steps[name, wave] >= 200 for name in PEEPHOLES for wave in WAVES),
            ),
            Claim(
                "cosine: cells without peepholes never beyond 20 steps",
                all(steps[name, "cosine"] <= 20 for name in NO_PEEPHOLES),
            ),
            Claim(
                "triangle: cells with h = tanh and no peepholes never beyond 20 steps",
                steps["no peepholes, h = tanh", "triangle"] <= 20,
            ),
            Claim(
                "state-fed gates, no forget gate: never beyond 20 steps, either wave",
                all(steps[name, wave] <= 20 for name in OTHERS for wave in WAVES),
            ),
        ),
    )
