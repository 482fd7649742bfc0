"""The search space of Greff et al. 2015 ("LSTM: A Search Space Odyssey"): variants and ranges.

Trial `number` has variant number % 9, so that the first trials of a search cover all variants
equally. A trial depends only on the seed of the search and its number.
"""

import math
from dataclasses import dataclass

import numpy as np

VARIANTS = {
    "V": "vanilla: peepholes, forget gate, tanh twice",
    "NIG": "no input gate, i = 1",
    "NFG": "no forget gate, f = 1",
    "NOG": "no output gate, o = 1",
    "NIAF": "no input activation, g = identity",
    "NOAF": "no output activation, h = identity",
    "CIFG": "coupled gates, f = 1 - i",
    "NP": "no peepholes",
    "FGR": "gates see the gates of t - 1",
}
"""Cell presets of `seqlabel.lstm`, vanilla first -> how they differ."""


@dataclass(frozen=True)
class Range:
    """A range of values. logarithmic: log-uniform, not uniform. complement: 1 - x is drawn."""

    low: float
    high: float
    logarithmic: bool = False
    complement: bool = False

    def value(self, place: float) -> float:
        """The value at a place in [0, 1], to six digits, to be equal on every machine."""
        x = self.low + place * (self.high - self.low)
        if self.logarithmic:
            x = self.low * (self.high / self.low) ** place
        return float(f"{1 - x if self.complement else x:.6g}")

    def place(self, value: float) -> float:
        """The place in [0, 1] of a value."""
        x = 1 - value if self.complement else value
        if self.logarithmic:
            place = math.log(max(x, self.low) / self.low) / math.log(self.high / self.low)
        else:
            place = (x - self.low) / (self.high - self.low)
        return min(max(place, 0.0), 1.0)


SPACE = {
    "learning_rate": Range(1e-6, 1e-2, logarithmic=True),
    "hidden": Range(20, 200, logarithmic=True),
    "input_noise": Range(0, 1),
    "momentum": Range(0.01, 1, logarithmic=True, complement=True),
}
"""Ranges of the paper: learning rate, cells per direction, σ of the input noise, momentum."""


@dataclass(frozen=True)
class Trial:
    """One training run of the search."""

    number: int
    variant: str
    learning_rate: float
    hidden: int
    input_noise: float
    momentum: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.number:05d}-{self.variant}"

    def settings(self) -> list[str]:
        """The settings as overrides of a configuration with a single phase.

        The learning rate is scaled by (1 - momentum), as in the paper; otherwise the two would not
        be independent.
        """
        rate = self.learning_rate * (1 - self.momentum)
        return [
            f"model.cell={self.variant}",
            f"model.hidden={self.hidden}",
            f"phases.0.learning_rate={rate:.6g}",
            f"phases.0.momentum={self.momentum}",
            f"phases.0.input_noise={self.input_noise}",
            f"seed={self.seed}",
        ]


def trial(seed: int, number: int) -> Trial:
    """Trial `number` of the search with this seed."""
    random = np.random.default_rng([seed, number])
    drawn = {name: SPACE[name].value(random.random()) for name in SPACE}
    return Trial(
        number=number,
        variant=list(VARIANTS)[number % len(VARIANTS)],
        learning_rate=drawn["learning_rate"],
        hidden=round(drawn["hidden"]),
        input_noise=drawn["input_noise"],
        momentum=drawn["momentum"],
        seed=int(random.integers(2**31)),
    )
