"""What a phase minimises."""

from seqlabel.models.model import Objective
from seqlabel.training.options import Phase


def make_objective(phase: Phase) -> Objective | None:
    """None for the criterion's own loss, or the objective that takes its place."""
    return None
