"""A network that foretells the next frame, run on its own predictions."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder
from seqlabel.models.regression import Regression


class Feedback(NamedTuple):
    """How a prediction becomes the next input: from the output layer's units to the front end's."""

    scale: Tensor  # (F,)
    shift: Tensor  # (F,)

    def __call__(self, found: Tensor) -> Tensor:
        """(..., D) of the output layer -> (..., F) frames."""
        return found * self.scale + self.shift

    @classmethod
    def of(cls, model: Model, front_end: FrontEnd) -> "Feedback":
        """That of a model; InputError where a prediction is not the next input."""
        criterion = model.criterion
        options = criterion.options if isinstance(criterion, Regression) else None
        plain = front_end.options.stack == 1 and front_end.options.normalise in ("train", "none")
        foretells = options is not None and (options.target, options.ahead) == ("next", 1)
        if options is None or not foretells or options.loss != "squared" or not plain:
            raise InputError(
                "a free run reads its own predictions: criterion.kind = 'regression', target = "
                "'next', ahead = 1, loss = 'squared', with front_end.stack = 1 and normalise = "
                "'train' or 'none'"
            )
        mean, std = torch.zeros(criterion.size), torch.ones(criterion.size)
        if front_end.statistics is not None:
            mean = torch.from_numpy(front_end.statistics.mean).float()
            std = torch.from_numpy(front_end.statistics.std).float()
        mean, std = mean.to(criterion.mean.device), std.to(criterion.mean.device)
        return cls(criterion.std / std, (criterion.mean - mean) / std)


@torch.inference_mode()
def free_run(model: Model, feedback: Feedback, x: Tensor, steps: int) -> Tensor:
    """Read frames x (B, T, F), then run on: (B, steps, D) predictions in the output layer's units.

    The first is of frame T. model: one stack of layers in one direction.
    """
    encoder, output = model.encoder, model.criterion.output
    assert isinstance(encoder, Encoder)
    layer = encoder.lower
    y, state = layer(x)
    predictions = []
    for _ in range(steps):
        predictions.append(output(y[:, -1]))
        y, state = layer(feedback(predictions[-1])[:, None], None, state)
    return torch.stack(predictions, dim=1)


def free_error(model: Model, feedback: Feedback, batch: Any, steps: int) -> tuple[float, int]:
    """Sum of the squared errors of the last `steps` frames of one utterance, and their number.

    The frames before are read, these are predicted; in units of the targets' deviation.
    """
    found = free_run(model, feedback, batch.x[:, :-steps], steps)
    # the values of a frame are the next frame, which is the first that is predicted
    values = batch.values[:, -steps - 1 : -1]
    errors = (found - (values - model.criterion.mean) / model.criterion.std).double() ** 2
    return float(errors.sum()), errors.numel()
