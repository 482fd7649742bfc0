"""Weights as the papers drew them."""

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import INITIALISATIONS, LSTM

F, H = 24, 32


def parameters(init, **options):
    torch.manual_seed(0)
    layer = LSTM(F, H, init=init, **{"cell": "peephole", **options})
    return {name.rsplit(".", 1)[-1]: value.detach() for name, value in layer.named_parameters()}


@pytest.mark.parametrize(
    ("init", "half_width"), [("uniform", H**-0.5), ("1997", 0.1), ("sak2014", 0.02)]
)
def test_uniform_weights_fill_their_interval(init, half_width):
    weights = parameters(init)["recurrent"]
    assert 0.98 * half_width < weights.abs().max() <= half_width
    assert float(weights.std()) == pytest.approx(half_width / 3**0.5, rel=0.05)


@pytest.mark.parametrize("init", ["graves", "baytas2017"])
def test_normal_weights_have_their_standard_deviation(init):
    found = parameters(init)
    assert float(found["recurrent"].std()) == pytest.approx(0.1, rel=0.05)
    assert found["recurrent"].abs().max() > 0.3  # no uniform law of this deviation reaches it
    assert (init == "baytas2017") == bool((found["bias"] == 1).all())


def test_orthogonal_recurrent_weights_of_every_gate():
    """Saxe et al. 2014; the rest as Glorot & Bengio 2010, without biases and peepholes."""
    found = parameters("orthogonal")
    blocks = found["recurrent"].split(H)
    assert len(blocks) == 4
    for block in blocks:
        torch.testing.assert_close(block @ block.T, torch.eye(H), rtol=0, atol=1e-5)
    limit = (6 / sum(found["input"].shape)) ** 0.5
    assert 0.98 * limit < found["input"].abs().max() <= limit
    assert not found["bias"].any()
    assert not found["peephole"].any()


@pytest.mark.parametrize(
    ("init", "gate", "constants"),
    [
        ("1997", "o", (-1, -2, -3, -4)),
        ("gers2000", "i", (-0.5, -1, -1.5, -2)),
        ("gers2000", "f", (0.5, 1, 1.5, 2)),
        ("gers2002", "f", (-2,)),
    ],
)
def test_gate_biases_repeat_the_constants_of_their_paper(init, gate, constants):
    torch.manual_seed(0)
    layer = LSTM(F, H, init=init, cell="peephole")
    (direction,) = [part for part in layer.modules() if hasattr(part, "weights")]
    place = direction.cell.gates.index(gate)
    found = direction.bias[place * H : (place + 1) * H].tolist()
    assert found == list(constants) * (H // len(constants))
    assert set(INITIALISATIONS[init].biases) <= set("ifo")


def test_a_forget_bias_takes_the_place_of_the_schemes():
    torch.manual_seed(0)
    layer = LSTM(F, H, init="gers2002", cell="peephole", forget_bias=1.0)
    (direction,) = [part for part in layer.modules() if hasattr(part, "weights")]
    assert (direction.bias == 1.0).sum() == H
    assert not (direction.bias == -2.0).any()


def test_a_forget_bias_without_a_forget_gate_is_refused():
    with pytest.raises(InputError, match="this cell has no bias of a forget gate"):
        LSTM(F, H, cell="lstm1997", forget_bias=1.0)
