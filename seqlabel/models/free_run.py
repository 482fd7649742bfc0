"""Free runs: a network that predicts the next frame reads its own predictions."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder
from seqlabel.models.regression import Regression


class Feedback(NamedTuple):
    """Turns a prediction into the next input: from units of the output layer to those of inputs."""

    scale: Tensor  # (F,)
    shift: Tensor  # (F,)

    def __call__(self, found: Tensor) -> Tensor:
        """Outputs (..., D) -> frames (..., F)."""
        return found * self.scale + self.shift

    @classmethod
    def of(cls, model: Model, front_end: FrontEnd) -> "Feedback":
        """The feedback of a model; InputError if it does not predict its next input."""
        criterion = model.criterion
        options = criterion.options if isinstance(criterion, Regression) else None
        plain = front_end.options.stack == 1 and front_end.options.normalise in ("train", "none")
        predicts = options is not None and (options.target, options.ahead) == ("next", 1)
        if options is None or not predicts or options.loss != "squared" or not plain:
            raise InputError(
                "a free run needs a model that predicts its next input: criterion.kind = "
                "'regression', target = 'next', ahead = 1, loss = 'squared', with front_end.stack "
                "= 1 and normalise = 'train' or 'none'"
            )
        mean, std = torch.zeros(criterion.size), torch.ones(criterion.size)
        if front_end.statistics is not None:
            mean = torch.from_numpy(front_end.statistics.mean).float()
            std = torch.from_numpy(front_end.statistics.std).float()
        mean, std = mean.to(criterion.mean.device), std.to(criterion.mean.device)
        return cls(criterion.std / std, (criterion.mean - mean) / std)


@torch.inference_mode()
def free_run(model: Model, feedback: Feedback, x: Tensor, steps: int) -> Tensor:
    """Read frames x (B, T, F), then run freely: predictions (B, steps, D) of frames T, T + 1, ...

    Predictions are in the units of the output layer. model: a single unidirectional stack.
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
    """Sum of squared errors over the last `steps` frames of one utterance, and number of values.

    The model reads the frames before and predicts these. Errors are in units of the standard
    deviation of the targets.
    """
    found = free_run(model, feedback, batch.x[:, :-steps], steps)
    # The target of a frame is the next frame, so the targets start one frame earlier.
    values = batch.values[:, -steps - 1 : -1]
    errors = (found - (values - model.criterion.mean) / model.criterion.std).double() ** 2
    return float(errors.sum()), errors.numel()
