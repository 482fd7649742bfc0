"""The equations: against torch where torch has the cell, against a loop over numbers where not."""

import math

import pytest
import torch

from seqlabel.lstm import LSTM, PRESETS, Cell, Gru, TanhRnn
from seqlabel.lstm.cell import is_timed

LENGTHS = [5, 7, 1]


def batch(width=4, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(3, 7, width, generator=g, dtype=dtype)


def layer_of(cell, *sizes, dtype=torch.float64, **options):
    torch.manual_seed(1)
    if cell == "lstmp" or (isinstance(cell, Cell) and cell.projection):
        options.setdefault("projection", 2)
    layer = LSTM(*sizes, cell=cell, **options).to(dtype)
    with torch.no_grad():  # larger than at the start of training, so that nothing is nearly linear
        for weight in layer.parameters():
            weight.normal_(0, 0.6)
    return layer


@pytest.mark.parametrize("projection", [0, 2])
@pytest.mark.parametrize("backend", ["reference", "library"])
def test_plain_cell_is_that_of_torch(projection, backend):
    """Each sequence alone through nn.LSTM, with initial states, and the weights back and forth."""
    theirs = torch.nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True, proj_size=projection)
    theirs = theirs.double()
    ours = LSTM(4, 3, 2, bidirectional=True, cell="lstm", projection=projection).double()
    ours.load_torch(theirs.state_dict())
    ours.backend = backend
    x = batch()
    h, c = batch(projection or 3)[:, :4].transpose(0, 1), batch(3, seed=2)[:, :4].transpose(0, 1)
    y, (h_n, c_n) = ours(x, LENGTHS, (h.contiguous(), c.contiguous()))
    for b, length in enumerate(LENGTHS):
        start = h[:, b : b + 1].contiguous(), c[:, b : b + 1].contiguous()
        expected, (h_b, c_b) = theirs(x[b : b + 1, :length], start)
        torch.testing.assert_close(y[b : b + 1, :length], expected)
        torch.testing.assert_close(h_n[:, b], h_b[:, 0])
        torch.testing.assert_close(c_n[:, b], c_b[:, 0])
        assert not y[b, length:].any()
    again = torch.nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True, proj_size=projection)
    again = again.double()
    again.load_state_dict(ours.torch_state_dict())
    torch.testing.assert_close(again(x)[0], theirs(x)[0])


def test_gru_and_tanh_are_those_of_torch():
    x = batch()
    for cell, theirs in (
        ("gru", torch.nn.GRU(4, 3, batch_first=True)),
        ("rnn_tanh", torch.nn.RNN(4, 3, batch_first=True)),
    ):
        theirs = theirs.double()
        ours = LSTM(4, 3, cell=cell).double()
        direction = ours.layers[0][0]
        with torch.no_grad():
            direction.input.copy_(theirs.weight_ih_l0)
            direction.recurrent.copy_(theirs.weight_hh_l0)
            theirs.bias_hh_l0[-3:] = 0  # torch has a second bias inside r ∘ (...), we have none
            direction.bias.copy_(theirs.bias_ih_l0 + theirs.bias_hh_l0)
        torch.testing.assert_close(ours(x)[0], theirs(x)[0])


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def squash(kind, a):
    if kind == "tanh":
        return math.tanh(a)
    return a if kind == "identity" else None


def faded(cell: Cell, w: dict, c: list[float], passed: float) -> list[float]:
    """What is left of a state after so many seconds."""
    units = passed / cell.time_unit
    kept = 1 / math.log(math.e + units) if cell.decay == "log" else 1 / max(1, units)
    left = []
    for n, value in enumerate(c):
        net = w["decay_bias"][n] + sum(a * b for a, b in zip(w["decay"][n], c, strict=True))
        left.append(value - math.tanh(net) + kept * math.tanh(net))
    return left


