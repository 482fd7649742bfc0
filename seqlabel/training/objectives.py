"""The objective of a phase."""

from typing import Any

from torch import Tensor

from seqlabel.models.expected_error import expected_errors
from seqlabel.models.label_prior import LabelPrior
from seqlabel.models.model import Model, Objective, Terms
from seqlabel.training.options import Phase


def make_objective(phase: Phase, prior: LabelPrior | None = None) -> Objective | None:
    """None for the criterion's own loss, or the objective that takes its place.

    "expected_error" is the expected number of label errors of an utterance (Graves & Jaitly 2014)
    plus `criterion_weight` times the CTC loss, which prevents overconfident outputs. prior: of the
    labels, with which the criterion's loss is computed.
    """
    if phase.objective == "criterion":
        return None if prior is None else prior.losses

    def expected_error(criterion: Any, encoded: Tensor, lengths: Tensor, batch: Any) -> Tensor:
        logits = criterion.output(encoded)
        errors = expected_errors(
            logits, lengths, batch.targets, batch.target_lengths, phase.samples
        )
        if not phase.criterion_weight:
            return errors
        return errors + phase.criterion_weight * criterion.losses(encoded, lengths, batch)

    return expected_error


def make_terms(
    phase: Phase, layers: int, teacher: Model | None = None, prior: LabelPrior | None = None
) -> Terms:
    """What a phase adds to the loss of a network of so many layers."""
    layer = phase.intermediate_layer or -(-layers // 2)
    weights = phase.consistency, phase.intermediate, layer, phase.distillation
    return Terms(*weights, teacher, prior)
