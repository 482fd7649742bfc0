"""The encoders over pixels: weight counts, ragged images, what changes no number."""

import math

import numpy as np
import pytest
import torch

from seqlabel.config import build
from seqlabel.errors import InputError
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions

SMALL = {
    "mdlstm": {"encoder": "mdlstm", "mdlstm": {"cells": [2, 3], "tanh": [4],
                                               "blocks": [[2, 3], [1, 2]]}},
    "conv": {"encoder": "conv", "hidden": 5, "layers": 1,
             "conv": {"channels": [3, 4], "pools": [[2, 2], [1, 3]]}},
}  # fmt: skip
LENGTHS, HEIGHTS = [11, 4, 1, 7], [8, 3, 1, 12]


def make(name, inputs=12, labels=5):
    torch.manual_seed(4)
    return Model(inputs, labels, build(ModelOptions, SMALL[name], "model"), {"kind": "ctc"})


def images(seed=0):
    """(4, 11, 12) with zeros beyond the sizes."""
    x = torch.rand(4, 11, 12, generator=torch.Generator().manual_seed(seed))
    for row, length, height in zip(x, LENGTHS, HEIGHTS, strict=True):
        row[length:] = 0
        row[:, height:] = 0
    return x


def run(model, x):
    outputs, lengths = model.outputs(x, torch.tensor(LENGTHS), None, torch.tensor(HEIGHTS))
    return outputs, lengths.tolist()


def test_the_network_for_arabic_town_names_has_its_published_weights():
    """Graves & Schmidhuber 2009, 120 characters and the blank: 159 369."""
    model = Model(96, 121, ModelOptions(encoder="mdlstm"), {"kind": "ctc"})
    assert model.weight_count == 159_369
    assert model.encoder.reduction == 18


@pytest.mark.parametrize("name", SMALL)
def test_padding_and_mates_change_nothing(name):
    model = make(name)
    with torch.no_grad():
        everything, lengths = run(model, images())
        assert lengths == [6, 2, 1, 4]
        x = images()
        poisoned = torch.full_like(x, math.nan)
        for b, (length, height) in enumerate(zip(LENGTHS, HEIGHTS, strict=True)):
            poisoned[b, :length, :height] = x[b, :length, :height]
        found, _ = run(model, poisoned)
        for b, (length, height) in enumerate(zip(LENGTHS, HEIGHTS, strict=True)):
            own = lengths[b]
            assert torch.equal(found[b, :own], everything[b, :own])
            size = torch.tensor([length]), None, torch.tensor([height])
            alone, count = model.outputs(x[b : b + 1, :length], *size)
            assert int(count) == own
            np.testing.assert_allclose(alone[0], everything[b, :own], atol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_zero_rows_below_an_image_are_paper_not_padding(name):
    """An image of few rows is not the same image on a higher sheet of paper."""
    model = make(name)
    with torch.no_grad():
        ragged, _ = run(model, images())
        whole, _ = model.outputs(images(), torch.tensor(LENGTHS))
    assert not torch.allclose(ragged[1], whole[1], atol=1e-4)
    assert torch.allclose(ragged[3], whole[3], atol=1e-6)  # 12 of 12 rows


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_and_pixel_gets_a_gradient(name):
    model = make(name)
    x = images().requires_grad_()
    outputs, lengths = run(model, x)
    g = torch.Generator().manual_seed(1)
    weights = torch.randn(outputs.shape, generator=g)
    total = sum((outputs[b, :n] * weights[b, :n]).sum() for b, n in enumerate(lengths))
    total.backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
    outside = x.grad.clone()
    for row, length, height in zip(outside, LENGTHS, HEIGHTS, strict=True):
        if name == "mdlstm":
            assert bool((row[:length, :height] != 0).all())
        row[:length, :height] = 0
    assert not outside.any()


def test_pyramid_equals_its_levels_done_by_hand():
    """One image through blocks, MDLSTM, blocks, tanh, MDLSTM and the sum over rows."""
    model = make("mdlstm")
    x = images()[:1]
    with torch.no_grad():
        found, _ = model.encoder(x[:, :, :8], torch.tensor([11]), None, torch.tensor([8]))
        padded = torch.zeros(12, 9)
        padded[:11, :8] = x[0, :, :8]
        blocks = padded.reshape(6, 2, 3, 3).permute(0, 2, 1, 3).reshape(1, 6, 3, 6)
        y = model.encoder.levels[0](blocks)[0]
        y = torch.cat([y, torch.zeros(6, 1, 8)], dim=1).reshape(1, 6, 2, 16)
        y = model.encoder.levels[1](torch.tanh(model.encoder.between[0](y)))
        np.testing.assert_allclose(found, y.sum(dim=2), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"encoder": "mdlstmm"}, "did you mean 'mdlstm'"),
        ({"encoder": "mdlstm", "subsample": 2, "layers": 3}, "has its own blocks"),
        ({"encoder": "conv", "cell": "t-lstm"}, "unknown cell|needs times"),
        ({"mdlstm": {"cells": [2, 3]}}, "an entry for each level"),
        ({"mdlstm": {"blocks": [[3, 4], [3, 4], [2, 0]]}}, "must be in 1"),
        ({"mdlstm": {"blocks": [[3, 4, 1], [3, 4, 1], [2, 4, 1]]}}, "2 values are expected"),
        ({"conv": {"channels": []}}, "at least one"),
        ({"conv": {"channels": [0], "pools": [[1, 1]]}}, "must be in 1"),
    ],
)
def test_options_that_are_refused(options, reason):
    with pytest.raises(InputError, match=reason):
        build(ModelOptions, options, "model")
