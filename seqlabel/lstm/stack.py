"""Stacks of bidirectional layers: `LSTM`, a replacement for torch.nn.LSTM with lengths."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqlabel.errors import InputError
from seqlabel.lstm import backend as backends
from seqlabel.lstm import chunks, interchange
from seqlabel.lstm.between import Between, Highway, connection, drop_frames, drop_mask
from seqlabel.lstm.cell import AnyCell, Cell, as_cell
from seqlabel.lstm.elapsed import fades
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows, check_finite, check_lengths, check_type
from seqlabel.lstm.weights import INITIALISATIONS, Direction

State = tuple[Tensor, ...]


class LSTM(nn.Module):
    """Layers of one cell of the family, in one or both directions.

        y, state = layer(x, lengths)    # (B, T, F), (B,) integers -> (B, T, D * H), see forward

    cell        a preset's name (`seqlabel.lstm.PRESETS`), a `Cell`, or a mapping of its flags
    projection  R of LSTMP: outputs and recurrence have R instead of H components
    dropout     probability between layers; `variational` draws one mask per sequence and feature
                for all frames (Gal & Ghahramani 2016) instead of a new one for each frame
    recurrent_dropout   probability on the recurrent source, one mask for all frames
    between     connection of a layer's input x and output y from the second layer on: `plain` y,
                `residual` x + y (He et al. 2015), `highway` T y + (1 - T) x with
                T = σ(W_T x + b_T), b_T = -1 at first (Srivastava, Greff & Schmidhuber 2015)
    init        a name of `seqlabel.lstm.INITIALISATIONS`; `forget_bias` overrides the forget gate's
    chunk       C > 0 makes a bidirectional stack latency-controlled: it is computed in chunks of C
                frames with `lookahead` = R frames after each, see `seqlabel.lstm.chunks`; 0 gives
                plain layers, whose backward direction waits for the end of the sequence
    truncate    "1997" cuts the error at gates and cell inputs, `tbptt` = k cuts it every k frames,
                see `seqlabel.lstm.options.Recurrence`
    bf16        the operands of all products are rounded to bfloat16 (`seqlabel.lstm.products`)

    Sequences are computed without their padding: padding, batch order and the other sequences
    change no output and no gradient. Raises InputError for contradictory options.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        cell: AnyCell | str | Mapping[str, Any] = "peephole",
        projection: int = 0,
        *,
        variational: bool = False,
        recurrent_dropout: float = 0.0,
        between: Between = "plain",
        init: str = "uniform",
        forget_bias: float | None = None,
        chunk: int = 0,
        lookahead: int = 0,
        truncate: Literal["none", "1997"] = "none",
        tbptt: int = 0,
        backend: str = "auto",
        bf16: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, size in {"input": input_size, "hidden": hidden_size}.items():
            if size < 1:
                raise InputError(f"{name}_size={size}: must be at least 1")
        if num_layers < 1:
            raise InputError(f"num_layers={num_layers}: must be at least 1")
        for name, p in {"dropout": dropout, "recurrent_dropout": recurrent_dropout}.items():
            if not 0 <= p < 1:
                raise InputError(f"{name}={p} is not a probability below 1")
        if between not in get_args(Between):
            raise InputError(f"between={between!r} is not one of {', '.join(get_args(Between))}")
        if truncate not in ("none", "1997"):
            raise InputError(
                f"truncate={truncate!r} is not one of none, 1997 (tbptt=k cuts every k frames)"
            )
        chunks.check_options(chunk, lookahead, bidirectional)
        if chunk and tbptt:
            raise InputError(f"tbptt={tbptt} and chunk={chunk} both cut sequences: use one of them")
        if init not in INITIALISATIONS:
            raise InputError(f"init={init!r} is not one of {', '.join(INITIALISATIONS)}")
        self.cell = project(cell, projection)
        check_recurrent_dropout(self.cell, recurrent_dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.directions = bidirectional, 1 + bidirectional
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.variational, self.between = variational, between
        self.init, self.forget_bias = init, forget_bias
        self.wanted_backend, self.bf16 = backend, bf16
        self.chunk, self.lookahead = chunk, lookahead
        self.how = Recurrence(truncate == "1997", tbptt)
        self.output_size = self.directions * self.cell.output_size(hidden_size)

        widths = [input_size] + [self.output_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                Direction(self.cell, width, hidden_size, device=device, dtype=dtype)
                for _ in range(self.directions)
            )
            for width in widths
        )
        self.connections = nn.ModuleList(
            connection(between, self.output_size, device=device, dtype=dtype)
            for _ in range(num_layers - 1)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights again."""
        for direction in chain(*self._layers()):
            direction.initialise(INITIALISATIONS[self.init], self.forget_bias)
        for join in self.connections:
            if isinstance(join, Highway):
                join.reset_parameters()

    @property
    def backend(self) -> backends.Backend:
        """The backend for this layer on the device of its weights, see `seqlabel.lstm.backend`."""
        weight = next(self.parameters())
        return backends.choose(
            self.wanted_backend,
            backends.Task(
                self.cell, weight.device, weight.dtype, self.bf16, self.how, self.recurrent_dropout
            ),
        )

    @backend.setter
    def backend(self, wanted: str) -> None:
        self.wanted_backend = wanted

    def load_torch(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load the weights of a torch.nn.LSTM's state dict (plain cell only, else InputError)."""
        interchange.load_torch(self.cell, self._layers(), state_dict)

    def torch_state_dict(self) -> dict[str, Tensor]:
        """The state dict of the torch.nn.LSTM that computes the same (plain cell only)."""
        return interchange.save_torch(self.cell, self._layers())

    def _layers(self) -> list[list[Direction]]:
        return [list(cast(Iterable[Direction], layer)) for layer in self.layers]

    def forward(
        self,
        x: Tensor | PackedSequence,
        lengths: Tensor | Sequence[int] | None = None,
        state: State | None = None,
        elapsed: Tensor | None = None,
        taps: dict[int, Tensor] | None = None,
    ) -> tuple[Any, State]:
        """Run all layers.

        x        (B, T, F) with lengths (B,), integers, 1..T, all T if None; or a PackedSequence
        state    initial state as returned by a previous call; zeros if None
        elapsed  (B, T) seconds since the previous frame (for frame 0: since the frame of `state`),
                 only for a cell with `decay`
        taps     its keys are numbers of layers, from 1, whose outputs (B, T, D * H), zero in the
                 padding, become its values; not in chunks

        Returns y (B, T, D * H), zero in the padding (a PackedSequence for a PackedSequence), and
        the state after the last frame of each sequence (after the first one for the direction that
        runs backwards): a tuple of tensors (num_layers * D, B, width) named by `cell.state`, so
        (h, c) for most cells, H replaced by R with projection. In chunks the backward direction
        starts at zero in every window: it ignores the initial state, and its final state is zero.
        Raises InputError for invalid lengths, sizes or values.
        """
        packed = x if isinstance(x, PackedSequence) else None
        if isinstance(x, PackedSequence):
            x, lengths = pad_packed_sequence(x, batch_first=True)
        if x.dim() != 3 or x.shape[2] != self.input_size:
            raise InputError(
                f"the input has shape {tuple(x.shape)}, expected (B, T, {self.input_size})"
            )
        x = check_type(x, next(self.parameters()))
        if taps and (self.chunk or not all(1 <= n <= self.num_layers for n in taps)):
            raise InputError(
                f"taps: no outputs of layers {', '.join(map(str, taps))} in a stack of "
                f"{self.num_layers} layers{' in chunks' if self.chunk else ''}"
            )
        rows = Rows.of(check_lengths(lengths, *x.shape[:2]), x.shape[1], x.device)
        frames = rows.pack(x)
        check_finite(frames, rows, x)

        states = self._split_state(state, rows, frames)
        faded = fades(self.cell, elapsed, rows, x.dtype, self.directions)
        run_layer = backends.runner(self.backend, self.bf16)
        windows = chunks.Chunks.of(rows, self.chunk, self.lookahead) if self.chunk else None
        if windows is not None:
            frames = windows.extend(frames)
        finals: list[State] = []
        for number, layer in enumerate(self._layers()):
            before = frames
            if number and self.dropout and self.training:
                frames = drop_frames(frames, self.dropout, windows or rows, self.variational)
            run = number * self.directions
            weights = [direction.weights() for direction in layer]
            initial = states[run : run + self.directions]
            masks = [self._recurrent_mask(frames, rows) for _ in layer]
            if windows is None:
                y, final = run_layer(
                    self.cell, weights, frames, rows, initial, masks, self.how, faded
                )
            else:
                y, final = chunks.run_layer(
                    run_layer, self.cell, weights, frames, windows, initial, masks, self.how,
                    faded, first=number == 0, last=number == self.num_layers - 1,
                )  # fmt: skip
            frames = self.connections[number - 1](before[: len(y)], y) if number else y
            finals += final
            if taps and number + 1 in taps:
                taps[number + 1] = rows.unpack(frames)
        y = rows.unpack(frames)
        return _repack(y, packed) if packed else y, self._join_states(finals, rows)

    def _split_state(self, state: State | None, rows: Rows, x: Tensor) -> list[State]:
        """Initial states per layer and direction, in the order of the rows."""
        sizes = self.cell.state_sizes(self.hidden_size)
        runs = self.num_layers * self.directions
        if state is None:
            zeros = tuple(x.new_zeros(rows.batch, size) for size in sizes)
            return [zeros] * runs
        state = (state,) if isinstance(state, Tensor) else tuple(state)
        expected = [(runs, rows.batch, size) for size in sizes]
        if [tuple(s.shape) for s in state] != expected:
            raise InputError(
                f"the initial state has shapes {[tuple(s.shape) for s in state]}, "
                f"expected {', '.join(self.cell.state)} of {expected}"
            )
        ordered = [s.index_select(1, rows.order) for s in state]
        return [tuple(s[run] for s in ordered) for run in range(runs)]

    def _join_states(self, finals: list[State], rows: Rows) -> State:
        back = torch.empty_like(rows.order)
        back[rows.order] = torch.arange(rows.batch, device=back.device)
        return tuple(torch.stack(s).index_select(1, back) for s in zip(*finals, strict=True))

    def _recurrent_mask(self, x: Tensor, rows: Rows) -> Tensor | None:
        if not (self.training and self.recurrent_dropout):
            return None
        return drop_mask(x, self.recurrent_dropout, rows, self.cell.output_size(self.hidden_size))

    def extra_repr(self) -> str:
        window = f"chunk={self.chunk}, lookahead={self.lookahead}, " if self.chunk else ""
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, "
            f"bidirectional={self.bidirectional}, {window}cell={self.cell}"
        )


