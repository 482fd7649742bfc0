"""A stack over one sequence with frames in pieces, for inference only.

A stack in one direction is computed frame by frame, a latency-controlled one (`chunks.py`) window
by window; its states are kept in between. The compiled time loops use buffers that are allocated
once, so that a frame costs few calls besides its arithmetic. Frames are computed in the same
portions for all pieces, so that the outputs do not depend on these, bit for bit.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm import backend, reference, runtime
from seqlabel.lstm.backend import Task
from seqlabel.lstm.cell import AnyCell, is_timed
from seqlabel.lstm.direction import DirectionRun, Layer
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.sequence import Matrices
from seqlabel.lstm.stack import LSTM
from seqlabel.lstm.weights import Direction, Weights

State = tuple[Tensor, ...]


def why_not(stack: LSTM) -> str | None:
    """Why a stack cannot stream, with the solution; None if it can."""
    if stack.bidirectional and not stack.chunk:
        return (
            "the network runs backwards from the end of the signal; train one with model.chunk "
            "and model.lookahead, or with model.bidirectional = false"
        )
    if is_timed(stack.cell):
        return (
            "the network's cells need the time between frames, which streams lack; train "
            "one with a cell without decay"
        )
    return None


class StackStream:
    """Frames (n, F) in, outputs (m, D * H) out, those of `LSTM.forward` on the whole sequence.

    Weights are copied when the stream begins. Computes on the
    CPU, in float32. Raises InputError for a stack that cannot stream.
    """

    def __init__(self, stack: LSTM) -> None:
        reason = why_not(stack)
        if reason is not None:
            raise InputError(reason)
        runtime.settle()
        self.chunk, self.lookahead = (stack.chunk, stack.lookahead) if stack.chunk else (1, 0)
        layers = [list(cast(Iterable[Direction], layer)) for layer in stack.layers]
        self._layers = [_LayerStream(stack.cell, directions) for directions in layers]
        self._joins: list[nn.Module] = []  # into the second layer and those above it
        if stack.between != "plain":
            self._joins = [copy.deepcopy(join).float().cpu() for join in stack.connections]
        self._kept = np.zeros((0, stack.input_size), np.float32)
        self._width = stack.output_size

    def push(self, x: np.ndarray) -> np.ndarray:
        """The outputs (m, D * H) of the chunks that are complete with their look-ahead."""
        self._kept = np.concatenate([self._kept, x]) if len(self._kept) else x
        return self._compute(self.chunk + self.lookahead)

    def finish(self) -> np.ndarray:
        """The remaining outputs; then the stream is reset to zero states."""
        rest = self._compute(1)
        self.reset()
        return rest

    def reset(self) -> None:
        """Begin another sequence: waiting frames are dropped, states are zero."""
        self._kept = self._kept[:0]
        for layer in self._layers:
            layer.reset()

    def _compute(self, least: int) -> np.ndarray:
        """Windows while at least so many frames are there."""
        outputs: list[np.ndarray] = []
        runtime.on_one_core(lambda: outputs.extend(self._windows(least)))
        return np.concatenate(outputs) if outputs else np.zeros((0, self._width), np.float32)

    def _windows(self, least: int) -> Iterator[np.ndarray]:
        start, total = 0, len(self._kept)
        while total - start >= least:
            window = self._kept[start : start + self.chunk + self.lookahead]
            own = min(self.chunk, len(window))
            for number, layer in enumerate(self._layers):
                y = layer.run(window, own)
                window = self._join(number, window, y) if number and self._joins else y
            yield window[:own].copy()
            start += own
        self._kept = self._kept[start:].copy()

    def _join(self, number: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        join = self._joins[number - 1]
        with torch.inference_mode():
            return cast(Tensor, join(torch.from_numpy(x), torch.from_numpy(y))).numpy()


class _LayerStream:
    """One layer with the state its forward direction carries from chunk to chunk."""

    def __init__(self, cell: AnyCell, directions: list[Direction]) -> None:
        self._cell = cell
        self._weights = [
            Weights(*(w if w is None else w.detach().float().cpu().clone() for w in d.weights()))  # type: ignore[arg-type]
            for d in directions
        ]
        cells = directions[0].cells
        self._zeros: State = tuple(torch.zeros(1, size) for size in cell.state_sizes(cells))
        self._state = [state.numpy().copy() for state in self._zeros]
        task = Task(cell, torch.device("cpu"), torch.float32)
        self._compiled = backend.choose("auto", task) == "fused"
        self._windows: dict[int, _Window] = {}
        self._matrices: list[Matrices] = []  # of the compiled loops, the same for all windows

    def reset(self) -> None:
        for state in self._state:
            state[:] = 0

    def run(self, x: np.ndarray, own: int) -> np.ndarray:
        """x (T, I) -> y (T, D * H), to be used before the next call; `own` frames are behind it."""
        if len(x) not in self._windows:
            self._windows[len(x)] = self._make(len(x))
        return self._windows[len(x)].run(x, self._state, own)

    def _make(self, frames: int) -> "_Window":
        if not self._compiled:
            return _Plain(self._cell, self._weights, self._zeros)
        layer = Layer(self._cell, Rows.of([frames], frames), Recurrence(), bf16=False)
        runs = [
            DirectionRun(layer, n, w, self._zeros, None, None) for n, w in enumerate(self._weights)
        ]
        self._matrices = self._matrices or [run.forward_matrices() for run in runs]
        return _Compiled(self._cell, runs, self._matrices, frames)


class _Window(Protocol):
    """A layer over windows of one length."""

    def run(self, x: np.ndarray, state: list[np.ndarray], own: int) -> np.ndarray:
        """x (T, I) -> y (T, D * H); leaves the state after `own` frames in `state`."""
        ...


class _Compiled:
    """The compiled time loops over windows of T frames, in buffers of their own."""

    def __init__(
        self, cell: AnyCell, runs: list[DirectionRun], matrices: list[Matrices], frames: int
    ) -> None:
        x = torch.zeros(frames, runs[0].weights.input.shape[1])
        y = torch.zeros(frames + 1, sum(run.width for run in runs))
        memories = [run.allocate(y) for run in runs]
        self._work = [
            run.forward(x, y, memory, own)
            for run, memory, own in zip(runs, memories, matrices, strict=True)
        ]
        self._x, self._y = x.numpy(), y.numpy()
        forward = memories[0]
        others = {"c": forward.c, "gates": forward.a}
        # every row of these is a state; behind the last frame's lies the initial one
        self._states = [self._y[:, : runs[0].width]]
        for name, zero in zip(cell.state[1:], runs[0].state[1:], strict=True):
            self._states.append(others[name].numpy()[:, : zero.shape[1]])
        # a GRU reads its h as c too
        self._copy = forward.c.numpy() if len(cell.state) == 1 and forward.c.numel() else None

    def run(self, x: np.ndarray, state: list[np.ndarray], own: int) -> np.ndarray:
        self._x[:] = x
        for rows, value in zip(self._states, state, strict=True):
            rows[-1] = value[0]
        if self._copy is not None:
            self._copy[-1] = state[0][0]
        for work in self._work:
            work()
        for rows, value in zip(self._states, state, strict=True):
            value[0] = rows[own - 1]
        return self._y[:-1]


class _Plain:
    """The reference equations, for cells that the compiled loops do not have."""

    def __init__(self, cell: AnyCell, weights: list[Weights], zeros: State) -> None:
        self._cell, self._weights, self._zeros = cell, weights, zeros

    def run(self, x: np.ndarray, state: list[np.ndarray], own: int) -> np.ndarray:
        frames = torch.from_numpy(x)

        def direction(number: int, part: Tensor, start: State) -> tuple[Tensor, State]:
            rows = Rows.of([len(part)], len(part))
            return reference.run_direction(
                self._cell, self._weights[number], part, rows, start, None, Recurrence(), None,
                backwards=number == 1,
            )  # fmt: skip

        with torch.inference_mode():
            start = tuple(torch.from_numpy(value) for value in state)
            y, carried = direction(0, frames[:own], start)
            if len(frames) > own:
                y = torch.cat([y, direction(0, frames[own:], carried)[0]])
            if len(self._weights) == 2:
                y = torch.cat([y, direction(1, frames, self._zeros)[0]], dim=1)
        for value, new in zip(state, carried, strict=True):
            value[:] = new.numpy()
        return y.numpy()
