"""The recurrent neural network transducer (Graves 2012; Graves, Mohamed & Hinton 2013)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqlabel.alphabet import Alphabet
from seqlabel.decoding.checks import check_n_best
from seqlabel.decoding.results import Result
from seqlabel.errors import InputError
from seqlabel.models.inner_cells import check_inner_cell
from seqlabel.models.joint import OutputNetwork, Product
from seqlabel.models.prediction import PredictionNetwork
from seqlabel.models.transducer_search import BeamSearch, greedy


class Transducer(nn.Module):
    """A distribution over the next label given the frame and all labels so far.

    encoder_size: E, outputs of the encoder.  labels: K with the blank.
    """

    per_label = False

    @dataclass(frozen=True)
    class Options:
        """prediction: cells of the prediction network, of the preset `cell`. hidden: N of the
        output network.

        joint: "output" for the output network of 2013, "product" for that of 2012 (no N).
        label_epochs: of training the prediction network as a language model beforehand, 0 for none;
            not done where `initial` supplies its weights.
        most_per_frame: maximum labels of the greedy search at one frame.
        """

        prediction: int = 250
        hidden: int = 250
        joint: Literal["output", "product"] = "output"
        cell: str = "peephole"
        label_epochs: int = 0
        most_per_frame: int = 5

        def __post_init__(self) -> None:
            check_inner_cell(self.cell)
            if min(self.prediction, self.hidden, self.most_per_frame) < 1 or self.label_epochs < 0:
                raise InputError(
                    "criterion: prediction, hidden and most_per_frame must be at least 1, "
                    "label_epochs at least 0"
                )

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

    def outputs(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, N), the encoder's part for a `TransducerDecoder`."""
        return self.joint.frames(encoded)

    def best_labels(self, encoded: Tensor, lengths: Tensor) -> list[list[int]]:
        """The greedy labelling: at each frame the best label, again and again, until the blank."""
        frames, limit = self.joint.frames(encoded), self.options.most_per_frame
        found = greedy(self.joint, self.prediction, frames, lengths, limit)
        return [list(hypothesis.labels) for hypothesis in found]


class TransducerDecoder:
    """Decodes utterances with a trained transducer, greedily or with a beam.

    beam: W labellings, 0 for the greedy search.  normalise: rank labellings by ln p / S, as Graves
    2012 does, instead of ln p.
    """

    def __init__(
        self, transducer: Transducer, alphabet: Alphabet, beam: int = 0, normalise: bool = False
    ) -> None:
        if beam < 0:
            raise InputError(f"beam = {beam} must not be negative")
        self.transducer, self.alphabet = transducer, alphabet
        self.beam, self.normalise = beam, normalise

    def decode(self, frames: Any, lengths: Any, n_best: int = 1) -> list[Result]:
        """frames: (B, T, N) array or tensor of `Transducer.outputs`, lengths (B,) -> B results.

        The greedy search has no alternatives: there n_best must be 1.
        """
        check_n_best(n_best)
        if n_best > 1 and not self.beam:
            raise InputError(f"n_best is {n_best}; the greedy search gives one result; use a beam")
        frames, lengths = torch.as_tensor(frames), torch.as_tensor(lengths)
        joint, prediction = self.transducer.joint, self.transducer.prediction
        if not self.beam:
            limit = self.transducer.options.most_per_frame
            found = [[h] for h in greedy(joint, prediction, frames, lengths, limit)]
        else:
            search = BeamSearch(joint, prediction, self.beam, self.normalise)
            rows = zip(frames, lengths.tolist(), strict=True)
            found = [search(row[:length], n_best) for row, length in rows]
        results = [[h.result(self.alphabet) for h in hypotheses] for hypotheses in found]
        return [replace(best, alternatives=tuple(others)) for best, *others in results]


def load_pretrained(
    encoder: nn.Module,
    transducer: Transducer,
    network: Mapping[str, Tensor] | None = None,
    label_model: Mapping[str, Tensor] | None = None,
) -> None:
    """Start a transducer from a CTC network and a language model over labels ("PreTrans", 2013).

    network: weights of a `Model` whose encoder is equal to `encoder`.
    label_model: weights of a `LabelModel` whose prediction network is equal to the transducer's.
    The output layers of both are not used. Raises InputError if names or shapes differ.
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
