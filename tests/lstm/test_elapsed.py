"""Time between frames: both directions, what no time does, streams, and times that are refused."""

import math

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, Cell, weight_count
from seqlabel.lstm.streaming import StackStream

LENGTHS = [5, 7, 1]


def make(**options):
    torch.manual_seed(1)
    layer = LSTM(4, 3, cell="tlstm", **options).double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.6)
    return layer


def batch(seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(3, 7, 4, generator=g, dtype=torch.float64)
    return x, torch.rand(3, 7, generator=g, dtype=torch.float64) * 9


def test_without_time_between_frames_it_is_the_plain_cell():
    timed, plain = make(bidirectional=True), LSTM(4, 3, bidirectional=True, cell="lstm").double()
    plain.load_state_dict(
        {name: w for name, w in timed.state_dict().items() if ".decay" not in name}
    )
    x, elapsed = batch()
    still = timed(x, LENGTHS, None, torch.zeros(3, 7))[0]
    torch.testing.assert_close(still, plain(x, LENGTHS)[0])
    assert not torch.allclose(timed(x, LENGTHS, None, elapsed)[0], still)


def test_backwards_the_time_to_the_frame_behind_counts():
    """The second direction equals the first one on the reversed sequence with reversed gaps."""
    layer = make(bidirectional=True)
    x, elapsed = batch()
    y = layer(x, LENGTHS, None, elapsed)[0]
    alone = make()
    alone.layers[0][0].load_state_dict(layer.layers[0][1].state_dict())
    for b, length in enumerate(LENGTHS):
        gaps = [0.0, *elapsed[b, 1:length].tolist()[::-1]]
        found = alone(x[b : b + 1, :length].flip(1), None, None, torch.tensor([gaps]))[0]
        torch.testing.assert_close(y[b, :length, 3:], found[0].flip(0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_parts_of_a_stream_are_the_whole(dtype):
    layer = make().to(dtype)
    x, elapsed = batch()
    x = x.to(dtype)
    whole, final = layer(x, None, None, elapsed)
    state, parts = None, []
    for start, end in ((0, 2), (2, 3), (3, 7)):
        y, state = layer(x[:, start:end], None, state, elapsed[:, start:end])
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    torch.testing.assert_close(state, final)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_times_in_the_padding_change_no_bit(dtype):
    layer = make(bidirectional=True, num_layers=2).to(dtype)
    x, elapsed = batch()
    expected = layer(x.to(dtype), LENGTHS, None, elapsed)[0]
    for b, length in enumerate(LENGTHS):
        elapsed[b, length:] = math.nan
    assert torch.equal(layer(x.to(dtype), LENGTHS, None, elapsed)[0], expected)


def one_way(layer, number, direction):
    """A direction of a layer as a layer that runs forwards."""
    weights = layer.layers[number][direction]
    alone = LSTM(weights.input.shape[1], 3, cell="tlstm").double()
    alone.layers[0][0].load_state_dict(weights.state_dict())
    return alone


def test_in_chunks_a_window_knows_the_times_of_its_own_frames():
    layer = make(bidirectional=True, num_layers=2, chunk=2, lookahead=3)
    x, elapsed = batch()
    y = layer(x, LENGTHS, None, elapsed)[0]
    for b, length in enumerate(LENGTHS):
        carried = [None, None]
        for start in range(0, length, 2):
            frames = x[b : b + 1, start : min(start + 5, length)]
            gaps = elapsed[b : b + 1, start : start + frames.shape[1]]
            back = torch.cat([torch.zeros(1, 1), gaps[:, 1:].flip(1)], dim=1)
            for number in range(2):
                forwards = one_way(layer, number, 0)
                own, carried[number] = forwards(frames[:, :2], None, carried[number], gaps[:, :2])
                ahead = [own]
                if frames.shape[1] > 2:
                    ahead.append(forwards(frames[:, 2:], None, carried[number], gaps[:, 2:])[0])
                behind = one_way(layer, number, 1)(frames.flip(1), None, None, back)[0].flip(1)
                frames = torch.cat([torch.cat(ahead, dim=1), behind], dim=2)
            torch.testing.assert_close(y[b, start : min(start + 2, length)], frames[0, :2])


def test_by_the_rule_of_1997_nothing_passes_through_what_time_reads():
    """One cell that keeps all: ∂c_T/∂x_t is that of a state less a constant short-term part."""
    torch.manual_seed(3)
    layer = LSTM(2, 1, cell=Cell(forget=False, decay="log"), truncate="1997").double()
    x, elapsed = batch()
    x, elapsed = x[:1, :4, :2].clone().requires_grad_(), elapsed[:1, :4]
    _, (_, c) = layer(x, None, None, elapsed)
    (found,) = torch.autograd.grad(c.sum(), x)
    free, w, total = x.detach().clone().requires_grad_(), layer.layers[0][0], 0.0
    y = layer(free.detach(), None, None, elapsed)[0].detach()
    for t in range(4):  # no factor carries the states before: time takes constants from them
        h = y[0, t - 1] if t else torch.zeros(1, dtype=torch.float64)
        a = w.input @ free[0, t] + w.recurrent @ h + w.bias
        total = total + torch.sigmoid(a[0]) * torch.tanh(a[2])
    (expected,) = torch.autograd.grad(total, free)
    torch.testing.assert_close(found, expected)


def test_weights_and_biases_of_the_authors():
    cell = Cell(decay="log")
    assert weight_count(cell, 5, 7) == 4 * 7 * (5 + 7 + 1) + 7 * 7 + 7
    biases = [w for name, w in LSTM(5, 7, cell=cell, init="baytas2017").named_parameters()
              if "bias" in name]  # fmt: skip
    assert len(biases) == 2
    assert all((b == 1).all() for b in biases)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((1, 3, math.nan), "sequence 1: nan seconds before frame 3: times must be"),
        ((2, 0, -0.5), "sequence 2: -0.5 seconds before frame 0"),
        ((0, 4, math.inf), "sequence 0: inf seconds before frame 4"),
    ],
)
def test_times_that_are_none_are_named(change, message):
    x, elapsed = batch()
    sequence, frame, value = change
    elapsed[sequence, frame] = value
    with pytest.raises(InputError, match=message):
        make()(x, LENGTHS, None, elapsed)


def test_a_stream_has_no_times():
    with pytest.raises(InputError, match="need the time between frames"):
        StackStream(make())


def test_times_go_with_cells_that_want_them():
    x, elapsed = batch()
    with pytest.raises(InputError, match="needs the time before each frame"):
        make()(x, LENGTHS)
    with pytest.raises(InputError, match=r"elapsed has shape \(3, 6\), expected \(3, 7\)"):
        make()(x, LENGTHS, None, elapsed[:, 1:])
    with pytest.raises(InputError, match="does not take elapsed times"):
        LSTM(4, 3).double()(x, LENGTHS, None, elapsed)
    with pytest.raises(InputError, match="reads c⁻ as recurrent source"):
        Cell(decay="log", peephole="state")
    with pytest.raises(InputError, match="time_unit=0 must be a positive number"):
        Cell(decay="log", time_unit=0)
