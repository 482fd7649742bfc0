"""The continual embedded Reber grammar (Gers, Schmidhuber & Cummins 2000).

An endless stream of strings B (T|P) <inner Reber string> (T|P) E: the second to last symbol repeats
the second one. The ends of strings are not marked and the state is never reset, so the state of a
cell without forget gate grows. Trained by truncated backpropagation through time: the state is
carried over from 6 strings to the next 6, the gradient is not.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from packed import Packed
from results import Claim, Line, Outcome
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from seqlabel.lstm import PRESETS, Cell
from seqlabel.lstm.cell import AnyCell
from seqlabel.lstm.weights import Initialisation

SYMBOLS = "BTPSXVE"
# node -> the two arcs (symbol, next node) of the inner grammar; node 5 is its end
ARCS = (
    (("T", 1), ("P", 2)),
    (("S", 1), ("X", 3)),
    (("T", 2), ("V", 4)),
    (("X", 2), ("S", 5)),
    (("P", 3), ("V", 5)),
)
CELLS = 12
STRINGS = 6  # per update
INIT = Initialisation("uniform", 0.2, {"f": (1,)})


def embedded_string(random: np.random.Generator) -> str:
    outer = "TP"[random.integers(2)]
    inner, node = "B", 0
    while node < len(ARCS):
        symbol, node = ARCS[node][random.integers(2)]
        inner += symbol
    return f"B{outer}{inner}E{outer}E"


class Stream:
    """Consecutive strings; every call continues where the last one stopped."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def read(self, strings: int) -> tuple[Tensor, Tensor, list[int]]:
        """Inputs (1, T, 7) one-hot, next symbols (T,), and where the next one is the outer T or P.

        The last symbol of the strings, E, is followed by the B of the next string.
        """
        texts = [embedded_string(self.random) for _ in range(strings)]
        indices = torch.tensor([SYMBOLS.index(symbol) for symbol in "".join(texts)])
        ends = np.cumsum([len(text) for text in texts])
        inputs = one_hot(indices, len(SYMBOLS)).float()[None]
        following = torch.cat([indices[1:], indices.new_tensor([SYMBOLS.index("B")])])
        return inputs, following, (ends - 3).tolist()


def train(cell: AnyCell | str, seeds: Sequence[int], updates: int, resets: bool) -> Packed:
    """Adam on the cross-entropy of the next symbol; `resets` clears the state at every string."""
    network = Packed(cell, len(SYMBOLS), CELLS, len(SYMBOLS), seeds, INIT)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    stream, state = Stream(seed=0), None
    for _ in range(updates):
        inputs, following, outer = stream.read(STRINGS)
        y, state = forward(network, inputs, outer, None if resets else state, resets)
        state = tuple(s.detach() for s in state)
        loss = cross_entropy(y.transpose(1, 2), following.expand(network.runs, -1))
        optimiser.zero_grad()
        (loss * network.runs).backward()
        network.clip(1.0)
        optimiser.step()
    return network


def forward(
    network: Packed,
    inputs: Tensor,
    outer: Sequence[int],
    state: tuple[Tensor, ...] | None,
    resets: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Outputs (R, T, 7) of a stretch of the stream, and the state at its end."""
    if not resets:
        y, state = network(inputs, state=state)
        return y[:, 0], state
    bounds = [0, *(place + 3 for place in outer)]
    lengths = [end - start for start, end in pairwise(bounds)]
    strings = torch.nn.utils.rnn.pad_sequence(inputs[0].split(lengths), batch_first=True)
    y, state = network(strings, lengths)
    return torch.cat([y[:, b, :length] for b, length in enumerate(lengths)], dim=1), state


@torch.no_grad()
def test(network: Packed, strings: int, resets: bool) -> tuple[list[float], list[float]]:
    """On a fresh stream, from a zero state, never reset if so trained, for each network:

    the share of strings whose outer symbol is predicted (the most probable of all seven), in the
    second half of the stream; and the mean |c| at its end.
    """
    inputs, following, outer = Stream(seed=1).read(strings)
    y, state = forward(network, inputs, outer, None, resets)
    late = outer[len(outer) // 2 :]
    right = y[:, late].argmax(dim=2) == following[late]
    size = state[1][0].abs().unflatten(1, (network.runs, CELLS)).mean(dim=(0, 2))
    return right.float().mean(dim=1).tolist(), size.tolist()


def run(seeds: int, quick: bool) -> Outcome:
    plans = {
        "forget gate": (PRESETS["lstm"], False),
        "no forget gate": (Cell(forget=False), False),
        "1997": (PRESETS["lstm1997"], False),
        "1997, reset at every string": (PRESETS["lstm1997"], True),
    }
    shares, sizes = {}, {}
    for name, (cell, resets) in plans.items():
        network = train(cell, range(seeds), 200 if quick else 2000, resets)
        right, size = test(network, 400, resets)
        shares[name] = Line("reber", name, network.weights, "outer right", tuple(right))
        sizes[name] = Line("reber", name, network.weights, "mean abs c", tuple(size))
    return Outcome(
        (*shares.values(), *sizes.values()),
        (
            Claim(
                "forget gate: at least 0.97 of the outer symbols in every run",
                min(shares["forget gate"].values) >= 0.97,
            ),
            Claim(
                "1997, never reset: at most 0.7 in every run",
                max(shares["1997"].values) <= 0.7,
            ),
        ),
    )
