"""Latency-controlled layers: against a loop over windows; what they see; what changes nothing."""

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.lstm.chunks import Chunks
from seqlabel.lstm.reference import step
from seqlabel.lstm.rows import Rows

LENGTHS = [9, 13, 1, 6, 4]
SIZES = [(4, 2), (3, 5), (1, 1), (5, 0), (2, 11)]


def make(cell="peephole", **options):
    torch.manual_seed(2)
    options = {"num_layers": 3, "chunk": 4, "lookahead": 2, **options}
    if cell == "lstmp":
        options["projection"] = 4
    layer = LSTM(3, 6, bidirectional=True, cell=cell, **options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.4)
    return layer


def batch(dtype=torch.float32):
    g = torch.Generator().manual_seed(0)
    return torch.randn(5, 13, 3, generator=g, dtype=dtype)


def recurrence(layer, direction, frames, state):
    """(T, F) -> the T states after its frames, one step after the other."""
    w, after = direction.weights(), []
    for frame in frames:
        wx = frame[None] @ w.input.T
        state = step(layer.cell, w, wx, state[0], state, truncate=False)
        after.append(state)
    return after


def window_by_window(layer, x):
    """The definition, for one sequence (T, F): every window through all layers."""
    zero = tuple(x.new_zeros(1, size) for size in layer.cell.state_sizes(layer.hidden_size))
    carried = [zero] * layer.num_layers
    outputs = []
    for start in range(0, len(x), layer.chunk):
        own = min(layer.chunk, len(x) - start)
        frames = x[start : start + layer.chunk + layer.lookahead]
        for number, (forwards, backwards) in enumerate(layer.layers):
            ahead = recurrence(layer, forwards, frames, carried[number])
            carried[number] = ahead[own - 1]
            back = recurrence(layer, backwards, frames.flip(0), zero)[::-1]
            y = torch.cat([torch.cat([f[0], b[0]], 1) for f, b in zip(ahead, back, strict=True)])
            frames = layer.connections[number - 1](frames, y) if number else y
        outputs.append(frames[:own])
    return torch.cat(outputs), carried


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_batch_is_what_a_loop_over_windows_gives(size, layers):
    chunk, lookahead = size
    layer = make(num_layers=layers, chunk=chunk, lookahead=lookahead).double()
    x = batch(torch.float64)
    y, finals = layer(x, LENGTHS)
    for b, length in enumerate(LENGTHS):
        expected, carried = window_by_window(layer, x[b, :length])
        torch.testing.assert_close(y[b, :length], expected)
        assert not y[b, length:].any()
        for number, state in enumerate(carried):
            for found, wanted in zip(finals, state, strict=True):
                torch.testing.assert_close(found[2 * number, b], wanted[0])
                assert not found[2 * number + 1, b].any()


@pytest.mark.parametrize("cell", ["lstm", "cifg", "gru", "lstm1997", "lstmp"])
@pytest.mark.parametrize("between", ["plain", "residual", "highway"])
def test_every_kind_of_state_is_carried(cell, between):
    layer = make(cell, between=between).double()
    x = batch(torch.float64)
    y, _ = layer(x, LENGTHS)
    for b, length in enumerate(LENGTHS):
        torch.testing.assert_close(y[b, :length], window_by_window(layer, x[b, :length])[0])


def results(layer, x, lengths):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y, finals = layer(x, lengths)
    weighting = torch.Generator().manual_seed(3)
    total = sum((t * torch.randn(t.shape, generator=weighting)).sum() for t in (y, *finals))
    total.backward()
    return [y, *finals, x.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.parametrize("cell", ["peephole", "gru", "lstm1997", "lstmp"])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.4, "variational": True}])
def test_compiled_equals_reference(cell, options):
    layer = make(cell, recurrent_dropout=0.3 if options else 0.0, **options)
    assert layer.backend == "fused"
    torch.manual_seed(5)
    found = [t.detach().clone() for t in results(layer, batch(), LENGTHS)]
    layer.backend = "reference"
    torch.manual_seed(5)
    for a, b in zip(found, results(layer, batch(), LENGTHS), strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    layer = LSTM(2, 2, 2, True, cell="peephole", chunk=2, lookahead=1).double()
    x = torch.randn(2, 5, 2, dtype=torch.float64, requires_grad=True)
    weights = list(layer.parameters())

    def run(x, *_):
        return layer(x, [5, 3])[0].sum(dim=0)

    assert torch.autograd.gradcheck(run, (x, *weights))


def test_a_frame_and_its_copies_in_look_aheads_belong_to_one_sequence():
    """So they share the masks of variational and of recurrent dropout."""
    rows = Rows.of(LENGTHS, 13)
    for size in SIZES:
        chunks = Chunks.of(rows, *size)
        copied = rows.sequence()[chunks.ahead_row]
        assert torch.equal(chunks.sequence(), torch.cat([rows.sequence(), copied]))
        assert torch.equal(chunks.window_row[chunks.row_window], torch.arange(len(copied) + 33))
        of_window = chunks.window_place[chunks.window.sequence()]
        assert torch.equal(chunks.sequence()[chunks.window_row], of_window)


@pytest.mark.parametrize("cell", ["peephole", "gru"])
@pytest.mark.parametrize("size", [(13, 0), (13, 3), (40, 7)])
def test_one_chunk_for_everything_is_a_plain_stack(cell, size):
    outcomes = []
    for chunk, lookahead in (size, (0, 0)):
        layer = make(cell, chunk=chunk, lookahead=lookahead)
        x = batch().requires_grad_()
        y, _ = layer(x, LENGTHS)
        y.square().sum().backward()
        outcomes.append([y, x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*outcomes, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_outputs_wait_for_the_look_ahead_of_their_chunk_and_for_nothing_more(size):
    chunk, lookahead = size
    layer = make(chunk=chunk, lookahead=lookahead).double()
    x = batch(torch.float64)[1:2].requires_grad_()
    y, _ = layer(x)
    for t in range(13):
        (grad,) = torch.autograd.grad(y[0, t].sum(), x, retain_graph=True)
        seen = torch.nonzero(grad[0].abs().sum(dim=1)).flatten()
        assert int(seen.max()) == min(13, (t // chunk + 1) * chunk + lookahead) - 1
        assert int(seen.min()) == 0


def test_padding_mates_and_order_change_nothing():
    layer = make()
    x = batch()
    everything = layer(x, LENGTHS)[0]
    spoilt = x.clone()
    for b, length in enumerate(LENGTHS):
        spoilt[b, length:] = float("nan")
        alone = layer(x[b : b + 1, :length], [length])[0]
        torch.testing.assert_close(alone[0], everything[b, :length], rtol=1e-5, atol=2e-6)
    assert torch.equal(layer(spoilt, LENGTHS)[0], everything)
    order = [2, 0, 4, 3, 1]
    assert torch.equal(layer(x[order], [LENGTHS[b] for b in order])[0], everything[order])


def test_without_look_ahead_states_carry_on_from_call_to_call():
    layer = make(lookahead=0)
    x = batch()
    whole, final = layer(x)
    first, state = layer(x[:, :8])
    second, state = layer(x[:, 8:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    for a, b in zip(state, final, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk": -1}, "must not be negative"),
        ({"chunk": 0, "lookahead": 2}, "lookahead=2 needs chunk"),
        ({"tbptt": 3}, "tbptt=3"),
    ],
)
def test_options_that_contradict_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        make(**options)
    with pytest.raises(InputError, match="is for bidirectional layers"):
        LSTM(3, 4, chunk=2)
