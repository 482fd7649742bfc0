"""Evolino's parts: genes, networks side by side, output weights, free runs."""

import sys

import numpy as np
import pytest
import torch

from seqlabel.config import build
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.normalisation import Statistics
from seqlabel.features.series import SeriesRows
from seqlabel.lstm import LSTM, PRESETS
from seqlabel.models.free_run import Feedback, free_run
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.training.evolino_networks import (
    Genes,
    Networks,
    import_svr,
    least_squares,
    support_vectors,
)
from seqlabel.training.method_options import EvolinoPhase

CELLS = ["lstm", "peephole", "peephole-state", "lstm1997", "FGR", "CIFG", "gru", "rnn_tanh"]


def outputs_and_targets() -> tuple[torch.Tensor, torch.Tensor]:
    """Of three frozen random layers, whose cells see two noisy waves, at the frames after 20."""
    generator = torch.Generator().manual_seed(5)
    t = torch.arange(200.0)
    x = torch.stack([(0.3 * t).sin(), (0.7 * t).cos()], dim=1)[None]
    torch.manual_seed(2)
    layers = [LSTM(2, 6, cell="peephole") for _ in range(3)]
    with torch.no_grad():
        y = torch.cat([layer(x)[0] for layer in layers])[:, 20:-1]
    return y, x[0, 21:] + 0.1 * torch.randn(179, 2, generator=generator)


def test_output_weights_are_those_of_numpy():
    outputs, targets = outputs_and_targets()
    found = least_squares(outputs, targets)
    for rows, weights in zip(outputs.double().numpy(), found.numpy(), strict=True):
        design = np.column_stack([rows, np.ones(len(rows))])
        expected, *_ = np.linalg.lstsq(design, targets.double().numpy(), rcond=None)
        np.testing.assert_allclose(weights, expected, rtol=1e-7, atol=1e-9)
        residual = targets.double().numpy() - design @ weights
        assert np.abs(design.T @ residual).max() < 1e-8  # the normal equations


def test_of_many_solutions_the_smallest():
    outputs, targets = outputs_and_targets()
    twice = torch.cat([outputs, outputs[:, :, :2]], dim=2)
    found = least_squares(twice, targets)
    design = np.column_stack([twice[0].double().numpy(), np.ones(len(targets))])
    expected, *_ = np.linalg.lstsq(design, targets.double().numpy(), rcond=1e-7)
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found[0, :2], found[0, 6:8], rtol=1e-6)


def test_support_vectors_lie_within_epsilon_of_a_line_that_can_be_met():
    pytest.importorskip("sklearn")
    rows = torch.linspace(-1, 1, 30)[None, :, None].repeat(2, 1, 2)
    rows[1] *= 0.5
    targets = torch.cat([2 * rows[0, :, :1] + 1, -rows[0, :, :1]], dim=1)
    weights = support_vectors(rows, targets, epsilon=0.01, penalty=100.0)
    assert weights.shape == (2, 3, 2)
    for network in range(2):
        found = rows[network].double() @ weights[network, :-1] + weights[network, -1]
        assert float((found - targets).abs().max()) < 0.0101
    wide = support_vectors(rows[:1], targets, epsilon=10.0, penalty=100.0)
    assert float(wide[0, :-1].abs().max()) < 1e-9


def test_support_vectors_want_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(InputError, match=r"pip install 'seqlabel\[svr\]'"):
        import_svr()


@pytest.mark.parametrize("cell", CELLS)
def test_genes_become_the_weights_they_came_from(cell):
    layer = LSTM(3, 4, cell=cell)
    direction = layer.layers[0][0]
    genes = Genes(direction)
    read = genes.read(direction)
    assert read.shape == (4, genes.length)
    other = LSTM(3, 4, cell=cell)
    genes.write(read, other.layers[0][0])
    for name, weight in layer.named_parameters():
        assert torch.equal(weight, other.get_parameter(name)), name


def test_the_genes_of_a_cell_are_what_leads_into_it():
    layer = LSTM(3, 4, cell="peephole")
    genes = Genes(layer.layers[0][0])
    change = torch.zeros(4, genes.length)
    change[2] = 1.0
    weights = genes.weights(change)
    rows = [2, 6, 10, 14]  # of i, f, o and z
    for weight in (weights.input, weights.recurrent, weights.bias[:, None]):
        assert weight.any(dim=1).nonzero()[:, 0].tolist() == rows
        assert bool((weight[rows] == 1).all())
    assert weights.peephole is not None
    assert weights.peephole.nonzero().tolist() == [[0, 2], [1, 2], [2, 2]]