def number_by_number(
    cell: Cell, layer: LSTM, x: list[list[float]], elapsed: list[float]
) -> list[list[float]]:
    """The equations of `seqlabel.lstm.cell` for one sequence, with floats and loops."""
    w = {name: p.tolist() for name, p in layer.layers[0][0].named_parameters()}
    N = layer.hidden_size
    R = cell.output_size(N)
    rows = [*cell.gates, "z"]
    h, c, gates = [0.0] * R, [0.0] * N, [0.0] * (len(cell.gates) * N)
    outputs = []
    for frame, passed in zip(x, elapsed, strict=True):
        if cell.decay != "none":
            c = faded(cell, w, c, passed)

        def net(name, n, p_sees, frame=frame, h=h, c=c, gates=gates):
            row = rows.index(name) * N + n
            total = w["bias"][row] + sum(a * b for a, b in zip(w["input"][row], frame, strict=True))
            if cell.peephole == "state":
                if name != "z":
                    total += sum(a * b for a, b in zip(w["recurrent"][row], c, strict=True))
            elif cell.peephole != "state-diagonal":
                total += sum(a * b for a, b in zip(w["recurrent"][row], h, strict=True))
            if cell.gate_recurrence == "all" or (cell.gate_recurrence == "gates" and name != "z"):
                total += sum(a * b for a, b in zip(w["gate_recurrent"][row], gates, strict=True))
            if "peephole" in w and name != "z":
                total += w["peephole"][rows.index(name)][n] * p_sees[n]
            return total

        new_c, active = [0.0] * N, dict.fromkeys("ifo", [1.0] * N)
        if cell.input_gate:
            active["i"] = [sigmoid(net("i", n, c)) for n in range(N)]
        if cell.coupled:
            active["f"] = [1 - i for i in active["i"]]
        elif cell.forget:
            active["f"] = [sigmoid(net("f", n, c)) for n in range(N)]
        for n in range(N):
            z = net("z", n, c)
            z = 4 * sigmoid(z) - 2 if cell.g == "logistic" else squash(cell.g, z)
            new_c[n] = active["f"][n] * c[n] + active["i"][n] * z
            if cell.cell_clip:
                new_c[n] = max(-cell.cell_clip, min(cell.cell_clip, new_c[n]))
        sees = c if cell.peephole.startswith("state") else new_c
        if cell.output_gate:
            active["o"] = [sigmoid(net("o", n, sees)) for n in range(N)]
        y = []
        for n in range(N):
            a = new_c[n]
            a = 2 * sigmoid(a) - 1 if cell.output == "logistic" else squash(cell.output, a)
            y.append(active["o"][n] * a)
        if cell.projection:
            y = [sum(p * v for p, v in zip(row, y, strict=True)) for row in w["projection"]]
        h, c = y, new_c
        gates = [a for name in cell.gates for a in active[name]]
        outputs.append(h)
    return outputs


CELLS = {
    **{name: cell for name, cell in PRESETS.items() if isinstance(cell, Cell)},
    "clipped": Cell(peephole="diagonal", cell_clip=0.3),
    "NIG with all gates fed back": Cell(input_gate=False, gate_recurrence="all"),
    "NOG, coupled": Cell(peephole="state", output_gate=False, coupled=True),
    "projected FGR": Cell(peephole="diagonal", gate_recurrence="gates", projection=2),
    "timed peepholes": Cell(peephole="diagonal", decay="reciprocal", time_unit=0.5),
    "timed, coupled, projected": Cell(coupled=True, decay="log", time_unit=2.0, projection=2),
}


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_its_equations(name):
    layer = layer_of(name if name == "lstmp" else CELLS[name], 4, 3)
    x, elapsed = batch(), batch(seed=4)[:, :, 0].exp() * 3
    y, _ = layer(x, LENGTHS, None, elapsed if is_timed(layer.cell) else None)
    for b, length in enumerate(LENGTHS):
        passed = elapsed[b, :length].tolist()
        expected = number_by_number(layer.cell, layer, x[b, :length].tolist(), passed)
        torch.testing.assert_close(y[b, :length], torch.tensor(expected, dtype=torch.float64))


def test_gru_of_the_paper_is_its_equations():
    layer = layer_of("gru-before", 4, 3)
    assert layer.cell == Gru(reset="before")
    w, x = layer.layers[0][0], batch()[0]
    h = torch.zeros(3, dtype=torch.float64)
    for frame in x:
        a = w.input @ frame + w.bias
        r, u = torch.sigmoid(a[:6] + w.recurrent[:6] @ h).chunk(2)
        n = torch.tanh(a[6:] + w.recurrent[6:] @ (r * h))
        h = u * h + (1 - u) * n
    torch.testing.assert_close(layer(batch())[0][0, -1], h)


