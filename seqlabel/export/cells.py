"""One direction of a layer in ONNX: an operator if it has the cell's equations, else a Scan.

The operators LSTM, GRU and RNN take weights gate by gate in an order of their own (i, o, f, c for
LSTM, whose peephole vectors come as i, o, f), a sequence length for each row of the batch, and
leave zeros in the padding. LSTM is

    i = f(W_i x + R_i h⁻ + p_i ∘ c⁻ + b_i)          o = f(W_o x + R_o h⁻ + p_o ∘ c + b_o)
    f = f(W_f x + R_f h⁻ + p_f ∘ c⁻ + b_f) or 1 - i    h = o ∘ h(c)
    c = f ∘ c⁻ + i ∘ g(W_c x + R_c h⁻ + b_c)

A missing gate is one with a bias of 100, because σ(100) is 1 in single precision. Squashing
functions other than tanh are those of the operator. What it cannot express (projection, clipped
cells, recurrent gates, decay, peepholes of blocks or with c⁻ instead of h⁻) is a Scan over the
frames with the equations of `seqlabel.lstm.reference` in its body.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqlabel.errors import InputError
from seqlabel.export.graph import INT64, Graph, inside_of, integers, size_of, tensor_info
from seqlabel.lstm.cell import AnyCell, Cell, Gru, TanhRnn
from seqlabel.lstm.weights import Weights

OPEN = 100.0
"""Bias of a gate that is always 1."""

SQUASH = {
    "tanh": ("Tanh", ()),
    "identity": ("Affine", (1.0, 0.0)),
    "g logistic": ("ScaledTanh", (2.0, 0.5)),  # 4σ(x) - 2 = 2 tanh(x / 2)
    "output logistic": ("ScaledTanh", (1.0, 0.5)),  # 2σ(x) - 1 = tanh(x / 2)
}
"""Squashing functions as activations of the operators, with alpha and beta."""

States = Sequence[str]
"""Names of values (B, width), in the order of `cell.state`."""


@dataclass(frozen=True)
class Run:
    """Inputs of a direction.

    x: name of the frames (T, B, I). lengths: of int32 (B,). states: initial ones, zeros if None.
    backwards: from each sequence's last frame to its first. fade: (T, B, 1), decay of the
    short-term part of the state (`seqlabel.lstm.elapsed`), for cells with `decay`.
    """

    x: str
    lengths: str
    states: States | None = None
    backwards: bool = False
    fade: str | None = None


class Ran(NamedTuple):
    """y: name of the outputs (T, B, R), zero in the padding. states: after the last frame."""

    y: str
    states: list[str]


def has_operator(cell: AnyCell) -> bool:
    """Whether an ONNX operator computes the cell."""
    if not isinstance(cell, Cell):
        return isinstance(cell, Gru | TanhRnn)
    if cell.decay != "none":
        return False
    blocks_fit = cell.block_size == 1 or cell.peephole == "none"
    recurrence_fits = cell.peephole in ("none", "diagonal") and cell.gate_recurrence == "none"
    return recurrence_fits and blocks_fit and not cell.projection and not cell.cell_clip


def run_direction(graph: Graph, cell: AnyCell, weights: Weights, run: Run) -> Ran:
    """One direction of a layer; raises InputError for an unknown cell."""
    if not isinstance(cell, Cell | Gru | TanhRnn):
        raise InputError(
            f"seqlabel export has no ONNX form of the cell {cell}: train another of the LSTM "
            "family, or use the model directory"
        )
    arrays = {
        name: None if w is None else w.detach().cpu().numpy().astype(np.float32)
        for name, w in weights._asdict().items()
    }
    if has_operator(cell):
        return _operator(graph, cell, arrays, run)
    assert isinstance(cell, Cell)
    return _scan(graph, cell, arrays, run)


def _operator(graph: Graph, cell: AnyCell, w: dict[str, Any], run: Run) -> Ran:
    kind, W, R, b, P, options = _operator_weights(cell, w)
    direction = "reverse" if run.backwards else "forward"
    initial = [graph.add("Unsqueeze", s, integers(0)) for s in run.states or ()]
    zero = np.zeros_like(b)
    inputs = [run.x, W[None], R[None], np.concatenate([b, zero])[None], run.lengths, *initial]
    if P is not None:
        inputs += [""] * (7 - len(inputs)) + [P.reshape(1, -1)]
    y, *finals = graph.node(
        kind, inputs, outputs=1 + len(cell.state), direction=direction, hidden_size=R.shape[1],
        **options,
    )  # fmt: skip
    y = graph.add("Squeeze", y, integers(1))
    return Ran(y, [graph.add("Squeeze", s, integers(0)) for s in finals])


def _operator_weights(cell: AnyCell, w: dict[str, Any]) -> tuple[Any, ...]:
    """Operator, W, R, b (rows in its order), peepholes or None, and its attributes."""
    if isinstance(cell, TanhRnn):
        return "RNN", w["input"], w["recurrent"], w["bias"], None, {"activations": ["Tanh"]}
    if isinstance(cell, Gru):
        # Our rows are r, u, n; the operator's z (our u), r, h (our n).
        W, R, b = (_reorder(w[name], (1, 0, 2)) for name in ("input", "recurrent", "bias"))
        return "GRU", W, R, b, None, {"linear_before_reset": int(cell.reset == "after")}
    assert isinstance(cell, Cell)
    cells, gates = w["recurrent"].shape[1], cell.gates
    blocks = cells // cell.block_size

    def rows(name: str) -> np.ndarray:
        """Rows i, o, f, c of a matrix or of the bias; the gates of a block once for each cell."""
        own = w[name]
        width = () if name == "bias" else own.shape[1:]
        parts = []
        for gate in "iof":
            if gate in gates:
                first = gates.index(gate) * blocks
                parts.append(np.repeat(own[first : first + blocks], cell.block_size, axis=0))
            else:
                parts.append(np.full((cells, *width), OPEN if name == "bias" else 0, np.float32))
        return np.concatenate([*parts, own[len(gates) * blocks :]])

    if w["bias"] is None or cell.bias == "gates":
        known = np.zeros(0, np.float32) if w["bias"] is None else w["bias"]
        total = len(gates) * blocks + cells
        w = {**w, "bias": np.concatenate([known, np.zeros(total - len(known), np.float32)])}
    P = None
    if w["peephole"] is not None:
        own = dict(zip(gates, w["peephole"], strict=True))
        P = np.stack([own.get(gate, np.zeros(cells, np.float32)) for gate in "iof"])
    g, phi = (
        SQUASH[kind if kind in SQUASH else f"{place} {kind}"]
        for place, kind in (("g", cell.g), ("output", cell.output))
    )
    options: dict[str, Any] = {
        "activations": ["Sigmoid", g[0], phi[0]],
        "input_forget": int(cell.coupled),
    }
    scales = [scale for _, scale in (g, phi) if scale]
    if scales:
        options["activation_alpha"] = [alpha for alpha, _ in scales]
        options["activation_beta"] = [beta for _, beta in scales]
    return "LSTM", rows("input"), rows("recurrent"), rows("bias"), P, options


def _reorder(rows: np.ndarray, order: Sequence[int]) -> np.ndarray:
    parts = np.split(rows, len(order))
    return np.concatenate([parts[n] for n in order])


def _scan(graph: Graph, cell: Cell, w: dict[str, Any], run: Run) -> Ran:
    """The recurrence as a loop; backwards over sequences turned round within their lengths."""
    turn = {"batch_axis": 1, "time_axis": 0}
    lengths = graph.add("Cast", run.lengths, to=INT64)
    x, *fade = [run.x] if run.fade is None else [run.x, run.fade]
    if run.backwards:
        x, *fade = (graph.add("ReverseSequence", value, lengths, **turn) for value in (x, *fade))
    net = graph.add("MatMul", x, w["input"].T)
    rows = len(w["input"])
    if w["bias"] is not None:
        net = graph.add("Add", net, np.pad(w["bias"], (0, rows - len(w["bias"]))))
    cells = rows * cell.block_size // (len(cell.gates) + cell.block_size)
    sizes = cell.state_sizes(cells)
    inside = inside_of(graph, x, lengths, time=0)
    states = run.states or [_zeros(graph, x, size) for size in sizes]
    *finals, y = graph.node(
        "Scan", [*states, net, inside, *fade], outputs=len(sizes) + 1,
        num_scan_inputs=2 + len(fade), body=_step(graph, cell, w, sizes, rows),
    )  # fmt: skip
    y = graph.add("Where", inside, y, np.zeros(1, np.float32))
    if run.backwards:
        y = graph.add("ReverseSequence", y, lengths, **turn)
    return Ran(y, finals)


def _zeros(graph: Graph, x: str, size: int) -> str:
    """(B, size) zeros for x (T, B, F)."""
    shape = graph.add("Concat", size_of(graph, x, 1), integers(size), axis=0)
    return graph.add("ConstantOfShape", shape)


def _step(graph: Graph, cell: Cell, w: dict[str, Any], sizes: Sequence[int], rows: int) -> Any:
    """The body of the Scan: states and W x + b of one frame -> new states and the output.

    The equations and their names are those of `seqlabel.lstm.reference.step`.
    """
    g = Graph("step", graph)
    names = list(cell.state)
    n_gates = rows - sizes[1]

    h, c, *gates_before = names
    if cell.decay != "none":
        short = g.add("Add", g.add("MatMul", c, w["decay"].T), w["decay_bias"])
        c = g.add("Sub", c, g.add("Mul", "fade", g.add("Tanh", short)))
    net = "net"
    if cell.peephole == "state":
        gate_net = g.add("MatMul", c, w["recurrent"].T)
        net = g.add("Add", net, g.add("Pad", gate_net, integers(0, 0, 0, sizes[1])))
    elif cell.peephole != "state-diagonal":
        net = g.add("Add", net, g.add("MatMul", h, w["recurrent"].T))
    for before in gates_before:
        missing = rows - len(w["gate_recurrent"])
        recurrent = np.pad(w["gate_recurrent"], ((0, missing), (0, 0)))
        net = g.add("Add", net, g.add("MatMul", before, recurrent.T))

    width = n_gates // max(1, len(cell.gates))
    parts = g.node(
        "Split",
        [net, integers(*[width] * len(cell.gates), sizes[1])],
        outputs=len(cell.gates) + 1,
        axis=1,
    )
    inputs, z = dict(zip(cell.gates, parts, strict=False)), parts[-1]

    def gate(name: str, looks_at: str) -> str:
        """Activation (B, blocks) of one gate."""
        value = inputs[name]
        if w["peephole"] is not None:
            seen = g.add("Mul", looks_at, w["peephole"][cell.gates.index(name)])
            if cell.block_size > 1:
                blocks = g.add("Reshape", seen, integers(0, -1, cell.block_size))
                seen = g.add("ReduceSum", blocks, integers(2), keepdims=0)
            value = g.add("Add", value, seen)
        return g.add("Sigmoid", value)

    def spread(activation: str) -> str:
        """One gate per block -> one per cell."""
        if cell.block_size == 1:
            return activation
        column = g.add("Unsqueeze", activation, integers(2))
        wide = g.add("Expand", column, integers(1, 1, cell.block_size))
        return g.add("Reshape", wide, integers(0, -1))

    active = {name: gate(name, c) for name in cell.gates if name != "o"}
    z = _squash(g, z, cell.g, 4.0)
    if cell.input_gate:
        z = g.add("Mul", spread(active["i"]), z)
    kept = c
    if cell.coupled:
        kept = g.add("Mul", spread(g.add("Sub", np.float32(1), active["i"])), c)
    elif cell.forget:
        kept = g.add("Mul", spread(active["f"]), c)
    new_c = g.add("Add", kept, z)
    if cell.cell_clip:
        new_c = g.add("Clip", new_c, np.float32(-cell.cell_clip), np.float32(cell.cell_clip))
    new_h = _squash(g, new_c, cell.output, 2.0)
    if cell.output_gate:
        active["o"] = gate("o", c if cell.peephole.startswith("state") else new_c)
        new_h = g.add("Mul", spread(active["o"]), new_h)
    if cell.projection:
        new_h = g.add("MatMul", new_h, w["projection"].T)
    after = [new_h, new_c]
    if gates_before:
        after.append(g.add("Concat", *(active[name] for name in cell.gates), axis=1))

    outputs = []
    for name, new, size in zip(names, after, sizes, strict=True):
        g.name_output(g.add("Where", "inside", new, name), f"{name}.after")  # ended: it stays
        outputs.append(tensor_info(f"{name}.after", np.float32, ["B", size]))
    g.name_output(new_h, "y")
    return g.to_proto(
        [
            *(tensor_info(n, np.float32, ["B", s]) for n, s in zip(names, sizes, strict=True)),
            tensor_info("net", np.float32, ["B", rows]),
            tensor_info("inside", np.bool_, ["B", 1]),
            *([tensor_info("fade", np.float32, ["B", 1])] if cell.decay != "none" else []),
        ],
        [*outputs, tensor_info("y", np.float32, ["B", sizes[0]])],
    )


def _squash(graph: Graph, x: str, kind: str, width: float) -> str:
    """tanh, nothing, or the logistic function scaled to `width` about 0."""
    if kind == "tanh":
        return graph.add("Tanh", x)
    if kind == "identity":
        return x
    scaled = graph.add("Mul", graph.add("Sigmoid", x), np.float32(width))
    return graph.add("Sub", scaled, np.float32(width / 2))
