"""Consistency of two views: the sum over frames by hand, its gradient, and the loss of a model."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seqlabel.data.tensors import collate
from seqlabel.errors import InputError
from seqlabel.models.consistency import consistency_losses
from seqlabel.models.criteria import find_criterion
from seqlabel.models.model import Model, Terms
from seqlabel.models.network import ModelOptions
from seqlabel.training.method_options import check_criterion
from seqlabel.training.options import Phase

LENGTHS = torch.tensor([5, 3])


def logits(seed=0, scale=1.0):
    """(4, 5, 3): two views of two utterances."""
    g = torch.Generator().manual_seed(seed)
    return scale * torch.randn(4, 5, 3, generator=g, dtype=torch.float64)


def divergence(p, q):
    """KL(p || q) of two distributions."""
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def by_hand(one, other):
    """L_CR of probabilities (T, N), where nothing is held fixed."""
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return sum((divergence(b, a) + divergence(a, b)) / 2 for a, b in pairs)


def test_the_sum_of_both_divergences_over_the_frames():
    log_probs = logits().log_softmax(dim=2)
    found = consistency_losses(log_probs, LENGTHS)
    for b, length in enumerate(LENGTHS.tolist()):
        one, other = log_probs[b, :length].exp(), log_probs[b + 2, :length].exp()
        assert found[b].item() == pytest.approx(by_hand(one, other), rel=1e-12)


def test_the_gradient_goes_to_the_side_that_is_compared_alone():
    """Differences of KL(b || a) by the logits of a, b fixed, and of KL(a || b) by those of b."""
    x = logits().requires_grad_()
    consistency_losses(x.log_softmax(dim=2), LENGTHS).sum().backward()
    step = 1e-6
    fixed = x.detach().softmax(dim=2)
    for view, b, t, k in np.ndindex(2, 2, 5, 3):
        row, partner = b + 2 * view, b + 2 * (1 - view)
        ends = []
        for sign in (1, -1):
            moved = x.detach()[row, t].clone()
            moved[k] += sign * step
            ends.append(divergence(fixed[partner, t].tolist(), moved.softmax(dim=0).tolist()) / 2)
        inside = t < LENGTHS[b]
        expected = (ends[0] - ends[1]) / (2 * step) if inside else 0.0
        assert x.grad[row, t, k].item() == pytest.approx(expected, abs=1e-8)
        if inside:
            half = (fixed[row, t, k] - fixed[partner, t, k]).item() / 2
            assert x.grad[row, t, k].item() == pytest.approx(half, abs=1e-12)


def test_views_that_agree_cost_nothing():
    x = logits()[:2].repeat(2, 1, 1).requires_grad_()
    found = consistency_losses(x.log_softmax(dim=2), LENGTHS)
    assert torch.equal(found, torch.zeros(2, dtype=torch.float64))
    found.sum().backward()
    torch.testing.assert_close(x.grad, torch.zeros_like(x))


def test_outputs_that_cannot_occur_and_sharp_ones_stay_finite():
    """The blank of a framewise criterion is -inf in both views."""
    x = logits(scale=2000.0).float().requires_grad_()
    log_probs = torch.nn.functional.pad(x.log_softmax(dim=2), (1, 0), value=-math.inf)
    found = consistency_losses(log_probs, LENGTHS)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(x.grad).all()


def make(kind="ctc", layers=2, **options):
    torch.manual_seed(1)
    shape = ModelOptions(cell="lstm", hidden=4, layers=layers, **options)
    return Model(3, 4, shape, {"kind": kind}, levels=(3,) if kind == "levels" else ())


def utterances(seed=0, second=True):
    rng = np.random.default_rng(seed)
    frames, others = (
        [rng.standard_normal((T, 3)).astype(np.float32) for T in (6, 9)] for _ in range(2)
    )
    labels = [np.full(len(x), 1 + n) for n, x in enumerate(frames)]
    targets = [[1, 2], [3, 3, 1]]
    levels, seconds = [[[1], [2, 1]]], others if second else None
    return collate(frames, targets, ["a", "b"], labels, levels=levels, second=seconds)


@pytest.mark.parametrize("kind", ["ctc", "framewise", "levels"])
def test_a_model_has_the_mean_of_both_losses_and_their_disagreement(kind):
    model, batch = make(kind), utterances()
    found = model(batch, None, Terms(consistency=0.7))
    views = [replace(batch, second=None), replace(batch, x=batch.second, second=None)]
    outputs = [model.outputs(view.x, view.lengths)[0] for view in views]
    expected = sum(model(view) for view in views) / 2
    expected = expected + 0.7 * consistency_losses(torch.cat(outputs), batch.lengths)
    torch.testing.assert_close(found, expected)
    weights = tuple(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found.sum(), weights, retain_graph=True),
        torch.autograd.grad(expected.sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_other_utterances_and_padding_have_no_effect():
    model, batch = make(), utterances()
    together = model(batch, None, Terms(consistency=0.7))
    alone = model(batch.select([0]), None, Terms(consistency=0.7))
    torch.testing.assert_close(together[:1], alone)


def test_a_view_that_has_no_loss_costs_its_utterance_alone():
    model, batch = make(), utterances()
    targets = {"targets": torch.tensor([[1, 1, 1], [3, 1, 0]]), "lengths": torch.tensor([4, 9])}
    batch = replace(batch, **targets, target_lengths=torch.tensor([3, 2]))
    found = model(batch, None, Terms(consistency=0.7))
    assert found.isnan().tolist() == [True, False]


def test_without_terms_nothing_is_added():
    model, batch = make(), utterances(second=False)
    assert torch.equal(model(batch), model(batch, None, Terms()))


@pytest.mark.parametrize("kind", ["transducer", "regression"])
def test_criteria_without_probabilities_at_each_frame_are_refused(kind):
    criterion, options = find_criterion({"kind": kind})
    check_criterion(Phase(), criterion, options)
    with pytest.raises(InputError, match=f"criterion.kind = '{kind}' does not have"):
        check_criterion(Phase(consistency=0.2), criterion, options)
    with pytest.raises(InputError, match="consistency must not be negative"):
        Phase(consistency=-0.2)
