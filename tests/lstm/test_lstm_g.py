"""The family against LSTM-g (Monner & Reggia 2012): units with gated connections, and no cells.

The network at the top learns locally in space and time and shares nothing with the package: an
oracle. Numbers in brackets are equations of the paper; hats there are values of the step before.

It has no place for a gate that is 1 - i, and none for a clipped state. Its learning is that of 1997
where cell inputs are not squashed: a squashed one is a unit of its own there, which gets the error
of its own step alone.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch

from seqlabel.lstm import LSTM, PRESETS, Cell


@dataclass(frozen=True)
class Squash:
    """f(s), and f'(s) from the value y = f(s)."""

    of: Callable[[float], float]
    slope: Callable[[float], float]


IDENTITY = Squash(lambda s: s, lambda y: 1.0)
TANH = Squash(math.tanh, lambda y: 1 - y * y)


def logistic(low: float = 0.0, high: float = 1.0) -> Squash:
    """A logistic function between two values."""
    wide = high - low
    return Squash(
        lambda s: low + wide / (1 + math.exp(-s)), lambda y: (y - low) * (high - y) / wide
    )


@dataclass
class Unit:
    """s, y and those of the step before; `gates` are the connections whose gater it is."""

    rank: int  # units of a step are computed from the lowest rank to the highest
    squash: Squash
    s: float = 0.0
    y: float = 0.0
    before: float = 0.0  # ŷ
    slope: float = 1.0
    inputs: list["Connection"] = field(default_factory=list)
    outputs: list["Connection"] = field(default_factory=list)
    gates: list["Connection"] = field(default_factory=list)
    self_gater: "Unit | None" = None
    memory: bool = False  # has a connection to itself, of weight 1
    delta: float = 0.0


@dataclass
class Connection:
    """w_ji from i to j, with its eligibility e_ji and, by gated unit, its extended ones."""

    source: Unit
    target: Unit
    weight: float
    gater: Unit | None = None
    learns: bool = True
    seen: float = 0.0  # y_i as j saw it
    gain: float = 1.0  # g_ji
    trace: float = 0.0
    extended: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    change: float = 0.0


