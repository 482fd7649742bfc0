"""The convolutional LSTM: one pixel, a loop over pixels, gradients, fast path, weight counts."""

import math

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, Cell, ConvLSTM

LENGTHS = [3, 5, 1]


def make(*sizes, seed=1, dtype=torch.float64, **options):
    torch.manual_seed(seed)
    layer = ConvLSTM(*sizes, **options).to(dtype)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.5)
    return layer


def maps(channels, height, width, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(3, 5, channels, height, width, generator=g, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("positions", [None, (1, 1)])
@pytest.mark.parametrize("cell", ["peephole", "lstm", "cifg", "NOAF"])
def test_on_one_pixel_it_is_the_lstm(cell, positions, dtype):
    conv = make(4, 3, kernel=1, bidirectional=True, cell=cell, positions=positions, dtype=dtype)
    plain = LSTM(4, 3, bidirectional=True, cell=cell).to(dtype)
    with torch.no_grad():
        for ours, theirs in zip(plain.layers[0], conv.weights, strict=True):
            for name, weight in ours.named_parameters():
                weight.copy_(theirs[name].reshape(weight.shape))
    x = maps(4, 1, 1, dtype).requires_grad_()
    y, (h, c) = conv(x, LENGTHS)
    expected, (h_0, c_0) = plain(x.flatten(2), LENGTHS)
    tolerance = {"rtol": 0, "atol": 1e-12 if dtype == torch.float64 else 2e-6}
    torch.testing.assert_close(y.flatten(2), expected, **tolerance)
    torch.testing.assert_close(h.flatten(2), h_0, **tolerance)
    torch.testing.assert_close(c.flatten(2), c_0, **tolerance)
    found = torch.autograd.grad(y.square().sum(), (x, conv.weights[1]["recurrent"]))
    wanted = torch.autograd.grad(expected.square().sum(), (x, plain.layers[0][1].recurrent))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.flatten(), b.flatten(), rtol=1e-4, atol=tolerance["atol"] * 9)


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def pixel_by_pixel(layer, x):
    """The equations of the paper for one sequence (T, C, H, W), with numbers and loops."""
    w = {name: weight.detach().numpy() for name, weight in layer.weights[0].items()}
    T, _, H, W = x.shape
    N = layer.channels
    h, c = np.zeros((N, H, W)), np.zeros((N, H, W))
    outputs = []
    for t in range(T):
        new_h, new_c = np.zeros_like(h), np.zeros_like(c)
        for n, row, column in np.ndindex(N, H, W):

            def net(part, n=n, row=row, column=column, t=t, h=h):
                k = part * N + n
                total = w["bias"][k]
                for name, seen in (("input", x[t]), ("recurrent", h)):
                    kernel = w[name][k]
                    half = kernel.shape[1] // 2
                    for channel, dy, dx in np.ndindex(*kernel.shape):
                        y, z = row + dy - half, column + dx - half
                        if 0 <= y < H and 0 <= z < W:
                            total += kernel[channel, dy, dx] * seen[channel, y, z]
                return total

            def peep(part, value, n=n, row=row, column=column):
                p = w["peephole"][part, n]
                return (p[row, column] if layer.positions else p[0, 0]) * value

            i = sigmoid(net(0) + peep(0, c[n, row, column]))
            f = sigmoid(net(1) + peep(1, c[n, row, column]))
            state = f * c[n, row, column] + i * math.tanh(net(3))
            o = sigmoid(net(2) + peep(2, state))
            new_c[n, row, column], new_h[n, row, column] = state, o * math.tanh(state)
        h, c = new_h, new_c
        outputs.append(h)
    return np.stack(outputs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("positions", [None, (3, 4)])
def test_it_is_the_equations_of_the_paper(positions, dtype):
    layer = make(2, 2, kernel=3, input_kernel=5, positions=positions, dtype=dtype)
    x = maps(2, 3, 4, dtype)
    y, _ = layer(x, LENGTHS)
    for b, length in enumerate(LENGTHS):
        expected = pixel_by_pixel(layer, x[b, :length].double().numpy())
        np.testing.assert_allclose(y[b, :length].detach(), expected, atol=3e-6)
        assert not y[b, length:].any()


@pytest.mark.parametrize("cell", ["peephole", "cifg", Cell(peephole="diagonal", cell_clip=0.3)])
@pytest.mark.parametrize("positions", [None, (2, 3)])
def test_gradients_of_the_reference_are_finite_differences(cell, positions):
    layer = make(1, 2, kernel=3, bidirectional=True, cell=cell, positions=positions)
    x = maps(1, 2, 3)[:2, :3].clone().requires_grad_()
    state = [0.5 * maps(2, 2, 3, seed=s)[:2, :2].transpose(0, 1) for s in (1, 2)]
    start = [part.clone().requires_grad_() for part in state]

    def run(x, h, c, *weights):
        y, (h, c) = layer(x, [3, 2], (h, c))
        return torch.cat([y.flatten(), h.flatten(), c.flatten()]).view(-1, 6).sum(dim=0)

    assert torch.autograd.gradcheck(run, (x, *start, *layer.parameters()))


def results(layer, x, state):
    x, state = x.clone().requires_grad_(), tuple(s.clone().requires_grad_() for s in state)
    layer.zero_grad()
    y, finals = layer(x, LENGTHS, state)
    g = torch.Generator().manual_seed(7)
    sum((part * torch.randn(part.shape, generator=g)).sum() for part in (y, *finals)).backward()
    gradients = [x.grad, *(s.grad for s in state), *(w.grad for w in layer.parameters())]
    return [value.detach().clone() for value in (y, *finals, *gradients)]


@pytest.mark.parametrize(
    "options",
    [{}, {"positions": (4, 3)}, {"truncate": "1997"}, {"tbptt": 2}, {"kernel": 1}, {"cell": "lstm"},
     {"cell": "V", "input_kernel": 5}, {"cell": "NIG"}, {"cell": "NOG"}],
)  # fmt: skip
def test_the_fast_path_equals_the_reference(options):
    layer = make(2, 3, bidirectional=True, dtype=torch.float32, **options)
    x = maps(2, 4, 3, torch.float32)
    state = [0.5 * maps(3, 4, 3, torch.float32, seed=s)[:, :2].transpose(0, 1) for s in (1, 2)]
    found = results(layer, x, state)
    layer.backend = "reference"
    for a, b in zip(found, results(layer, x, state), strict=True):
        assert float((a - b).abs().max()) <= 5e-6 * max(1.0, float(b.abs().max()))


def test_padding_and_mates_change_nothing():
    layer = make(2, 3, bidirectional=True, dtype=torch.float32)
    x = maps(2, 4, 4, torch.float32)
    y, _ = layer(x, LENGTHS)
    spoilt = x.clone()
    for b, length in enumerate(LENGTHS):
        spoilt[b, length:] = math.nan
    assert torch.equal(layer(spoilt, LENGTHS)[0], y)
    for b, length in enumerate(LENGTHS):
        alone, _ = layer(x[b : b + 1, :length])
        torch.testing.assert_close(alone[0], y[b, :length], rtol=1e-4, atol=1e-5)


def test_states_carry_on_and_maps_may_have_any_size():
    layer = make(2, 3, dtype=torch.float32)
    for height, width in ((4, 4), (1, 7)):
        x = maps(2, height, width, torch.float32)
        whole, final = layer(x)
        first, state = layer(x[:, :2])
        second, state = layer(x[:, 2:], None, state)
        torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
        torch.testing.assert_close(state, final)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_maps_without_input_run_on_from_their_state(dtype):
    alone, fed = make(0, 3, dtype=dtype), make(1, 3, dtype=dtype)
    fed.load_state_dict({**fed.state_dict(), **alone.state_dict()})
    state = tuple(maps(3, 4, 4, dtype, seed=s)[:, :1].transpose(0, 1) for s in (1, 2))
    y, _ = alone(torch.zeros(3, 5, 0, 4, 4, dtype=dtype), LENGTHS, state)
    expected, _ = fed(torch.zeros(3, 5, 1, 4, 4, dtype=dtype), LENGTHS, state)
    torch.testing.assert_close(y, expected)
    gradients = torch.autograd.grad(y.square().sum(), list(alone.parameters()))
    assert all(bool(g.any()) for g in gradients)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((1, 2), {"kernel": 4}, "must be odd to keep the size"),
        ((-1, 2), {}, "input_channels not negative"),
        ((1, 2), {"cell": "gru"}, "no convolutional form"),
        ((1, 2), {"cell": "lstm1997"}, "no blocks, projection, fed-back gates"),
        ((1, 2), {"cell": "tlstm"}, "no blocks, projection, fed-back gates, decay"),
        ((1, 2), {"truncate": "2000"}, "not one of none, 1997"),
        ((1, 2), {"cell": "NFG", "forget_bias": 1.0}, "no forget gate"),
    ],
)
def test_options_that_contradict_are_refused(arguments, options, message):
    with pytest.raises(InputError, match=message):
        ConvLSTM(*arguments, **options)


def test_input_that_does_not_fit_is_named():
    layer = ConvLSTM(2, 3, positions=(4, 4))
    x = maps(2, 4, 4, torch.float32)
    with pytest.raises(InputError, match=r"expected \(B, T, 2, H, W\)"):
        layer(x[:, :, :1])
    with pytest.raises(InputError, match=r"expected \(B, T, 2, H, W\)"):
        layer(x[:, :, :, :0])
    with pytest.raises(InputError, match=r"maps of \(4, 3\), but the peepholes are of \(4, 4\)"):
        layer(x[..., :3])
    with pytest.raises(InputError, match="sequence 1 has length 9"):
        layer(x, [1, 9, 1])
    with pytest.raises(InputError, match="initial state has shapes"):
        layer(x, None, (torch.zeros(1, 3, 3, 4, 4), torch.zeros(1, 3, 3, 4, 3)))
    x[1, 2, 0, 3, 3] = math.nan
    with pytest.raises(InputError, match="sequence 1 has nan at frame 2"):
        layer(x)
    layer.double().backend = "fused"
    with pytest.raises(InputError, match="computes in float32"):
        layer(maps(2, 4, 4))
