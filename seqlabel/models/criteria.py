"""Criteria by name. A criterion has an output layer, a loss and the interpretation of its output.

Each is a module built as `cls(E, K, options)` with a nested frozen dataclass `Options`, and has

    losses(encoded, lengths, batch) -> (B,)     loss of each utterance, in nats
    outputs(encoded, lengths) -> (B, T, N)      input of a decoder
    per_label                                   whether these are log-probabilities, N = K, or
                                                followed by those of lower levels
    best_labels(encoded, lengths) -> B lists    the greedy labelling, indices without blanks

and, where it has a target for each frame and one output layer, `output`, what training methods that
fit outputs to targets need

    fitting(encoded, lengths, batch) -> Fitting what `output` reads, its targets, where they are
    squash(found) -> found                      what `output` gives, as it compares to targets
    deviations(squashed) -> deviations          of the targets, if they were drawn from these

The criterion of levels also gets their K, that of values F. In all of these
encoded (B, T, E) and lengths (B,) come from the encoder and batch is a
`seqlabel.data.Batch`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from seqlabel.config import build, did_you_mean
from seqlabel.errors import InputError
from seqlabel.models.ctc import best_path, ctc_loss
from seqlabel.models.framewise import Framewise
from seqlabel.models.hierarchy import HierarchicalCtc
from seqlabel.models.regression import Regression
from seqlabel.models.transducer import Transducer


class Ctc(nn.Module):
    """Connectionist temporal classification (Graves et al. 2006)."""

    per_label = True

    @dataclass(frozen=True)
    class Options:
        """CTC has none."""

    def __init__(self, encoder_size: int, labels: int, options: "Ctc.Options") -> None:
        super().__init__()
        self.output = nn.Linear(encoder_size, labels)

    def losses(self, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        """-ln p(labels | frames) of each utterance."""
        return ctc_loss(self.output(encoded), lengths, batch.targets, batch.target_lengths)

    def outputs(self, encoded: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, K) natural log-probabilities, blank at index 0."""
        return self.output(encoded).log_softmax(dim=2)

    def best_labels(self, encoded: Tensor, lengths: Tensor) -> list[list[int]]:
        """Labels of the most probable path (Graves et al. 2006, section 3.2)."""
        return best_path(self.output(encoded), lengths)


CRITERIA: dict[str, Any] = {
    "ctc": Ctc,
    "levels": HierarchicalCtc,
    "transducer": Transducer,
    "framewise": Framewise,
    "regression": Regression,
}


def find_criterion(table: Mapping[str, Any]) -> tuple[Any, Any]:
    """The class named by a table's `kind`, and its options; InputError for unknown ones."""
    rest = dict(table)
    kind = rest.pop("kind", "ctc")
    if kind not in CRITERIA:
        raise InputError(f"criterion.kind = {kind!r}{did_you_mean(str(kind), list(CRITERIA))}")
    return CRITERIA[kind], build(CRITERIA[kind].Options, rest, "criterion")


def has_levels(table: Mapping[str, Any]) -> bool:
    """Whether a criterion needs the labels of lower levels."""
    return table.get("kind") == "levels"


def value_options(table: Mapping[str, Any]) -> Regression.Options | None:
    """The options of a criterion of values, None for one of labels."""
    cls, options = find_criterion(table)
    return options if cls is Regression else None
