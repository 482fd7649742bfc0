"""Irregular times: impulses at uneven gaps, whose sum decays with a time constant.

15 impulses of +1 or -1 at gaps between 0.1 and 30, uniform on a logarithmic scale; the class is the
sign of their sum, each decayed exp(-age / 5) until the last one. The cell of Baytas et al. 2017
gets the gaps; it is compared with an LSTM without the gaps, and with one that has their logarithm
as a second input.
"""

import numpy as np
import torch
from results import Claim, Line, Outcome
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from seqlabel.lstm import LSTM

IMPULSES, TIME_CONSTANT = 15, 5.0
SEQUENCES, BATCH, UPDATES, CELLS = 4000, 128, 800, 16


def sequences(random: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Impulses (size, 15, 1), time before each (size, 15), 0 for the first, and class (size,)."""
    impulses = random.integers(2, size=(size, IMPULSES)) * 2.0 - 1
    gaps = np.exp(random.uniform(np.log(0.1), np.log(30), (size, IMPULSES)))
    gaps[:, 0] = 0
    age = gaps.sum(axis=1, keepdims=True) - np.cumsum(gaps, axis=1)
    total = (impulses * np.exp(-age / TIME_CONSTANT)).sum(axis=1)
    x, elapsed = torch.from_numpy(impulses).float(), torch.from_numpy(gaps).float()
    return x[:, :, None], elapsed, torch.from_numpy(total > 0).float()


class Network(nn.Module):
    """One layer and a logistic output at the last impulse."""

    def __init__(self, sees: str) -> None:
        super().__init__()
        self.sees = sees
        cell = "tlstm" if sees == "time" else "lstm"
        self.lstm = LSTM(2 if sees == "logarithm" else 1, CELLS, cell=cell)
        self.output = nn.Linear(CELLS, 1)

    def forward(self, x: Tensor, elapsed: Tensor) -> Tensor:
        """Impulses (B, T, 1) and the time before each (B, T) -> logits (B,)."""
        if self.sees == "logarithm":
            x = torch.cat([x, torch.log(elapsed.clamp(min=0.1))[..., None]], dim=2)
        y, _ = self.lstm(x, elapsed=elapsed if self.sees == "time" else None)
        return self.output(y[:, -1])[:, 0]


def right(sees: str, seed: int, updates: int) -> tuple[float, int]:
    """Share of test sequences classified correctly after training, and number of weights."""
    random = np.random.default_rng(seed)
    x, elapsed, target = sequences(random, SEQUENCES)
    torch.manual_seed(seed)
    network = Network(sees)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(updates):
        batch = torch.from_numpy(random.integers(SEQUENCES, size=BATCH))
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(
            network(x[batch], elapsed[batch]), target[batch]
        ).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    x, elapsed, target = sequences(random, SEQUENCES)
    with torch.no_grad():
        correct = (network(x, elapsed) > 0) == (target > 0.5)
    return float(correct.float().mean()), sum(w.numel() for w in network.parameters())


def run(seeds: int, quick: bool) -> Outcome:
    """The three networks on the same sequences."""
    lines = {}
    for sees, name in (
        ("impulses", "LSTM without the gaps"),
        ("time", "T-LSTM"),
        ("logarithm", "LSTM, log gap as input"),
    ):
        found = [right(sees, seed, UPDATES // 10 if quick else UPDATES) for seed in range(seeds)]
        shares, weights = tuple(share for share, _ in found), found[0][1]
        lines[sees] = Line("gaps", name, weights, "right", shares)
    gain = lines["time"].median - lines["impulses"].median
    return Outcome(
        tuple(lines.values()),
        (
            Claim("T-LSTM: at least 0.05 above the LSTM without the gaps", gain >= 0.05),
            Claim(
                "the logarithm of the gap as an input is better still",
                lines["logarithm"].median > lines["time"].median,
            ),
        ),
    )
