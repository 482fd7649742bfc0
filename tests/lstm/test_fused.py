"""The fast path on the CPU against the reference; what must change no number; bad input."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, MDLSTM, PRESETS, Cell, ConvLSTM, amx, dots, products, tiles
from seqlabel.lstm.backend import Task, choose
from seqlabel.lstm.cell import Gru, is_timed
from seqlabel.lstm.options import Recurrence

LENGTHS = [9, 13, 1, 6]
NO_UNIT = "this processor has no such instructions for bfloat16"


def batch(seed=0, width=5):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(4, 13, width, generator=g)


def make(cell, backend="auto", **options):
    torch.manual_seed(2)
    options = {"bidirectional": True, "num_layers": 2, **options}
    if cell == "lstmp":
        options["projection"] = 6
    layer = LSTM(5, 20, cell=cell, backend=backend, **options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.3)
    return layer


def times(layer, x, seed=8):
    """Seconds between frames for a cell that wants them, some of them 0; else None."""
    g = torch.Generator().manual_seed(seed)
    passed = torch.randn(x.shape[:2], generator=g).exp() * 4 - 1
    return passed.clamp(min=0) if is_timed(layer.cell) else None


def run(layer, x, lengths, state=None, seed=3):
    """Outputs, final states and all gradients of a random weighting of both."""
    x = x.clone().requires_grad_()
    state = None if state is None else tuple(s.clone().requires_grad_() for s in state)
    layer.zero_grad()
    y, finals = layer(x, lengths, state, times(layer, x))
    g = torch.Generator().manual_seed(seed)
    total = sum((t * torch.randn(t.shape, generator=g)).sum() for t in (y, *finals))
    total.backward()
    gradients = [x.grad, *(p.grad for p in layer.parameters()), *(s.grad for s in state or ())]
    return [value.detach().clone() for value in (y, *finals, *gradients)]


def assert_same(found, expected, relative):
    for a, b in zip(found, expected, strict=True):
        scale = float(b.abs().max()) or 1.0
        assert float((a - b).abs().max()) <= relative * scale


FUSED = [name for name, cell in PRESETS.items() if cell != Gru(reset="before")]


@pytest.mark.parametrize("name", FUSED)
def test_every_preset_equals_the_reference(name):
    layer = make(name)
    assert layer.backend == "fused"
    sizes = layer.cell.state_sizes(20)
    g = torch.Generator().manual_seed(9)
    state = tuple(torch.randn(4, 4, size, generator=g) * 0.5 for size in sizes)
    found = run(layer, batch(), LENGTHS, state)
    layer.backend = "reference"
    expected = run(layer.double(), batch().double(), LENGTHS, tuple(s.double() for s in state))
    assert_same(found, expected, 2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"truncate": "1997"},
        {"tbptt": 4},
        {"between": "residual"},
        {"between": "highway"},
        {"num_layers": 1, "bidirectional": False},
    ],
)
def test_options_equal_the_reference(options):
    for cell in ("peephole", "lstm1997", "tlstm", "gru", "rnn_tanh"):
        layer = make(cell, **options)
        assert layer.backend == "fused"
        found = run(layer, batch(), LENGTHS)
        layer.backend = "reference"
        assert_same(found, run(layer, batch(), LENGTHS), 5e-6)


@pytest.mark.parametrize("options", [{"dropout": 0.4}, {"dropout": 0.4, "variational": True}])
def test_dropout_is_the_same_on_both_paths(options):
    layer = make("peephole", recurrent_dropout=0.3, **options)
    torch.manual_seed(5)
    found = run(layer, batch(), LENGTHS)
    layer.backend = "reference"
    torch.manual_seed(5)
    assert_same(found, run(layer, batch(), LENGTHS), 5e-6)
    torch.manual_seed(6)
    assert not torch.equal(run(layer, batch(), LENGTHS)[0], found[0])
    layer.eval()
    assert torch.equal(layer(batch(), LENGTHS)[0], layer(batch(), LENGTHS)[0])


def test_variational_masks_last_for_all_frames():
    layer = make("lstm", dropout=0.5, variational=True, bidirectional=False)
    with torch.no_grad():  # the second layer copies its input through: z alone, gates open
        for weight in layer.parameters():
            weight.zero_()
        first, second = layer.layers[0][0], layer.layers[1][0]
        first.bias[:60], first.bias[60:] = 20.0, 1.0
        second.bias[:60] = 20.0
        second.bias[20:40] = -20.0  # forget everything
        second.input[60:] = torch.eye(20)
    y = layer(batch(), LENGTHS)[0].detach()
    dropped = y[0, :9] == 0
    assert 0 < int(dropped[0].sum()) < 20
    assert bool((dropped == dropped[0]).all())


@pytest.mark.parametrize("cell", ["peephole", "cifg", "gru", "lstm1997"])
def test_padding_mates_and_order_change_no_bit(cell):
    layer = make(cell)
    x = batch()
    everything = run(layer, x, LENGTHS)
    poisoned = x.clone()
    for b, length in enumerate(LENGTHS):
        poisoned[b, length:] = math.nan
    for a, b in zip(run(layer, poisoned, LENGTHS), everything, strict=True):
        assert torch.equal(a.nan_to_num(), b)
    for b, length in enumerate(LENGTHS):
        alone = layer(x[b : b + 1, :length], [length])[0]
        np.testing.assert_allclose(alone[0].detach(), everything[0][b, :length], atol=2e-6)
        assert not everything[0][b, length:].any()
    order = [2, 0, 3, 1]
    shuffled = layer(x[order], [LENGTHS[b] for b in order])[0]
    assert torch.equal(shuffled, everything[0][order])


def test_packed_sequences_go_in_and_out():
    layer = make("peephole")
    x = batch()
    for enforce in (False, True):
        lengths = sorted(LENGTHS, reverse=True) if enforce else LENGTHS
        packed = pack_padded_sequence(x, torch.tensor(lengths), True, enforce)
        y, finals = layer(packed)
        expected, expected_finals = layer(x, lengths)
        unpacked, found_lengths = pad_packed_sequence(y, batch_first=True)
        assert found_lengths.tolist() == list(lengths)
        assert torch.equal(unpacked, expected)
        assert all(map(torch.equal, finals, expected_finals))


def test_states_carry_on():
    layer = make("peephole", bidirectional=False)
    x = batch()
    whole, final = layer(x)
    first, state = layer(x[:, :6])
    second, state = layer(x[:, 6:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    for a, b in zip(state, final, strict=True):
        torch.testing.assert_close(a, b)


def take(way, monkeypatch):
    """Compute products in bfloat16 this way."""
    units = {"tiles": products.has_tiles(), "dots": dots.available(), "rounded": True}
    if not units[way]:
        pytest.skip(NO_UNIT)
    if way != "tiles":
        monkeypatch.setattr(products, "has_tiles", lambda: False)
    if way == "rounded":
        monkeypatch.setattr(dots, "available", lambda: False)


@pytest.fixture(params=["tiles", "dots", "rounded"])
def way(request, monkeypatch):
    """Each way to compute the products, one after the other."""
    take(request.param, monkeypatch)
    return request.param


def gradients(layer, x, lengths, state=None):
    """All gradients, those of the input and of initial states among them, as one vector."""
    values = run(layer, x, lengths, state)
    return torch.cat([value.flatten() for value in values[1 + len(layer.cell.state) :]])


@pytest.mark.parametrize("name", FUSED)
def test_gradients_of_every_preset_are_within_a_percent(name, way):
    torch.manual_seed(4)
    projection = 9 if name == "lstmp" else 0
    layer = LSTM(5, 21, 2, True, cell=name, projection=projection)  # weights as they start
    g = torch.Generator().manual_seed(9)
    state = tuple(torch.randn(4, 4, size, generator=g) * 0.5 for size in layer.cell.state_sizes(21))
    exact = gradients(layer, batch(), LENGTHS, state)
    layer.bf16 = True
    assert layer.backend == "fused"
    error = gradients(layer, batch(), LENGTHS, state) - exact
    assert 1e-4 < float(error.norm() / exact.norm()) < 0.01


@pytest.mark.parametrize("cell", ["peephole", "gru", "lstmp"])
def test_gradients_over_many_frames_and_ragged_sizes(cell, way):
    torch.manual_seed(4)
    projection = 35 if cell == "lstmp" else 0
    layer = LSTM(7, 67, 2, True, cell=cell, projection=projection)
    lengths = [111, 3, 60, *range(1, 70, 4)]  # more than one chunk, more than 16 rows at first
    g = torch.Generator().manual_seed(1)
    x = torch.randn(len(lengths), 111, 7, generator=g)
    exact = gradients(layer, x, lengths)
    layer.bf16 = True
    error = gradients(layer, x, lengths) - exact
    assert 1e-4 < float(error.norm() / exact.norm()) < 0.01


@pytest.mark.parametrize("unit", ["tiles", "dots"])
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (cell, options)
        for cell in ("lstm", "FGR", "lstmp", "tlstm", "peephole-state", "gru")
        for options in ({}, {"recurrent_dropout": 0.3}, {"tbptt": 4})
        if (cell, *options) != ("peephole-state", "recurrent_dropout")
    ],
)
def test_all_ways_round_the_same_numbers(cell, options, unit, monkeypatch):
    layer = make(cell, bf16=True, **options)
    take(unit, monkeypatch)
    torch.manual_seed(5)
    found = run(layer, batch(), LENGTHS)
    take("rounded", monkeypatch)
    torch.manual_seed(5)
    # sums in another order are rounded to a neighbour now and then
    assert_same(found, run(layer, batch(), LENGTHS), 2e-3)


def test_rounded_layers_know_no_padding_either(way):
    layer = make("peephole", bf16=True)
    x = batch()
    everything = run(layer, x, LENGTHS)
    poisoned = x.clone()
    for b, length in enumerate(LENGTHS):
        poisoned[b, length:] = math.nan
    for a, b in zip(run(layer, poisoned, LENGTHS), everything, strict=True):
        assert torch.equal(a.nan_to_num(), b)
    order = [2, 0, 3, 1]
    shuffled = layer(x[order], [LENGTHS[b] for b in order], None, times(layer, x))[0]
    assert torch.equal(shuffled, everything[0][order])


def test_instructions_that_are_absent_are_not_used(monkeypatch):
    for unit in (amx, dots):
        monkeypatch.setattr(unit, "available", lambda: False)
    for unit in (tiles, dots):
        monkeypatch.setattr(unit, "kernel", lambda: pytest.fail("compiled, but it cannot run"))
    layer = make("peephole", bf16=True)
    assert torch.isfinite(layer(batch(), LENGTHS)[0]).all()


def test_the_choice_of_backend():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    plain, peephole = Cell(), PRESETS["peephole"]
    assert choose("auto", Task(plain, cpu, torch.float32)) == "fused"
    assert choose("auto", Task(plain, cpu, torch.float64)) == "reference"
    assert choose("auto", Task(Gru(reset="before"), cpu, torch.float32)) == "reference"
    assert choose("auto", Task(plain, gpu, torch.float32)) == "library"
    assert choose("auto", Task(peephole, gpu, torch.float64)) == "reference"
    assert choose("auto", Task(plain, gpu, torch.float64, how=Recurrence(True))) == "reference"
    assert choose("library", Task(plain, cpu, torch.float64)) == "library"
    for wanted, task, cause in (
        ("quick", Task(plain, cpu, torch.float32), "not one of auto, reference, fused, library"),
        ("fused", Task(plain, gpu, torch.float32), "runs on the CPU"),
        ("fused", Task(Cell(block_size=2), cpu, torch.float32), "blocks of cells"),
        ("library", Task(peephole, cpu, torch.float32), "plain cell alone"),
        ("auto", Task(plain, gpu, torch.float32, bf16=True), "needs the fused backend"),
    ):
        with pytest.raises(InputError, match=cause):
            choose(wanted, task)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([9, 14, 1, 6], "sequence 1 has length 14, but the batch has only 13"),
        ([9, 0, 1, 6], "sequence 1 has length 0"),
        ([9, -2, 1, 6], "sequence 1 has length -2"),
        (torch.tensor([9.0, 3, 1, 6]), "must be integers"),
        ([9, 3], "for 4 sequences"),
        (
            (torch.zeros(1, 4, 2), torch.zeros(1, 4, 2)),
            r"a state comes third: \(x, lengths, state\)",
        ),
    ],
)
def test_bad_lengths_are_named(lengths, message):
    with pytest.raises(InputError, match=message):
        make("lstm")(batch(), lengths)


def test_bad_values_and_shapes_are_named():
    layer = make("lstm")
    x = batch()
    x[2, 0, 3] = math.nan
    with pytest.raises(InputError, match="sequence 2 has nan at frame 0"):
        layer(x, LENGTHS)
    with pytest.raises(InputError, match=r"expected \(B, T, 5\)"):
        layer(batch(width=4), LENGTHS)
    with pytest.raises(InputError, match="the batch is empty"):
        layer(batch()[:0], [])
    with pytest.raises(InputError, match="initial state has shapes"):
        layer(batch(), LENGTHS, (torch.zeros(4, 4, 20), torch.zeros(4, 3, 20)))
    theirs = torch.nn.LSTM(5, 21, 2, bidirectional=True).state_dict()
    with pytest.raises(InputError, match=r"weight_ih_l0 has shape \(84, 5\)"):
        layer.load_torch(theirs)
    with pytest.raises(InputError, match="l1 does not exist here"):
        make("lstm", num_layers=1).load_torch(theirs)
    with pytest.raises(InputError, match="no such cell"):
        make("peephole").torch_state_dict()


@pytest.mark.parametrize("kind", [torch.float64, torch.int64, torch.uint8, torch.bfloat16])
@pytest.mark.parametrize("layer", [LSTM(3, 4), MDLSTM(3, 4, dims=1), ConvLSTM(3, 4)], ids=str)
def test_an_input_of_another_type_than_the_weights_is_refused(layer, kind):
    shape = (2, 5, 3, 2, 2) if isinstance(layer, ConvLSTM) else (2, 5, 3)
    name = str(kind).removeprefix("torch.")
    with pytest.raises(InputError, match=f"input is {name}, the weights are float32: give x.to"):
        layer(torch.ones(shape, dtype=kind))


def test_under_autocast_the_input_is_cast_to_the_weights():
    torch.manual_seed(0)
    below, layer = nn.Linear(3, 3), LSTM(3, 4)
    x = torch.randn(2, 5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = layer(below(x))
        expected, _ = layer(below(x).float())
    assert torch.equal(y, expected)


@pytest.mark.parametrize("cell", ["peephole-state", "peephole-state-diagonal"])
def test_a_source_that_is_not_masked_has_no_recurrent_dropout(cell):
    with pytest.raises(InputError, match="reads its state instead: leave it out"):
        LSTM(3, 4, cell=cell, recurrent_dropout=0.5)
