"""Distillation: the sum over frames by hand, its gradient, and the losses of a taught model."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seqlabel.data.tensors import collate
from seqlabel.errors import InputError
from seqlabel.models.consistency import consistency_losses
from seqlabel.models.criteria import find_criterion
from seqlabel.models.distillation import distillation_losses
from seqlabel.models.model import Model, Terms
from seqlabel.models.network import ModelOptions
from seqlabel.training.method_options import check_criterion
from seqlabel.training.options import Phase

LENGTHS = torch.tensor([5, 3])


def logits(seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, 5, 3, generator=g, dtype=torch.float64)


def by_hand(teacher, student):
    """Σ_t Σ_k p ln(p / y) of probabilities (T, N)."""
    return sum(
        p * math.log(p / y)
        for ps, ys in zip(teacher.tolist(), student.tolist(), strict=True)
        for p, y in zip(ps, ys, strict=True)
    )


def test_the_sum_over_the_frames_of_each_utterance():
    teacher, student = (logits(seed).log_softmax(dim=2) for seed in (0, 1))
    found = distillation_losses(teacher, student, LENGTHS)
    for b, length in enumerate(LENGTHS.tolist()):
        expected = by_hand(teacher[b, :length].exp(), student[b, :length].exp())
        assert found[b].item() == pytest.approx(expected, rel=1e-12)


def test_the_gradient_by_differences_goes_to_the_student_alone():
    teacher, x = logits(0).requires_grad_(), logits(1).requires_grad_()
    distillation_losses(teacher.log_softmax(2), x.log_softmax(2), LENGTHS).sum().backward()
    assert teacher.grad is None
    p, step = teacher.detach().softmax(2), 1e-6
    for b, t, k in np.ndindex(2, 5, 3):
        ends = []
        for sign in (1, -1):
            moved = x.detach()[b, t].clone()
            moved[k] += sign * step
            ends.append(by_hand(p[b, t : t + 1], moved.softmax(0)[None]))
        expected = (ends[0] - ends[1]) / (2 * step) if t < LENGTHS[b] else 0.0
        assert x.grad[b, t, k].item() == pytest.approx(expected, abs=1e-8)
        if t < LENGTHS[b]:
            difference = (x.detach().softmax(2) - p)[b, t, k].item()
            assert x.grad[b, t, k].item() == pytest.approx(difference, abs=1e-12)


def test_probabilities_of_nothing_and_what_lies_in_the_padding_stay_finite():
    teacher, x = (1e4 * logits(0)).float(), logits(1).float().requires_grad_()
    targets = teacher.log_softmax(2)
    targets[0, 0] = torch.tensor([0.0, -math.inf, -math.inf])
    targets[1, 3:] = -math.inf
    found = distillation_losses(targets, x.log_softmax(2), LENGTHS)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(x.grad).all()


def make(seed, dropout=0.0):
    torch.manual_seed(seed)
    shape = ModelOptions(cell="lstm", hidden=4, layers=2, dropout=dropout)
    return Model(3, 4, shape, {"kind": "ctc"})


def utterances(second=True):
    rng = np.random.default_rng(0)
    x, others, plain = (
        [rng.standard_normal((T, 3)).astype(np.float32) for T in (6, 9)] for _ in range(3)
    )
    targets = [[1, 2], [3, 3, 1]]
    return collate(x, targets, ["a", "b"], second=others if second else None, plain=plain)


@pytest.mark.parametrize("second", [False, True])
def test_a_model_has_its_loss_the_teacher_s_and_the_disagreement_of_its_views(second):
    model, teacher, batch = make(1), make(2, dropout=0.5).eval(), utterances(second)
    found = model(batch, None, Terms(0.7 * second, 0.3, 1, distillation=0.4, teacher=teacher))
    views = [replace(batch, second=None)]
    if second:
        views.append(replace(views[0], x=batch.second))
    targets = teacher.outputs(batch.plain, batch.lengths)[0]
    outputs = [model.outputs(view.x, view.lengths)[0] for view in views]
    expected = 0.6 * sum(model(view, None, Terms(0.0, 0.3, 1)) for view in views) / len(views)
    for y in outputs:
        expected = expected + 0.4 * distillation_losses(targets, y, batch.lengths) / len(views)
    if second:
        expected = expected + 0.7 * consistency_losses(torch.cat(outputs), batch.lengths)
    torch.testing.assert_close(found, expected)
    weights = tuple(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found.sum(), weights, retain_graph=True),
        torch.autograd.grad(expected.sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
    found.sum().backward()
    assert all(weight.grad is None for weight in teacher.parameters())


def test_other_utterances_and_padding_have_no_effect():
    model, terms = make(1), Terms(0.7, distillation=0.4, teacher=make(2).eval())
    batch = utterances()
    alone = model(batch.select([0]).to("cpu"), None, terms)
    torch.testing.assert_close(model(batch, None, terms)[:1], alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher": "exp/a"}, "teacher and distillation belong together"),
        ({"distillation": 0.5}, "teacher and distillation belong together"),
        ({"teacher": "exp/a", "distillation": 1.5}, r"distillation must be in \[0, 1\]"),
        ({"teacher": "ema", "distillation": 0.5}, "teacher = 'ema' .* set ema above 0"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(InputError, match=message):
        Phase(**options)


@pytest.mark.parametrize("kind", ["levels", "transducer", "framewise", "regression"])
def test_other_criteria_than_ctc_are_refused(kind):
    criterion, options = find_criterion({"kind": kind})
    with pytest.raises(InputError, match=f"teacher needs criterion.kind = 'ctc', not '{kind}'"):
        check_criterion(Phase(teacher="exp/a", distillation=0.5), criterion, options)
