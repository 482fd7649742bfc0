"""Weight counts of the papers: the cheapest strong test of a topology."""

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, PRESETS, Cell, Gru, TanhRnn, weight_count

PEEPHOLE, TANH = PRESETS["peephole"], TanhRnn()


def blstm(inputs, cells, layers, outputs, cell=PEEPHOLE, directions=2):
    """Weights of a stack with a softmax layer on top."""
    widths = [inputs] + [directions * cells] * (layers - 1)
    stack = sum(directions * weight_count(cell, width, cells) for width in widths)
    return stack + outputs * (directions * cells + 1)


@pytest.mark.parametrize(
    ("count", "weights"),
    [
        (blstm(26, 100, 1, 62), 114_662),  # Graves et al. 2006, TIMIT
        (blstm(4, 100, 1, 81), 100_881),  # Graves et al. 2009, IAM-OnDB, raw
        (blstm(25, 100, 1, 81), 117_681),  # the same, 25 features
        (blstm(26, 128, 1, 40), 169_768),  # Graves 2012, the CTC network
        (blstm(39, 128, 1, 39, directions=1), 91_431),  # its prediction network
        (blstm(123, 250, 1, 62), 780_562),  # Graves et al. 2013 from here on
        (blstm(123, 250, 2, 62), 2_284_062),
        (blstm(123, 250, 3, 62), 3_787_562),
        (blstm(123, 250, 5, 62), 6_794_562),
        (blstm(123, 622, 1, 62), 3_793_018),
        (blstm(123, 421, 3, 62, directions=1), 3_786_957),
        (blstm(123, 500, 3, 62, TANH), 3_688_062),
    ],
)
def test_networks_of_graves(count, weights):
    assert count == weights


@pytest.mark.parametrize(
    ("cell", "inputs", "cells", "output_layer", "weights"),
    [
        # Hochreiter & Schmidhuber 1997; the output layers see the cells (and a bias where +1)
        ({"bias": "gates", "block_size": 2}, 7, 6, 7 * 6, 276),  # embedded Reber, 3 x 2
        ({"bias": "gates"}, 7, 4, 7 * 4, 264),  # embedded Reber, 4 x 1
        ({"bias": "none"}, 54, 2, 2 * 2, 364),  # long time lag, p = 50
        ({"bias": "none"}, 1004, 2, 2 * 2, 6064),  # p = 1000
        ({}, 1, 3, 3, 102),  # two sequences
        ({"block_size": 2}, 2, 4, 4 + 1, 93),  # adding and multiplication
        ({"block_size": 2}, 8, 4, 4 * (4 + 1), 156),  # temporal order, 4 classes
        ({"block_size": 2}, 8, 6, 8 * (6 + 1), 308),  # temporal order, 8 classes
    ],
)
def test_networks_of_1997(cell, inputs, cells, output_layer, weights):
    flags = {"forget": False, "g": "logistic", "output": "logistic", "gate_recurrence": "all"}
    assert weight_count(Cell(**flags, **cell), inputs, cells) + output_layer == weights


def test_networks_of_gers():
    reber = Cell(bias="gates", block_size=2)  # 2000, outputs see inputs, cells and a bias
    assert weight_count(reber, 7, 8) + 7 * (7 + 8 + 1) == 424
    timing = Cell(peephole="diagonal", g="identity", output="identity")  # 2002
    assert weight_count(timing, 1, 1) + 2 == 17


@pytest.mark.parametrize(("I", "N", "R"), [(3, 5, 2), (26, 100, 40)])
def test_closed_forms(I, N, R):
    forms = {
        "V": 4 * N * (I + N + 1) + 3 * N,
        "NP": 4 * N * (I + N + 1),
        "FGR": 4 * N * (I + N + 1) + 3 * N + 9 * N * N,
        "peephole-state": 4 * N * I + 3 * N * N + 4 * N,
        "peephole-state-diagonal": 4 * N * I + 3 * N + 4 * N,
        "gru": 3 * N * (I + N + 1),
        "gru-before": 3 * N * (I + N + 1),
        "rnn_tanh": N * (I + N + 1),
    }
    forms |= dict.fromkeys(("NIAF", "NOAF", "peephole"), forms["V"])
    forms |= dict.fromkeys(("NIG", "NFG", "NOG", "CIFG", "cifg"), 3 * N * (I + N + 1) + 2 * N)
    for name, count in forms.items():
        assert weight_count(PRESETS[name], I, N) == count, name
    lstmp = LSTM(I, N, cell="lstmp", projection=R)
    assert sum(p.numel() for p in lstmp.parameters()) == 4 * N * (I + R + 1) + 3 * N + R * N


def test_module_holds_what_is_counted():
    layer = LSTM(26, 100, bidirectional=True, cell="peephole")
    total = sum(p.numel() for p in layer.parameters())
    assert total + 62 * 201 == 114_662


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        ({"coupled": True, "input_gate": False}, "needs an input gate"),
        ({"coupled": True, "forget": False}, "forget=False"),
        (
            {"peephole": "diagonal", "input_gate": False, "forget": False, "output_gate": False},
            "there is none",
        ),
        (
            {"gate_recurrence": "all", "input_gate": False, "forget": False, "output_gate": False},
            "there is none",
        ),
        ({"peephole": "state", "gate_recurrence": "gates"}, "recurrent source"),
        ({"peephole": "both"}, "'none', 'diagonal', 'state'"),
        ({"g": "relu"}, "'tanh', 'logistic', 'identity'"),
        ({"forget": 1}, "not true or false"),
        ({"block_size": 0}, "at least 1"),
    ],
)
def test_contradicting_flags(flags, cause):
    with pytest.raises(InputError, match=cause):
        Cell(**flags)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"cell": "pephole"}, "did you mean 'peephole'"),
        ({"cell": {"forgot": False}}, "did you mean 'forget'"),
        ({"cell": Cell(block_size=2)}, "multiple of block_size"),
        ({"cell": "lstmp"}, "needs projection"),
        ({"cell": "gru", "projection": 3}, "LSTM cells"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"between": "dense"}, "plain, residual, highway"),
        ({"init": "gauss"}, "uniform"),
        ({"tbptt": -1}, "tbptt=-1"),
        ({"cell": Gru(), "forget_bias": 1.0}, "forget_bias"),
        ({"num_layers": 0}, "num_layers=0"),
    ],
)
def test_options_that_cannot_be(options, cause):
    with pytest.raises(InputError, match=cause):
        LSTM(4, 7, **options)


def test_forget_bias_and_initialisations():
    torch.manual_seed(1)
    layer = LSTM(3, 4, cell="peephole", forget_bias=1.0)
    bias = layer.layers[0][0].bias.detach()
    assert bias[4:8].eq(1).all()  # rows are i, f, o, z
    assert bias[:4].abs().max() <= 0.5
    layer = LSTM(3, 4, cell=Cell(block_size=2), init="gers2000")
    assert layer.layers[0][0].bias[:6].tolist() == [-0.5, -1, 0.5, 1, -0.5, -1]
