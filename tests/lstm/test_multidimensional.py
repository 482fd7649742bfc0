"""LSTM over maps: the fast path and the diagonals against the loop over pixels, and that loop."""

import math

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, MDLSTM, Cell, MapCell, map_weight_count
from seqlabel.lstm.multidimensional import fused, reference, scratch
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.lstm.multidimensional.plan import plan_columns

SIZES = {
    1: [[5], [9], [1]],
    2: [[5, 7], [9, 3], [1, 1], [1, 6], [4, 1]],
    3: [[2, 3, 4], [3, 1, 2]],
}


def make(dims=2, inputs=3, cells=5, **options):
    torch.manual_seed(dims)
    layer = MDLSTM(inputs, cells, dims, **options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.3)
    return layer


def batch(dims=2, inputs=3):
    extents = [max(column) for column in zip(*SIZES[dims], strict=True)]
    g = torch.Generator().manual_seed(7)
    return torch.randn(len(SIZES[dims]), *extents, inputs, generator=g)


def run(layer, x, sizes):
    """Outputs and all gradients of a random weighting of them."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x, sizes)
    g = torch.Generator().manual_seed(3)
    (y * torch.randn(y.shape, generator=g)).sum().backward()
    return [v.detach().clone() for v in (y, x.grad, *(p.grad for p in layer.parameters()))]


def assert_same(found, expected, relative):
    for a, b in zip(found, expected, strict=True):
        scale = float(b.abs().max()) or 1.0
        assert float((a - b).abs().max()) <= relative * scale


@pytest.mark.parametrize("peephole", [True, False])
@pytest.mark.parametrize("forget", ["plain", "mean", "leaky"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_all_ways_equal_the_loop_over_pixels(dims, forget, peephole):
    layer = make(dims, forget=forget, peephole=peephole)
    assert layer.backend == "fused"
    found = run(layer, batch(dims), SIZES[dims])
    layer.double()
    assert layer.backend == "diagonal"
    diagonal = run(layer, batch(dims).double(), SIZES[dims])
    layer.backend = "reference"
    expected = run(layer, batch(dims).double(), SIZES[dims])
    assert_same(found, expected, 5e-6)
    assert_same(diagonal, expected, 1e-13)


@pytest.mark.parametrize(("cells", "inputs"), [(1, 2), (2, 35), (3, 12), (50, 1)])
def test_large_maps_take_several_chunks(cells, inputs):
    layer = make(inputs=inputs, cells=cells, forget="mean")
    g = torch.Generator().manual_seed(1)
    x = torch.randn(3, 37, 23, inputs, generator=g)
    sizes = [[37, 23], [30, 9], [2, 20]]
    found = run(layer, x, sizes)
    layer.backend = "diagonal"
    assert_same(found, run(layer.double(), x.double(), sizes), 1e-5)


@pytest.mark.parametrize("forget", ["plain", "mean", "leaky"])
def test_gradients_are_those_of_finite_differences(forget):
    layer = make(inputs=1, cells=2, forget=forget, dtype=torch.float64)
    grid = Grid.of(np.array([[2, 2]]))
    x = torch.randn(4, 1, dtype=torch.float64, requires_grad=True)
    weights = layer.directions[2].weights()
    names = [name for name, value in weights._asdict().items() if value is not None]

    def outputs(x, *values):
        w = weights._replace(**dict(zip(names, values, strict=True)))
        return reference.run_direction(layer.cell, w, x, grid, 2)

    given = [getattr(weights, name) for name in names]
    assert torch.autograd.gradcheck(outputs, (x, *given), eps=1e-6, atol=1e-9, rtol=1e-6)


def direct(w, x, forget):
    """One direction over one map by the printed equations, in plain numbers; x (H, W, I)."""
    H, W, _ = x.shape
    N = len(w.bias) // 5
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    h, c = np.zeros((2, H + 1, W + 1, N))
    parts = np.split(w.input, 5), np.split(w.recurrent, 5), np.split(w.bias, 5)
    p_i, p_u, p_l, p_o = w.peephole
    for i in range(H):
        for j in range(W):
            up, left = (i, j + 1), (i + 1, j)  # the zeros before the first row and column shift all
            source = np.concatenate([h[up], h[left]])
            net = [W_ @ x[i, j] + R @ source + b for W_, R, b in zip(*parts, strict=True)]
            a_i = sigmoid(net[0] + p_i * (c[up] + c[left]))
            f_u, f_l = sigmoid(net[1] + p_u * c[up]), sigmoid(net[2] + p_l * c[left])
            kept = f_u * c[up] + f_l * c[left]
            if forget == "mean":
                kept = kept / 2
            if forget == "leaky":
                kept = (1 - a_i) * kept / (f_u + f_l)
            c[i + 1, j + 1] = a_i * np.tanh(net[4]) + kept
            a_o = sigmoid(net[3] + p_o * c[i + 1, j + 1])
            h[i + 1, j + 1] = a_o * np.tanh(c[i + 1, j + 1])
    return h[1:, 1:]


@pytest.mark.parametrize("forget", ["plain", "mean", "leaky"])
def test_the_reference_is_the_printed_equations(forget):
    layer = make(forget=forget, dtype=torch.float64, backend="reference")
    x = batch()[:1, :4, :3].double()
    y = layer(x)[0].detach().numpy()
    for number, direction in enumerate(layer.directions):
        w = type(direction.weights())(
            *(None if v is None else v.detach().numpy() for v in direction.weights())
        )
        axes = [d for d in range(2) if number >> d & 1]
        expected = np.flip(direct(w, np.flip(x[0].numpy(), axes), forget), axes)
        np.testing.assert_allclose(y[..., 5 * number : 5 * number + 5], expected, atol=1e-12)


@pytest.mark.parametrize(("forget", "coupled"), [("plain", False), ("leaky", True)])
def test_one_dimension_equals_the_lstm_of_this_package(forget, coupled):
    layer = make(1, forget=forget)
    lengths = [size for (size,) in SIZES[1]]
    lstm = LSTM(3, 5, bidirectional=True, cell=Cell(peephole="diagonal", coupled=coupled))
    rows = [row for part in ("i", "f", "o", "z") if not (coupled and part == "f")
            for row in range("ifoz".index(part) * 5, "ifoz".index(part) * 5 + 5)]  # fmt: skip
    gates = [0, 2] if coupled else [0, 1, 2]
    with torch.no_grad():
        for own, other in zip(layer.directions, lstm.layers[0], strict=True):
            other.input.copy_(own.input[rows])
            other.recurrent.copy_(own.recurrent[rows])
            other.bias.copy_(own.bias[rows])
            other.peephole.copy_(own.peephole[gates])
    y = layer(batch(1), SIZES[1])
    expected, _ = lstm(batch(1), lengths)
    assert float((y - expected).detach().abs().max()) < 1e-6


@pytest.mark.parametrize("backend", ["fused", "diagonal", "reference"])
def test_padding_mates_and_order_change_nothing(backend):
    layer = make(backend=backend)
    x, sizes = batch(), SIZES[2]
    everything = run(layer, x, sizes)
    poisoned = torch.full_like(x, math.nan)
    for b, (h, w) in enumerate(sizes):
        poisoned[b, :h, :w] = x[b, :h, :w]
    for a, b in zip(run(layer, poisoned, sizes), everything, strict=True):
        assert torch.equal(a, b)
    for b, (h, w) in enumerate(sizes):
        alone = layer(x[b : b + 1, :h, :w])[0].detach()
        np.testing.assert_allclose(alone, everything[0][b, :h, :w], atol=2e-6)
        outside = everything[0][b].clone()
        outside[:h, :w] = 0
        assert not outside.any()
        assert not everything[1][b][h:].any()
    order = [3, 0, 4, 2, 1]
    shuffled = layer(x[order], [sizes[b] for b in order]).detach()
    np.testing.assert_allclose(shuffled, everything[0][order], atol=2e-6)


def test_two_threads_compute_what_one_does():
    layer, threads = make(), torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(run(layer, batch(), SIZES[2]))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("inputs", [3, 40])
def test_scratch_memory_begins_with_a_cache_line(inputs):
    grid = Grid.of(np.array(SIZES[2]))
    run = fused._constants(fused.Layer(MapCell(), grid, 5))
    for room in (scratch.forward_room, scratch.backward_room):
        for memory in room(run, plan_columns(grid)[0], inputs):
            assert memory.dtype == np.float32
            assert memory.flags.c_contiguous
            assert not memory.size or memory.ctypes.data % 64 == 0


def test_states_of_the_leaky_form_stay_below_one():
    cell = MapCell(forget="leaky")
    w = make(forget="leaky", dtype=torch.float64)
    weights = w.directions[0].weights()
    with torch.no_grad():
        weights.bias[:] = 9.0  # all gates open: the published form grows without bound here
    state = [torch.full((1, 5), 0.99, dtype=torch.float64)] * 2
    wx = torch.zeros(1, 25, dtype=torch.float64)
    _, now = reference.step(cell, weights, wx, state, state)
    assert float(now.detach().abs().max()) < 1
    _, now = reference.step(MapCell(forget="plain"), weights, wx, state, state)
    assert float(now.detach().abs().max()) > 1.9


def test_weights_of_a_direction():
    assert map_weight_count(MapCell(2), 12, 2) == 5 * 2 * (12 + 4 + 1) + 4 * 2
    layer = MDLSTM(20, 50)
    assert sum(p.numel() for p in layer.parameters()) == 4 * map_weight_count(MapCell(2), 20, 50)


def test_forget_biases_of_all_dimensions():
    layer = MDLSTM(3, 4, forget_bias=1.0)
    bias = layer.directions[0].bias
    assert (bias[4:12] == 1.0).all()
    assert not (bias[:4] == 1.0).any()


def test_blocks_and_their_borders():
    grid = Grid.of(np.array([[3, 2], [1, 4]]))
    x = torch.arange(1.0, 11.0)[:, None]
    blocks = grid.blocks((2, 3))
    assert blocks.grid.sizes.tolist() == [[2, 1], [1, 2]]
    found = blocks.gather(x).tolist()
    assert found == [
        [1, 2, 0, 3, 4, 0],
        [5, 6, 0, 0, 0, 0],
        [7, 8, 9, 0, 0, 0],
        [10, 0, 0, 0, 0, 0],
    ]
    assert grid.collapse(x)[..., 0].tolist() == [[3, 7, 11], [34, 0, 0]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dims": 0}, "1 to 4 dimensions"),
        ({"forget": "leeky"}, "is not one of 'plain', 'mean', 'leaky'"),
        ({"backend": "cuda"}, "is not one of auto, reference"),
        ({"init": "best"}, "init='best'"),
        ({"hidden_size": 0}, "hidden_size=0"),
    ],
)
def test_options_that_are_refused(options, reason):
    with pytest.raises(InputError, match=reason):
        _ = MDLSTM(**{"input_size": 3, "hidden_size": 4, **options}).backend


def test_fused_is_refused_in_other_numbers():
    layer = MDLSTM(3, 4, dtype=torch.float64, backend="fused")
    with pytest.raises(InputError, match="float32"):
        layer(batch().double())


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ([[5, 7]], r"shape \(1, 2\) for 5 maps"),
        ([[5.0, 7.0]] * 5, "must be integers"),
        ([[5, 0]] * 5, "map 0 has the size 5 x 0"),
        ([[5, 7]] * 4 + [[10, 1]], "map 4 has the size 10 x 1, but the batch has 1 to 9 x 7"),
    ],
)
def test_sizes_that_are_refused(sizes, reason):
    with pytest.raises(InputError, match=reason):
        make()(batch(), sizes)


def test_values_that_are_no_numbers_are_named():
    x = batch()
    x[1, 2, 0, 1] = math.nan
    with pytest.raises(InputError, match=r"map 1 has NaN or infinity at pixel \(2, 0\)"):
        make()(x, SIZES[2])
    with pytest.raises(InputError, match="expected B, 2 extents and 3 features"):
        make()(x[..., :2], SIZES[2])
    with pytest.raises(InputError, match="the batch is empty"):
        make()(x[:0])