def test_where_candidates_begin():
    genes = Genes(LSTM(3, 4, cell="peephole").layers[0][0])
    assert genes.weights(genes.centre(1.5)).bias.tolist() == [0.0] * 4 + [1.5] * 4 + [0.0] * 8
    scaled = genes.weights(genes.scale(0.1).expand(4, -1))
    assert bool((scaled.input == torch.tensor(0.1)).all())
    assert bool((scaled.recurrent == 1).all() & (scaled.bias == 1).all())


@pytest.mark.parametrize("cell", CELLS)
def test_networks_side_by_side_compute_what_each_computes_alone(cell):
    torch.manual_seed(4)
    layers = [LSTM(2, 5, cell=cell) for _ in range(3)]
    genes = Genes(layers[0].layers[0][0])
    read = torch.stack([genes.read(layer.layers[0][0]) for layer in layers])
    networks = Networks(PRESETS[cell], genes.weights(read), 5)
    x, own = torch.randn(4, 9, 2), torch.randn(3, 4, 2)
    found, state = networks.run(x)
    after = networks.step(own, state)
    for n, layer in enumerate(layers):
        expected, last = layer(x)
        assert torch.allclose(found[n], expected, atol=1e-5)
        then, _ = layer(own[n][:, None], None, last)
        assert torch.allclose(after[0][n], then[:, 0], atol=1e-5)


def foreteller(normalise: str) -> tuple[Model, FrontEnd]:
    options = ModelOptions(cell="peephole", hidden=4, layers=1, bidirectional=False)
    torch.manual_seed(0)
    model = Model(2, 2, options, {"kind": "regression", "target": "next"}).eval()
    model.criterion.mean += torch.tensor([1.0, -2.0])
    model.criterion.std *= torch.tensor([2.0, 0.5])
    statistics = None
    if normalise == "train":
        statistics = Statistics(np.array([3.0, 1.0], "f"), np.array([0.5, 4.0], "f"))
    return model, FrontEnd(SeriesRows(2), FrontEndOptions(normalise=normalise), statistics)


@pytest.mark.parametrize("normalise", ["train", "none"])
def test_a_free_run_reads_its_own_predictions(normalise):
    """Beside it: each prediction appended to the signal, and all of it read again."""
    model, front_end = foreteller(normalise)
    signal = np.random.default_rng(1).normal(size=(7, 2)).astype(np.float32)
    feedback = Feedback.of(model, front_end)
    first = torch.from_numpy(front_end.normalise(signal))[None]
    found = free_run(model, feedback, first, 5) * model.criterion.std + model.criterion.mean
    for step in range(5):
        x = torch.from_numpy(front_end.normalise(signal))[None]
        outputs, _ = model.outputs(x, torch.tensor([len(signal)]))
        assert torch.allclose(outputs[0, -1], found[0, step], atol=1e-5)
        signal = np.concatenate([signal, outputs[0, -1:].detach().numpy()])


def test_what_cannot_run_freely_is_refused():
    model, front_end = foreteller("none")
    stacked = FrontEnd(SeriesRows(2), FrontEndOptions(normalise="none", stack=2, stride=1))
    with pytest.raises(InputError, match=r"front_end\.stack = 1 and normalise = 'train' or 'none'"):
        Feedback.of(model, stacked)
    file = Model(2, 2, ModelOptions(layers=1), {"kind": "regression", "size": 2})
    with pytest.raises(InputError, match="a free run needs a model that predicts"):
        Feedback.of(file, front_end)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population = 1: there is nothing to compare"),
        ({"parents": 1.0}, "parents = 1.0: must be between 0 and 1"),
        ({"mutation": 0.0}, "initial, mutation, input_scale and penalty must be above 0"),
        ({"trials": 0}, "trials = 0: give at least 1"),
        ({"washout": -1}, "burst, washout, free_run and epsilon must not be negative"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        build(EvolinoPhase, options, "phase")
