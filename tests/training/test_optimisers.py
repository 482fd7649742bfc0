"""Optimisers by name, and what a phase may watch."""

from types import SimpleNamespace

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.training.evaluation import DevScore
from seqlabel.training.experiment import Experiment
from seqlabel.training.optimisers import make_optimiser
from seqlabel.training.options import Phase
from seqlabel.training.phase_record import PhaseRecord


def steps(count, **options):
    """A weight after some updates down a parabola, from 4 towards 0."""
    weight = torch.nn.Parameter(torch.tensor([4.0], dtype=torch.float64))
    phase = Phase(learning_rate=0.1, **options)
    optimiser = make_optimiser(phase, [weight])
    for _ in range(count):
        optimiser.zero_grad()
        weight.square().sum().backward()
        optimiser.step()
    return weight.item()


def test_nesterov_takes_the_gradient_where_the_momentum_leads():
    """The slow twin: v = m v - rate grad(w + m v), w = w + v; the optimiser holds w + m v."""
    w, v, m = 4.0, 0.0, 0.9
    for _ in range(5):
        v = m * v - 0.1 * 2 * (w + m * v)
        w = w + v
    assert steps(5, optimiser="nesterov", momentum=m) == pytest.approx(w + m * v)
    assert steps(5, optimiser="sgd", momentum=m) != pytest.approx(w + m * v)


def test_nesterov_without_momentum_is_steepest_descent():
    assert steps(3, optimiser="nesterov", momentum=0.0) == pytest.approx(4 * 0.8**3)


def test_a_phase_watches_what_it_says():
    score = DevScore(loss=7.0, error_rate=0.9, labels_per_frame=0.1, frame_error_rate=0.3)
    blown_up = DevScore(float("inf"), 0.9, 0.1, 0.3)
    for monitor, value in (("error", 0.9), ("loss", 7.0), ("frame_error", 0.3)):
        record = SimpleNamespace(phase=Phase(monitor=monitor))
        assert PhaseRecord.value(record, score) == value
    assert PhaseRecord.value(record, blown_up) == float("inf")


def test_frame_errors_are_those_of_framewise_training():
    features, phase = {"kind": "mfcc"}, Phase(monitor="frame_error")
    Experiment(features, criterion={"kind": "framewise"}, phases=(phase,))
    with pytest.raises(InputError, match=r"frame_error.* criterion.kind = 'framewise'"):
        Experiment(features, phases=(phase,))