class Network:
    """Units in the order in which they were added."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.connections: list[Connection] = []

    def unit(self, rank: int, squash: Squash = IDENTITY) -> Unit:
        self.units.append(Unit(rank, squash))
        return self.units[-1]

    def connect(
        self,
        source: Unit,
        target: Unit,
        weight: float = 1.0,
        gater: Unit | None = None,
        learns: bool = True,
    ) -> Connection:
        connection = Connection(source, target, weight, gater, learns)
        source.outputs.append(connection)
        target.inputs.append(connection)
        if gater is not None:
            gater.gates.append(connection)
        self.connections.append(connection)
        return connection

    def remember(self, unit: Unit, gater: Unit | None) -> None:
        """Connect a unit to itself with weight 1, gated or not."""
        unit.memory, unit.self_gater = True, gater

    def step(self, given: Iterable[tuple[Unit, float]]) -> None:
        """One step: activations (15), (16) and eligibilities (17), (18) of all units."""
        for unit in self.units:
            unit.before = unit.y
        for unit, value in given:
            unit.y = value
        for rank in sorted({unit.rank for unit in self.units if unit.inputs}):
            of_rank = [unit for unit in self.units if unit.rank == rank and unit.inputs]
            for unit in of_rank:
                self._activate(unit)
            for unit in of_rank:  # together: units of a rank see each other's ŷ
                unit.y = unit.squash.of(unit.s)
                unit.slope = unit.squash.slope(unit.y)

    def _activate(self, unit: Unit) -> None:
        def now(other: Unit) -> float:
            return other.y if other.rank < unit.rank else other.before

        kept = 0.0  # g_jj w_jj
        if unit.memory:
            kept = 1.0 if unit.self_gater is None else now(unit.self_gater)
        s_before, unit.s = unit.s, kept * unit.s
        for connection in unit.inputs:
            connection.seen = now(connection.source)
            connection.gain = 1.0 if connection.gater is None else now(connection.gater)
            unit.s += connection.gain * connection.weight * connection.seen
            connection.trace = kept * connection.trace + connection.gain * connection.seen
        for gater in {id(c.gater): c.gater for c in unit.inputs if c.gater is not None}.values():
            self._extend(gater, unit, kept, s_before)
        if unit.self_gater is not None and all(c.target is not unit for c in unit.self_gater.gates):
            self._extend(unit.self_gater, unit, kept, s_before)

    def _extend(self, gater: Unit, unit: Unit, kept: float, s_before: float) -> None:
        """(18) of the connections into a gater, for a unit whose connections it gates."""
        gated = sum(c.weight * c.seen for c in gater.gates if c.target is unit)
        if unit.self_gater is gater:
            gated += s_before
        for connection in gater.inputs:
            own = gater.slope * connection.trace * gated
            connection.extended[id(unit)] = kept * connection.extended[id(unit)] + own

    def learn(self, errors: Iterable[tuple[Unit, float]]) -> None:
        """(10) and (20) to (24) with α = 1; errors are t - y of the output units."""
        given = {id(unit): error for unit, error in errors}
        for unit in sorted(self.units, key=lambda u: -u.rank):
            if id(unit) in given:
                unit.delta = projected = given[id(unit)]
                gated: list[Unit] = []
            else:
                projected = unit.slope * sum(
                    c.target.delta * c.gain * c.weight
                    for c in unit.outputs
                    if c.target.rank > unit.rank
                )
                gated = self._gated(unit)
                through_gates = unit.slope * sum(k.delta * self._bracket(unit, k) for k in gated)
                unit.delta = projected + through_gates
            for connection in unit.inputs:
                connection.change += projected * connection.trace
                connection.change += sum(k.delta * connection.extended[id(k)] for k in gated)

    def _gated(self, unit: Unit) -> list[Unit]:
        """G_j: units that come later and have connections gated by this one."""
        targets = {id(c.target): c.target for c in unit.gates}
        targets |= {id(u): u for u in self.units if u.self_gater is unit}
        return [k for k in targets.values() if k.rank > unit.rank]

    def _bracket(self, gater: Unit, unit: Unit) -> float:
        return sum(c.weight * c.seen for c in gater.gates if c.target is unit)


def run(
    network: Network,
    inputs: Sequence[Unit],
    outputs: Sequence[Unit],
    x: Sequence[Sequence[float]],
    targets: Sequence[Sequence[float]] | None = None,
) -> list[list[float]]:
    """Outputs of a sequence of frames; with targets it learns after every frame."""
    found = []
    for t, frame in enumerate(x):
        network.step(zip(inputs, frame, strict=True))
        found.append([unit.y for unit in outputs])
        if targets is not None:
            pairs = zip(outputs, targets[t], strict=True)
            network.learn([(unit, wanted - unit.y) for unit, wanted in pairs])
    return found


INPUTS, CELLS, OUTPUTS, FRAMES = 2, 4, 2, 10

EXPRESSIBLE = {
    **{
        name: PRESETS[name]
        for name in (
            "lstm", "lstm1997", "peephole", "peephole-state", "peephole-state-diagonal",
            "V", "NIG", "NFG", "NOG", "NIAF", "NOAF", "NP", "FGR",
        )
    },
    "blocks": Cell(block_size=2),
    "blocks with peepholes": Cell(block_size=2, peephole="diagonal", output="identity"),
    "projected": Cell(projection=3),
    "blocks of 1997": Cell(
        forget=False, g="logistic", output="logistic", gate_recurrence="all", block_size=2
    ),
    "no gate but the forget gate": Cell(input_gate=False, output_gate=False, g="identity"),
    "biases of gates": Cell(bias="gates", g="identity"),
}  # fmt: skip
# What learns as well: linear cell inputs, and no output gate that sends error into the new state.
LEARNING = {
    f"{name}, linear input": replace(cell, g="identity")
    for name, cell in EXPRESSIBLE.items()
    if cell.peephole != "diagonal" or not cell.output_gate
}


def squash(kind, most):
    """The package's squashing functions: tanh, a logistic one in [-most, most], identity."""
    return {"tanh": TANH, "logistic": logistic(-most, most), "identity": IDENTITY}[kind]


