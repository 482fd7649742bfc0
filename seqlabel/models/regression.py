"""Values of every frame: regression, and prediction of later frames."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.models.targets import Fitting

LEAST_LOG_STD = -7.0
"""Minimum deviation of a Gaussian output, in units of the training deviation."""


class Regression(nn.Module):
    """D real numbers for every frame; there are no labels.

    Targets are normalised with the mean and deviation that they have in the training set (not those
    of "bernoulli"), which belong to the weights: `outputs` have the units of the targets.

    encoder_size: E. inputs: F, which is D of the target "next".
    """

    per_label = False

    @dataclass(frozen=True)
    class Options:
        """loss: "squared", half the squared error, that is -ln p of a Gaussian of deviation 1 but
        for a constant; "gaussian", -ln p of a Gaussian whose mean and deviation the network gives
        (Nix & Weigend 1994); "bernoulli", cross-entropy of values in 0 ... 1, each for itself.
        target: "file", arrays of the manifest; "next", the frame `ahead` frames later.
        size: D of "file". Its values are known `ahead` frames later: persistence, which the report
        compares with, repeats the value of so many frames before.
        """

        loss: Literal["squared", "gaussian", "bernoulli"] = "squared"
        target: Literal["file", "next"] = "file"
        size: int = 1
        ahead: int = 1

        def __post_init__(self) -> None:
            if self.size < 1 or self.ahead < 1:
                raise InputError("criterion: size and ahead must be at least 1")

    def __init__(
        self, encoder_size: int, labels: int, options: "Regression.Options", inputs: int
    ) -> None:
        super().__init__()
        self.options = options
        self.size = inputs if options.target == "next" else options.size
        outputs = 2 * self.size if options.loss == "gaussian" else self.size
        self.output = nn.Linear(encoder_size, outputs)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("std", torch.ones(self.size))

    def losses(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        """Sum over frames and known values of each utterance."""
        expected, known = self._expected(encoded, lengths, batch)
        found = self.output(encoded)
        if self.options.loss == "bernoulli":
            losses = F.binary_cross_entropy_with_logits(found, expected, reduction="none")
        elif self.options.loss == "gaussian":
            mean, log_std = self._gaussian(found)
            losses = 0.5 * ((expected - mean) * torch.exp(-log_std)) ** 2 + log_std
            losses = losses + 0.5 * math.log(2 * math.pi)
        else:
            losses = 0.5 * (expected - found) ** 2
        return torch.where(known, losses, 0.0).sum(dim=(1, 2))

    def outputs(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) predictions in units of the targets; of "gaussian" (B, T, 2D), behind the means
        the standard deviations; of "bernoulli" probabilities."""
        found = self.output(encoded)
        if self.options.loss == "bernoulli":
            return found.sigmoid()
        if self.options.loss == "gaussian":
            mean, log_std = self._gaussian(found)
            return torch.cat([mean * self.std + self.mean, log_std.exp() * self.std], dim=2)
        return found * self.std + self.mean

    def best_labels(self, encoded: Tensor, lengths: Tensor) -> list[list[int]]:
        """None: there are no labels."""
        return [[] for _ in range(len(lengths))]

    def squared_errors(self, encoded: Tensor, lengths: Tensor, batch: Any) -> tuple[float, int]:
        """Sum of the squared errors of the known values, normalised as the targets are, and how
        many these are."""
        expected, known = self._expected(encoded, lengths, batch)
        found = self.output(encoded)
        if self.options.loss == "bernoulli":
            found = found.sigmoid()
        elif self.options.loss == "gaussian":
            found, _ = self._gaussian(found)
        errors = torch.where(known, (expected - found) ** 2, 0.0)
        return float(errors.detach().double().sum()), int(known.sum())

    def fitting(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Fitting:
        """The normalised targets."""
        return Fitting(*self._expected(encoded, lengths, batch))

    def read(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) what the output layer reads for each frame: the encoder's output."""
        return encoded

    def squash(self, found: Tensor) -> Tensor:
        """Normalised predictions of the output layer's numbers, probabilities of "bernoulli"."""
        return found.sigmoid() if self.options.loss == "bernoulli" else found

    def deviations(self, squashed: Tensor) -> Tensor:
        """Of targets with these means: sqrt(p (1 - p)) of "bernoulli", otherwise 1."""
        if self.options.loss == "bernoulli":
            return (squashed * (1 - squashed)).sqrt()
        return torch.ones_like(squashed)

    def _gaussian(self, found: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of the deviations (B, T, D), both normalised."""
        mean, log_std = found.split(self.size, dim=2)
        return mean, log_std.clamp(LEAST_LOG_STD, -LEAST_LOG_STD)

    def _expected(self, encoded: Tensor, lengths: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """(B, T, D) normalised targets, 0 where none is known, and where one is."""
        values = batch.values
        if values is None:
            raise InputError(f"{batch.ids[0]}: no values to predict in the batch")
        if values.shape != (*encoded.shape[:2], self.size):
            raise InputError(
                f"{batch.ids[0]}: {encoded.shape[1]} outputs of {self.size} values for targets of "
                f"shape {tuple(values.shape[1:])}; regression needs subsample = 1"
            )
        behind = torch.arange(values.shape[1]) >= lengths.cpu()[:, None]
        known = values.isfinite() & ~behind.to(values.device)[:, :, None]
        expected = (values - self.mean) / self.std
        return torch.where(known, expected, 0.0), known
