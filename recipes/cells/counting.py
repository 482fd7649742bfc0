"""Counting: a^n b^n and a^n b^n c^n, beyond the lengths of training (Gers & Schmidhuber 2001).

After each symbol of S a^n b^n T the network predicts the set of symbols that may follow; a string
is accepted if every set is right. Training has n = 1..10 only. Exact counting needs input and
forget gate near 1 at the same time, which the coupled gates of CIFG exclude.

Full-batch training does not generalise, so each update uses one string. Performance varies during
training, so both the last and the best weights are reported.
"""

import numpy as np
import torch
from packed import Packed
from results import Claim, Line, Outcome
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from seqlabel.lstm import PRESETS, Cell
from seqlabel.lstm.weights import Initialisation

LONGEST_TRAINED = 10
LONGEST_TESTED = 500
LOOK = 500  # updates between two tests
INIT = Initialisation("normal", 0.1, {"i": (-1,), "f": (1,)})
CELLS = {
    "diagonal peepholes": Cell(peephole="diagonal"),
    "no peepholes": Cell(),
    "CIFG": PRESETS["cifg"],
}


def string(letters: int, n: int) -> tuple[Tensor, Tensor]:
    """Inputs (1 + n * letters, 1 + letters): S, a, b ...; what may follow (as long): a, b, ..., T.

    With n = 1 the sets of a^n b^n are {a}, {a, b}, {T}.
    """
    steps = 1 + n * letters
    x, legal = torch.zeros(steps, 1 + letters), torch.zeros(steps, 1 + letters)
    place = torch.arange(1, steps)
    x[0, 0] = 1
    x[place, 1 + (place - 1) // n] = 1
    legal[: n + 1, 0] = 1  # a may always be followed by another a
    legal[1 : n + 1, 1] = 1
    later = torch.arange(n + 1, steps)  # from the first b on the string is settled
    legal[later, later // n] = 1
    return x, legal


@torch.no_grad()
def accepted(network: Packed, letters: int) -> list[int]:
    """For each network the largest n such that all of 1..n are accepted, 500 at most."""
    best = [0] * network.runs
    low, high = 1, 2 * LONGEST_TRAINED
    while low <= LONGEST_TESTED and max(best) == low - 1:
        pairs = [string(letters, n) for n in range(low, min(high, LONGEST_TESTED) + 1)]
        x, legal = (
            torch.nn.utils.rnn.pad_sequence(list(part), batch_first=True)
            for part in zip(*pairs, strict=True)
        )
        lengths = torch.tensor([len(s) for s, _ in pairs])
        inside = torch.arange(x.shape[1]) < lengths[:, None]
        y, _ = network(x, lengths)
        wrong = ((y > 0) != (legal > 0)).any(dim=3) & inside
        right = ~wrong.any(dim=2)  # (R, strings)
        in_a_row = right.int().cumprod(dim=1).sum(dim=1).tolist()
        best = [b + more if b == low - 1 else b for b, more in zip(best, in_a_row, strict=True)]
        low, high = high + 1, 2 * high
    return best


def train(network: Packed, letters: int, updates: int) -> tuple[list[int], list[int]]:
    """Adam, one string per update. Returns the largest n accepted at the end, and the best at any
    time.
    """
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    random = np.random.default_rng(0)
    strings = [string(letters, n) for n in range(1, LONGEST_TRAINED + 1)]
    last = best = [0] * network.runs
    for update in range(1, updates + 1):
        x, legal = strings[random.integers(LONGEST_TRAINED)]
        y, _ = network(x[None])
        loss = binary_cross_entropy_with_logits(y[:, 0], legal.expand(network.runs, -1, -1))
        optimiser.zero_grad()
        (loss * network.runs).backward()
        network.clip(1.0)
        optimiser.step()
        if update % LOOK == 0:
            last = accepted(network, letters)
            best = list(map(max, best, last))
    return last, best


def run(seeds: int, quick: bool) -> Outcome:
    tasks = {"a^n b^n": (2, 2, 20_000), "a^n b^n c^n": (3, 3, 30_000)}
    lines, medians = [], {}
    for task, (letters, cells, updates) in tasks.items():
        for name, cell in CELLS.items():
            network = Packed(cell, 1 + letters, cells, 1 + letters, range(seeds), INIT)
            last, best = train(network, letters, updates // 10 if quick else updates)
            lines.append(Line(task, name, network.weights, "largest n, last", tuple(last)))
            lines.append(Line(task, name, network.weights, "largest n, best", tuple(best)))
            medians[task, name] = lines[-1].median
    return Outcome(
        tuple(lines),
        tuple(
            Claim(
                f"{task}: best with peepholes at least 3 times the best without (medians)",
                medians[task, "diagonal peepholes"] >= 3 * medians[task, "no peepholes"],
            )
            for task in tasks
        ),
    )
