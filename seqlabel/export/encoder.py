"""The encoder and the output layer in ONNX."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import nn

from seqlabel.errors import InputError
from seqlabel.export.cells import Run, run_direction
from seqlabel.export.graph import (
    DOUBLE,
    FLOAT,
    INT32,
    Graph,
    divide_up,
    gather_frames,
    inside_of,
    integers,
    size_of,
)
from seqlabel.lstm import LSTM
from seqlabel.lstm.between import Highway, Residual
from seqlabel.lstm.cell import AnyCell, Cell
from seqlabel.lstm.weights import Direction
from seqlabel.models.criteria import Ctc
from seqlabel.models.framewise import Framewise
from seqlabel.models.hierarchy import HierarchicalCtc
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder


@dataclass
class States:
    """Initial and final states of the forward direction of all layers.

    initial: one name for each of `cell.state`, (layers, B, width); none for zero states.
    final: per layer, the names of (B, width).
    """

    initial: list[str]
    final: list[list[str]]

    def of_layer(self, graph: Graph, number: int) -> list[str] | None:
        """Initial states of layer `number`, counted from the lowest."""
        if not self.initial:
            return None
        return [graph.add("Gather", s, np.int64(number), axis=0) for s in self.initial]


def add_encoder(
    graph: Graph,
    encoder: Encoder,
    x: str,
    lengths: str,
    states: States,
    elapsed: str | None = None,
) -> tuple[str, str]:
    """x (B, T, F), int64 lengths (B,) -> outputs (B, T', E), lengths' (B,).

    elapsed: (B, T) seconds since the previous frame, for cells that need them.
    """
    options = encoder.options
    x = graph.add("Transpose", x, perm=[1, 0, 2])
    if options.chunk:
        y, lengths = _window(graph, encoder.lower, options.chunk, x, lengths, states)
        return graph.add("Transpose", y, perm=[1, 0, 2]), lengths
    y = _stack(graph, encoder.lower, x, lengths, states, elapsed)
    if encoder.upper is not None:
        if elapsed is not None:
            elapsed = _join_times(graph, elapsed, options.subsample)
        y = _join_frames(graph, y, options.subsample, encoder.lower.output_size)
        lengths = divide_up(graph, lengths, options.subsample)
        y = _stack(graph, encoder.upper, y, lengths, states, elapsed)
    return graph.add("Transpose", y, perm=[1, 0, 2]), lengths


def _stack(
    graph: Graph, stack: LSTM, x: str, lengths: str, states: States, elapsed: str | None = None
) -> str:
    """All layers: x (T, B, F) -> (T, B, D * R)."""
    counts = graph.add("Cast", lengths, to=INT32)
    fades = (None, None) if elapsed is None else _fades(graph, stack.cell, elapsed, lengths)
    for number, layer in enumerate(stack.layers):
        runs = []
        for backwards, direction in enumerate(cast(nn.ModuleList, layer)):
            weights = cast(Direction, direction).weights()
            initial = None if backwards else states.of_layer(graph, len(states.final))
            run = Run(x, counts, initial, bool(backwards), fades[backwards])
            runs.append(run_direction(graph, stack.cell, weights, run))
        states.final.append(runs[0].states)
        y = graph.add("Concat", *(ran.y for ran in runs), axis=2) if len(runs) > 1 else runs[0].y
        x = _connect(graph, stack.connections[number - 1], x, y) if number else y
    return x


def _window(
    graph: Graph, stack: LSTM, chunk: int, x: str, lengths: str, states: States
) -> tuple[str, str]:
    """A latency-controlled stack over one window (`seqlabel.lstm.chunks`).

    x (T, B, F): the chunk, and from frame `chunk` on the look-ahead, `lengths` frames of both ->
    outputs of the chunk (T', B, E) and its lengths. The forward direction runs
    over the chunk first, whose last states are carried on, and from there over the look-ahead.
    """
    own = graph.add("Min", lengths, np.int64(chunk))
    ahead = graph.add("Sub", lengths, own)
    counts, own_counts, ahead_counts = (
        graph.add("Cast", n, to=INT32) for n in (lengths, own, ahead)
    )
    for number, layer in enumerate(stack.layers):
        forward, backward = (cast(Direction, d).weights() for d in cast(nn.ModuleList, layer))
        initial = states.of_layer(graph, number)
        first = run_direction(graph, stack.cell, forward, Run(x, own_counts, initial))
        states.final.append(first.states)
        y = graph.add("Slice", first.y, integers(0), integers(chunk), integers(0))
        if stack.lookahead:
            later = graph.add("Slice", x, integers(chunk), integers(2**31), integers(0))
            later = graph.add("Pad", later, integers(0, 0, 0, 1, 0, 0))
            run = Run(later, ahead_counts, first.states)
            beyond = run_direction(graph, stack.cell, forward, run).y
            y = graph.add("Concat", y, beyond, axis=0)
            y = graph.add("Slice", y, integers(0), size_of(graph, x, 0), integers(0))
        back = run_direction(graph, stack.cell, backward, Run(x, counts, None, True))
        y = graph.add("Concat", y, back.y, axis=2)
        x = _connect(graph, stack.connections[number - 1], x, y) if number else y
    return graph.add("Slice", x, integers(0), integers(chunk), integers(0)), own


def _connect(graph: Graph, connection: nn.Module, x: str, y: str) -> str:
    """The connection `seqlabel.lstm.between` of a layer's input x and output y."""
    if isinstance(connection, Residual):
        return graph.add("Add", x, y)
    if isinstance(connection, Highway):
        gate = graph.add("Sigmoid", _linear(graph, connection, x))
        return graph.add("Add", x, graph.add("Mul", gate, graph.add("Sub", y, x)))
    return y


def _linear(graph: Graph, layer: nn.Linear, x: str) -> str:
    """x (..., I) -> W x + b (..., O)."""
    product = graph.add("MatMul", x, layer.weight.detach().cpu().numpy().T)
    return graph.add("Add", product, layer.bias.detach().cpu().numpy())


def _fades(graph: Graph, cell: AnyCell, elapsed: str, lengths: str) -> tuple[str, str]:
    """elapsed (B, T) -> (T, B, 1) fades of the forward and the backward direction.

    As `seqlabel.lstm.elapsed`: backwards it is the time to the next frame, 0 for the last one.
    """
    assert isinstance(cell, Cell)
    seconds = graph.add("Cast", graph.add("Transpose", elapsed, perm=[1, 0]), to=DOUBLE)
    seconds = graph.add("Unsqueeze", seconds, integers(2))
    later = graph.add("Slice", seconds, integers(1), integers(2**31), integers(0))
    later = graph.add("Pad", later, integers(0, 0, 0, 1, 0, 0))
    followed = inside_of(graph, seconds, graph.add("Sub", lengths, integers(1)), time=0)
    later = graph.add("Where", followed, later, np.float64(0))
    found = []
    for passed in (seconds, later):
        units = graph.add("Div", passed, np.float64(cell.time_unit))
        if cell.decay == "log":
            kept = graph.add("Log", graph.add("Add", units, np.float64(math.e)))
        else:
            kept = graph.add("Max", units, np.float64(1))
        fade = graph.add("Sub", np.float64(1), graph.add("Reciprocal", kept))
        found.append(graph.add("Cast", fade, to=FLOAT))
    return found[0], found[1]


def _join_times(graph: Graph, elapsed: str, size: int) -> str:
    """(B, T) -> (B, ceil(T / size)): from the first frame of a group to the first of the next."""
    seconds = graph.add("Cast", elapsed, to=DOUBLE)
    times = graph.add("CumSum", seconds, np.int64(1))
    ends = integers(0), integers(2**31), integers(1)
    times = graph.add("Slice", times, *ends, integers(size))
    first = graph.add("Slice", seconds, integers(0), integers(1), integers(1))
    before = graph.add("Slice", times, integers(0), integers(-1), integers(1))
    start = graph.add("Slice", times, integers(0), integers(1), integers(1))
    before = graph.add("Concat", graph.add("Sub", start, first), before, axis=1)
    passed = graph.add("Max", graph.add("Sub", times, before), np.float64(0))
    return graph.add("Cast", passed, to=FLOAT)


def _join_frames(graph: Graph, y: str, size: int, width: int) -> str:
    """(T, B, E) -> (ceil(T / size), B, size * E): neighbours side by side, zeros past the end."""
    more = graph.add("Mod", graph.add("Neg", size_of(graph, y, 0)), integers(size))
    ends = graph.add("Concat", integers(0, 0, 0), more, integers(0, 0), axis=0)
    y = graph.add("Pad", y, ends)
    batch = size_of(graph, y, 1)
    apart = graph.add("Concat", integers(-1, size), batch, integers(width), axis=0)
    y = graph.add("Transpose", graph.add("Reshape", y, apart), perm=[0, 2, 1, 3])
    return graph.add("Reshape", y, integers(0, 0, size * width))


def add_output_layer(graph: Graph, model: Model, encoded: str, lengths: str) -> str:
    """encoded (B, T, E) -> (B, T, N) `Model.outputs`; InputError for a transducer."""
    criterion = model.criterion
    if isinstance(criterion, HierarchicalCtc):
        return _levels(graph, criterion, encoded, lengths)
    if not isinstance(criterion, Ctc | Framewise):
        raise InputError(
            f"criterion {type(criterion).__name__.lower()}: its search runs a network from label "
            "to label, which is not a graph over frames; export a model of criterion.kind = 'ctc', "
            "or use the model directory"
        )
    delay = criterion.options.delay if isinstance(criterion, Framewise) else 0
    if delay:
        later, _ = gather_frames(graph, encoded, lengths, integers(delay))
        encoded = graph.add("Squeeze", later, integers(2))
    scores = graph.add("LogSoftmax", _linear(graph, criterion.output, encoded), axis=2)
    if isinstance(criterion, Framewise):
        blank = np.float32(-np.inf)
        return graph.add("Pad", scores, integers(0, 0, 1, 0, 0, 0), blank)
    return scores


def _levels(graph: Graph, criterion: HierarchicalCtc, encoded: str, lengths: str) -> str:
    """Log-probabilities of the labels, then of each level below, the finest first."""
    first, *others = (cast(nn.Linear, layer) for layer in criterion.layers)
    scores = [_linear(graph, first, encoded)]
    for stack, layer in zip(criterion.stacks, others, strict=True):
        x = graph.add("Softmax", scores[-1], axis=2)
        x = graph.add("Transpose", x, perm=[1, 0, 2])
        y = _stack(graph, cast(LSTM, stack), x, lengths, States([], []))
        scores.append(_linear(graph, layer, graph.add("Transpose", y, perm=[1, 0, 2])))
    *below, top = (graph.add("LogSoftmax", logits, axis=2) for logits in scores)
    return graph.add("Concat", top, *below, axis=2)
