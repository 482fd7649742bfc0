"""What a phase minimises: the parts of the expected-error objective."""

from types import SimpleNamespace

import pytest
import torch

from seqlabel.models.ctc import ctc_loss
from seqlabel.models.expected_error import expected_errors
from seqlabel.training.objectives import make_objective
from seqlabel.training.options import Phase


class Criterion:
    """CTC whose output layer doubles what it is given."""

    def output(self, encoded):
        return 2 * encoded

    def losses(self, encoded, lengths, batch):
        return ctc_loss(self.output(encoded), lengths, batch.targets, batch.target_lengths)


def test_the_criterion_is_no_objective_of_its_own():
    assert make_objective(Phase(objective="criterion")) is None


@pytest.mark.parametrize("weight", [0.0, 0.1, 3.0])
def test_expected_errors_plus_the_weighted_criterion(weight):
    encoded = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([6, 5])
    batch = SimpleNamespace(
        targets=torch.tensor([[1, 2], [3, 0]]), target_lengths=torch.tensor([2, 1])
    )
    sizes = lengths, batch.targets, batch.target_lengths
    gradients, values = [], []
    objective = make_objective(
        Phase(objective="expected_error", samples=5, criterion_weight=weight)
    )
    for by_hand in (False, True):
        x = encoded.clone().requires_grad_()
        torch.manual_seed(7)  # the same paths
        if by_hand:
            found = expected_errors(2 * x, *sizes, samples=5) + weight * ctc_loss(2 * x, *sizes)
        else:
            found = objective(Criterion(), x, lengths, batch)
        found.sum().backward()
        values.append(found.detach())
        gradients.append(x.grad)
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*gradients)
