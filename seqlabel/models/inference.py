"""A trained torch model with the interface `seqlabel.recognizer.Network`."""

import numpy as np
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.lstm.runtime import flush_denormals
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder
from seqlabel.models.regression import Regression
from seqlabel.models.streaming import ModelStream, waits
from seqlabel.models.transducer import Transducer, TransducerDecoder


class TorchNetwork:
    """Runs a model without gradients on one device; raises InputError for a missing device.

    Denormal numbers, which are slow, are flushed to zero from then on.
    """

    def __init__(self, model: Model, device: str | torch.device = "cpu") -> None:
        flush_denormals()
        self.device = find_device(device)
        self.model = model.eval().to(self.device)

    @property
    def subsample(self) -> int:
        """Frames per output."""
        return self.model.encoder.reduction

    @property
    def takes_samples(self) -> bool:
        """False: the front end is separate."""
        return False

    @property
    def per_label(self) -> bool:
        """Whether the outputs are natural log-probabilities of the labels."""
        return bool(self.model.criterion.per_label)

    @property
    def values(self) -> Regression.Options | None:
        """The predicted values, for models of values instead of labels."""
        criterion = self.model.criterion
        return criterion.options if isinstance(criterion, Regression) else None

    @property
    def timed(self) -> bool:
        """Whether the cells need the time between frames."""
        return isinstance(self.model.encoder, Encoder) and self.model.encoder.options.timed

    def __call__(
        self,
        x: np.ndarray,
        lengths: np.ndarray,
        elapsed: np.ndarray | None = None,
        heights: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, F), lengths (B,), elapsed (B, T) if `timed` -> outputs (B, T', N), lengths'.

        heights (B,): of images, unless all have F rows.
        """
        frames, sizes = torch.from_numpy(x).to(self.device), torch.from_numpy(lengths)
        times = None if elapsed is None else torch.from_numpy(elapsed).to(self.device)
        rows = None if heights is None else torch.from_numpy(heights)
        with torch.inference_mode():
            outputs, out_lengths = self.model.outputs(frames, sizes, times, rows)
        return outputs.cpu().numpy(), out_lengths.numpy()

    @property
    def waits(self) -> int | None:
        """Maximum number of later frames that an output waits for; None for all of them."""
        return waits(self.model)

    def stream(self) -> ModelStream:
        """The same for frames in pieces, on the CPU; InputError, with the way out, for a network
        that needs them all."""
        return ModelStream(self.model)

    def decoder(self, alphabet: Alphabet, beam: int = 0) -> TransducerDecoder | None:
        """The decoder of a transducer; None for criteria that any decoder can decode."""
        criterion = self.model.criterion
        if isinstance(criterion, Transducer):
            return TransducerDecoder(criterion, alphabet, beam)
        return None


def find_device(name: str | torch.device) -> torch.device:
    """An available device; InputError for others."""
    try:
        device = torch.device(name)
        known = device.type in ("cpu", "cuda")
    except RuntimeError:
        known = False
    if not known:
        raise InputError(f"device {str(name)!r}: must be cpu, cuda or cuda:N")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise InputError(f"device {str(name)!r}: torch finds {count} GPUs here; use cpu")
    return device