def project(cell: AnyCell | str | Mapping[str, Any], projection: int) -> AnyCell:
    """The cell with the layer's projection; InputError for a cell that cannot have that."""
    made = as_cell(cell)
    if projection:
        if not isinstance(made, Cell):
            raise InputError(
                f"projection={projection} is for LSTM cells, not for {cell!r}: leave it out"
            )
        made = replace(made, projection=projection)
    if cell == "lstmp" and not projection:
        raise InputError("cell='lstmp' needs projection=R, the number of projected outputs")
    return made


def check_recurrent_dropout(cell: AnyCell, p: float) -> None:
    """Raise InputError for a cell whose recurrent source is its state, which is not masked."""
    if p and isinstance(cell, Cell) and cell.peephole.startswith("state"):
        raise InputError(
            f"recurrent_dropout={p} masks the outputs that a cell reads, but this one reads its "
            "state instead: leave it out"
        )


def _repack(y: Tensor, like: PackedSequence) -> PackedSequence:
    """(B, T, W) in the given order -> packed as `like`."""
    if like.sorted_indices is not None:
        y = y[like.sorted_indices]
    sizes = like.batch_sizes
    lengths = (sizes[:, None] > torch.arange(int(sizes[0]))).sum(dim=0)
    data = pack_padded_sequence(y, lengths, batch_first=True).data
    return PackedSequence(data, sizes, like.sorted_indices, like.unsorted_indices)
