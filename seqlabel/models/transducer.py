"""The recurrent neural network transducer (Graves 2012; Graves, Mohamed & Hinton 2013)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.models.joint import OutputNetwork, Product
from seqlabel.models.prediction import PredictionNetwork
from seqlabel.models.transducer_search import greedy


class Transducer(nn.Module):
    """A distribution over the next label given the frame and all labels so far.

    encoder_size: E, outputs of the encoder.  labels: K with the blank.
    """

    @dataclass(frozen=True)
    class Options:
        """prediction: cells of the prediction network, hidden: N of the output network.

        joint: "output" for the output network of 2013, "product" for that of 2012 (no N).
        most_per_frame: labels that the greedy search may write at one frame.
        """

        prediction: int = 250
        hidden: int = 250
        joint: Literal["output", "product"] = "output"
        cell: str = "peephole"
        most_per_frame: int = 5

        def __post_init__(self) -> None:
            if min(self.prediction, self.hidden, self.most_per_frame) < 1:
                raise InputError("prediction, hidden and most_per_frame must be at least 1")

    def __init__(self, encoder_size: int, labels: int, options: "Transducer.Options") -> None:
        super().__init__()
        self.options = options
        self.prediction = PredictionNetwork(labels, options.prediction, options.cell)
        P = self.prediction.output_size
        self.joint: OutputNetwork | Product
        if options.joint == "product":
            self.joint = Product(encoder_size, P, labels)
        else:
            self.joint = OutputNetwork(encoder_size, P, options.hidden, labels)

    def losses(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        """-ln p(labels | frames) of each utterance."""
        predicted = self.prediction(batch.targets, batch.target_lengths)
        return self.joint.losses(
            self.joint.frames(encoded),
            self.joint.labels(predicted),
            lengths,
            batch.targets,
            batch.target_lengths,
        )

    def log_probs(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """A transducer has none that depend on the frame alone: raises InputError."""
        raise InputError(
            "a transducer gives no label probabilities per frame; decode it with its own search "
            "(seqlabel.models.transducer_search) or train with criterion kind ctc"
        )

    def best_labels(self, encoded: Tensor, lengths: Tensor) -> list[list[int]]:
        """The greedy labelling: at each frame the best label, again and again, until the blank."""
        found = greedy(self.joint, self.prediction, encoded, lengths, self.options.most_per_frame)
        return [list(hypothesis.labels) for hypothesis in found]


def load_pretrained(
    encoder: nn.Module,
    transducer: Transducer,
    network: Mapping[str, Tensor] | None = None,
    label_model: Mapping[str, Tensor] | None = None,
) -> None:
    """Start a transducer from a CTC network and a language model over labels ("PreTrans", 2013).

    network: weights of a `Model` whose encoder is equal to `encoder`.
    label_model: weights of a `LabelModel` whose prediction network is equal to the transducer's.
    The output layers of both are left behind. Raises InputError where names or shapes differ.
    """
    for target, weights, prefix, what in (
        (encoder, network, "encoder.", "the network"),
        (transducer.prediction, label_model, "prediction.", "the label model"),
    ):
        if weights is None:
            continue
        own = target.state_dict()
        given = {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}
        wrong = sorted(
            name
            for name in own.keys() | given.keys()
            if name not in own or name not in given or own[name].shape != given[name].shape
        )
        if wrong:
            raise InputError(
                f"{what} to start from does not fit: {prefix}{wrong[0]} differs in name or shape "
                f"({len(wrong)} in all); train it with the same layers, cells and alphabet"
            )
        target.load_state_dict(given)