def build(layer: LSTM, readout: torch.nn.Linear):
    """The network of a layer and its output units, and what LSTM-g calls each weight."""
    cell, net, reads = layer.cell, Network(), readout.weight.detach()
    weights = {name: w.detach() for name, w in layer.layers[0][0].named_parameters()}
    blocks, gates = CELLS // cell.block_size, cell.gates
    names = {}
    bias, inputs = net.unit(0), [net.unit(0) for _ in range(INPUTS)]
    late = cell.peephole == "diagonal"  # the output gate waits for the new state
    gate = {
        name: [net.unit(4 if name == "o" and late else 1, logistic()) for _ in range(blocks)]
        for name in gates
    }
    # A squashed cell input is a unit; a linear one is what the connections of the state bring.
    linear = cell.g == "identity"
    z = [] if linear else [net.unit(2, squash(cell.g, 2)) for _ in range(CELLS)]
    state = [net.unit(3) for _ in range(CELLS)]
    shown = [net.unit(5, squash(cell.output, 1)) for _ in range(CELLS)]
    h = [net.unit(6) for _ in range(CELLS)]
    r = [net.unit(7) for _ in range(cell.projection)] or h
    out = [net.unit(8) for _ in range(OUTPUTS)]

    def gater(name: str, n: int) -> Unit | None:
        return gate[name][n // cell.block_size] if name in gates else None

    rows = [(unit, None) for name in gates for unit in gate[name]]
    if linear:
        rows += [(unit, gater("i", n)) for n, unit in enumerate(state)]
    else:
        rows += [(unit, None) for unit in z]
    copies = []  # of the gates, for those that see them a step later, whatever their rank
    if cell.gate_recurrence != "none":
        copies = [net.unit(9) for name in gates for _ in gate[name]]
        for source, copy in zip(
            (unit for name in gates for unit in gate[name]), copies, strict=True
        ):
            net.connect(source, copy, learns=False)
    sources = {
        "input": inputs,
        "recurrent": state if cell.peephole == "state" else r,
        "gate_recurrent": copies,
    }
    for name, units in sources.items():
        for row in range(len(weights.get(name, ()))):
            target, by = rows[row]
            for column, source in enumerate(units):
                weight = float(weights[name][row, column])
                names[name, row, column] = net.connect(source, target, weight, by)
    for row in range(len(weights.get("bias", ()))):
        target, by = rows[row]
        names["bias", row] = net.connect(bias, target, float(weights["bias"][row]), by)
    for n in range(CELLS):
        if not linear:
            net.connect(z[n], state[n], 1.0, gater("i", n), learns=False)
        net.remember(state[n], gater("f", n) if cell.forget else None)
        net.connect(state[n], shown[n], learns=False)
        net.connect(shown[n], h[n], 1.0, gater("o", n), learns=False)
        for number, name in enumerate(gates if "peephole" in weights else ""):
            weight = float(weights["peephole"][number, n])
            names["peephole", number, n] = net.connect(state[n], gater(name, n), weight)
    for row in range(cell.projection):
        for n in range(CELLS):
            weight = float(weights["projection"][row, n])
            names["projection", row, n] = net.connect(h[n], r[row], weight)
    for row in range(OUTPUTS):
        for n, unit in enumerate(r):
            names["readout", row, n] = net.connect(unit, out[row], float(reads[row, n]))
    return net, [bias, *inputs], out, names


def make(cell: Cell):
    torch.manual_seed(4)
    layer = LSTM(INPUTS, CELLS, cell=replace(cell, projection=0), projection=cell.projection,
                 truncate="1997").double()  # fmt: skip
    readout = torch.nn.Linear(layer.output_size, OUTPUTS, bias=False).double()
    with torch.no_grad():
        for weight in (*layer.parameters(), *readout.parameters()):
            weight.normal_(0, 0.7)
    g = torch.Generator().manual_seed(5)
    x = torch.randn(FRAMES, INPUTS, generator=g, dtype=torch.float64)
    targets = torch.randn(FRAMES, OUTPUTS, generator=g, dtype=torch.float64)
    return layer, readout, x, targets


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_outputs_are_those_of_lstm_g(name):
    layer, readout, x, _ = make(EXPRESSIBLE[name])
    net, inputs, outputs, _ = build(layer, readout)
    found = run(net, inputs, outputs, [[1.0, *frame] for frame in x.tolist()])
    expected = readout(layer(x[None])[0])[0]
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), expected.detach(), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("name", LEARNING)
def test_learning_by_the_rule_of_1997_is_that_of_lstm_g(name):
    """The changes of all weights over ten frames are the truncated gradient."""
    layer, readout, x, targets = make(LEARNING[name])
    net, inputs, outputs, names = build(layer, readout)
    run(net, inputs, outputs, [[1.0, *frame] for frame in x.tolist()], targets.tolist())
    y = readout(layer(x[None])[0])[0]
    (0.5 * (targets - y).square().sum()).backward()
    gradients = {
        **{key: w.grad for key, w in layer.layers[0][0].named_parameters()},
        "readout": readout.weight.grad,
    }
    for (key, *place), connection in names.items():
        found, expected = connection.change, -float(gradients[key][tuple(place)])
        assert found == pytest.approx(expected, rel=1e-10, abs=1e-10), (key, place)
