"""The loss of a lower layer's outputs: by hand, its gradient, and networks without such a layer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seqlabel.data.tensors import collate
from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.models.model import Model, Terms
from seqlabel.models.network import ModelOptions
from seqlabel.training.experiment import Experiment
from seqlabel.training.objectives import make_terms
from seqlabel.training.options import Phase


def make(layers=3, kind="ctc"):
    torch.manual_seed(1)
    options = ModelOptions(cell="lstm", hidden=4, layers=layers)
    return Model(3, 4, options, {"kind": kind}).double()


def lower_part(model, layers):
    """The model of the first layers only, with the same output layer."""
    part = make(layers)
    weights = model.state_dict()
    part.load_state_dict({name: weights[name] for name in part.state_dict()})
    return part


def utterances(seed=0):
    rng = np.random.default_rng(seed)
    frames = [rng.standard_normal((T, 3)) for T in (6, 9)]
    batch = collate(frames, [[1, 2], [3, 3, 1]], ["a", "b"])
    return batch, torch.nn.utils.rnn.pad_sequence(list(map(torch.tensor, frames)), True)


@pytest.mark.parametrize("layer", [1, 2])
def test_the_sum_is_that_of_two_networks_that_share_their_weights(layer):
    model, (batch, x) = make(), utterances()
    batch = replace(batch, x=x)
    found = model(batch, None, Terms(intermediate=0.3, layer=layer))
    expected = 0.7 * model(batch) + 0.3 * lower_part(model, layer)(batch)
    torch.testing.assert_close(found, expected)


def test_the_gradient_by_differences():
    model, (batch, x) = make(), utterances()
    batch, terms = replace(batch, x=x), Terms(intermediate=0.3, layer=2)
    model(batch, None, terms).sum().backward()
    rng = np.random.default_rng(0)
    step = 1e-5
    for name, weight in model.named_parameters():
        place = tuple(int(rng.integers(size)) for size in weight.shape)
        before, ends = weight.detach()[place].clone(), []
        with torch.no_grad():
            for sign in (1, -1):
                weight[place] = before + sign * step
                ends.append(model(batch, None, terms).sum().item())
            weight[place] = before
        expected = (ends[0] - ends[1]) / (2 * step)
        assert weight.grad[place].item() == pytest.approx(expected, rel=1e-5, abs=1e-7), name


def test_each_view_has_its_lower_outputs():
    model, (batch, x) = make(), utterances()
    other = utterances(1)[1]
    terms = Terms(consistency=0.0, intermediate=0.3, layer=1)
    found = model(replace(batch, x=x, second=other), None, terms)
    views = [model(replace(batch, x=view), None, terms) for view in (x, other)]
    torch.testing.assert_close(found, sum(views) / 2)


def test_taps_of_a_stack_are_the_outputs_of_its_layers():
    torch.manual_seed(0)
    stack = LSTM(3, 4, 3, bidirectional=True, cell="lstm")
    lower = LSTM(3, 4, 2, bidirectional=True, cell="lstm")
    lower.load_state_dict({n: w for n, w in stack.state_dict().items() if "layers.2." not in n})
    x, lengths = torch.randn(2, 7, 3), torch.tensor([7, 4])
    taps = {2: torch.empty(0), 3: torch.empty(0)}
    y, _ = stack(x, lengths, taps=taps)
    assert torch.equal(taps[3], y)
    assert torch.equal(taps[2], lower(x, lengths)[0])
    for wrong in (0, 4):
        with pytest.raises(InputError, match=f"no outputs of layers {wrong} in a stack of 3"):
            stack(x, lengths, taps={wrong: torch.empty(0)})
    chunked = LSTM(3, 4, 3, bidirectional=True, cell="lstm", chunk=3)
    with pytest.raises(InputError, match="3 layers in chunks"):
        chunked(x, lengths, taps={1: torch.empty(0)})


def test_dropout_is_that_of_the_encoder_s_outputs():
    model, (batch, x) = make(), utterances()
    model.encoder.dropout.p = 0.5
    taps = {1: torch.empty(0)}
    model.encoder(x, batch.lengths, taps=taps)
    dropped = (taps[1][0] == 0).double().mean()
    assert 0.2 < dropped < 0.8


def test_the_middle_layer_is_the_lower_of_two():
    phase = Phase(intermediate=0.3)
    assert [make_terms(phase, layers).layer for layers in (2, 3, 4, 5)] == [1, 2, 2, 3]
    assert make_terms(Phase(intermediate=0.3, intermediate_layer=1), 5).layer == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.layers=1"], "at least two layers"),
        (["model.layers=2", "model.subsample=2"], "without subsample"),
        (["model.layers=2", "model.chunk=4"], "without subsample and chunk"),
        (["model.layers=2", "phases.0.intermediate_layer=2"], "below the last of 2 layers"),
        (["model.layers=2", "phases.0.intermediate=1.0"], r"intermediate must be in \[0, 1\)"),
    ],
)
def test_networks_without_such_a_layer_are_refused(config, changes, message):
    with pytest.raises(InputError, match=message):
        Experiment.load(config, ["phases.0.intermediate=0.3", *changes])