GRADIENTS = [
    *CELLS, "gru", "gru-before", "rnn_tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_the_reference_are_finite_differences(name):
    """Weights, inputs and initial states; ragged lengths, both directions."""
    cell = name if name in PRESETS else CELLS[name]
    layer = layer_of(cell, 2, 2, bidirectional=True)
    g = torch.Generator().manual_seed(3)
    x = torch.randn(2, 3, 2, generator=g, dtype=torch.float64, requires_grad=True)
    sizes = layer.cell.state_sizes(2)
    states = [torch.randn(2, 2, s, generator=g, dtype=torch.float64) * 0.5 for s in sizes]
    for state in states:
        state.requires_grad_()
    weights = list(layer.parameters())
    elapsed = torch.tensor([[0.5, 2, 9], [0, 3, 1]]) if is_timed(layer.cell) else None

    def run(x, *rest):
        return layer(x, [3, 2], tuple(rest[: len(sizes)]), elapsed)[0][:, :3].sum(dim=0)

    assert torch.autograd.gradcheck(run, (x, *states, *weights))


def test_the_reference_is_twice_differentiable():
    layer = layer_of("peephole", 2, 2)
    x = torch.randn(1, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))


def test_blocks_share_their_gates():
    cell = Cell(block_size=2, peephole="diagonal")
    layer = layer_of(cell, 4, 4)
    assert layer.layers[0][0].input.shape == (3 * 2 + 4, 4)
    single = layer_of(Cell(peephole="diagonal"), 4, 4)
    ours, w = layer.layers[0][0], single.layers[0][0]
    with torch.no_grad():  # gates of a block, written out once per cell, without peepholes
        ours.peephole.zero_()
        w.peephole.zero_()
        rows = [r for gate in range(3) for block in range(2) for r in [2 * gate + block] * 2]
        rows += [6, 7, 8, 9]
        for name in ("input", "recurrent", "bias"):
            getattr(w, name).copy_(getattr(ours, name)[rows])
    torch.testing.assert_close(layer(batch())[0], single(batch())[0])


def test_the_rule_of_1997_lets_error_back_through_the_carousel_alone():
    """One cell: ∂c_T/∂x_t is that of the additive path, with everything recurrent held fixed."""
    layer = layer_of(Cell(forget=False), 2, 1, truncate="1997")
    x = batch(2)[:1, :4].clone().requires_grad_()
    _, (_, c) = layer(x)
    (found,) = torch.autograd.grad(c.sum(), x)
    free = x.detach().clone().requires_grad_()
    y = layer(free.detach())[0].detach()
    w = layer.layers[0][0]
    total = 0.0
    for t in range(4):
        h = y[0, t - 1] if t else torch.zeros(1, dtype=torch.float64)
        a = w.input @ free[0, t] + w.recurrent @ h + w.bias
        total = total + torch.sigmoid(a[0]) * torch.tanh(a[2])
    (expected,) = torch.autograd.grad(total, free)
    torch.testing.assert_close(found, expected)


def test_truncated_backpropagation_is_that_of_chunks():
    """tbptt=k in one call is k frames a call with the state carried and detached."""
    layer = layer_of("peephole", 4, 3, tbptt=3)
    x = batch()
    layer(x)[0].square().sum().backward()
    whole = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    plain = LSTM(4, 3, cell="peephole").double()
    plain.load_state_dict(layer.state_dict())
    state = None
    for start in range(0, 7, 3):
        y, state = plain(x[:, start : start + 3], None, state)
        y.square().sum().backward()
        state = tuple(s.detach() for s in state)
    for a, b in zip(whole, plain.parameters(), strict=True):
        torch.testing.assert_close(a, b.grad)


def test_elman_cells_have_no_gates():
    assert LSTM(2, 3, cell=TanhRnn()).state_dict().keys() == {
        "layers.0.0.input", "layers.0.0.recurrent", "layers.0.0.bias",
    }  # fmt: skip
