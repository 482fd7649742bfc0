"""The encoder: a stack of recurrent layers over frames, exact for every length.

Others read images: see `make_encoder`.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqlabel.config import did_you_mean
from seqlabel.errors import InputError
from seqlabel.lstm import INITIALISATIONS, LSTM
from seqlabel.lstm.between import FIRST_BIAS, Highway
from seqlabel.lstm.cell import as_cell, is_timed
from seqlabel.lstm.chunks import check_options
from seqlabel.lstm.dropout import Dropout
from seqlabel.lstm.stack import check_recurrent_dropout, project
from seqlabel.lstm.weights import Direction
from seqlabel.models.convolution import ConvEncoder, ConvOptions
from seqlabel.models.encoder import FrameEncoder
from seqlabel.models.pyramid import Pyramid, PyramidOptions

MOST_CELLS = 65_536
"""Maximum cells of a direction of a layer."""


@dataclass(frozen=True)
class ModelOptions:
    """Shape of the encoder.

    encoder: "lstm" for a stack of layers over frames; "mdlstm" for layers over the pixels of an
    image, of the shape `mdlstm`; "conv" for the convolutions `conv` under a stack. Of the
    options of layers, "mdlstm" uses only dropout, init, initial_range and forget_bias.
    cell: a preset of `seqlabel.lstm.PRESETS` or a table of `Cell`'s flags. hidden: H, cells per
    direction. projection: R, outputs per direction after projection, or 0. bidirectional: whether
    a second stack of cells reads from the end to the start.
    dropout: between layers, after convolutions and before the output layer; variational: one mask
    for all frames in all of these places, but for "mdlstm". recurrent_dropout: on the recurrent
    source, one mask for all frames.
    between: connection of layers, see `LSTM`. init: a name of `seqlabel.lstm.INITIALISATIONS`;
    initial_range: all weights uniform in ±initial_range instead (Graves 2013: 0.1), except a
    `forget_bias` that is given; 0 for `init`.
    truncate, tbptt: truncation of the gradient through time, see `LSTM`.
    forget_bias: initial bias of the forget gates, "none" for that of `init`.
    subsample: after layer `subsample_after`, that many neighbouring outputs become one frame.
    chunk, lookahead: in input frames of the network, for streaming with both directions. The stack
    is computed in chunks of that many frames, and the backward direction uses at most `lookahead`
    frames after a chunk (`seqlabel.lstm.chunks`); an output waits for at most
    chunk + lookahead - 1 frames, for any number of layers. chunk = 0: no limit.
    """

    encoder: Literal["lstm", "mdlstm", "conv"] = "lstm"
    cell: str | dict[str, Any] = "peephole"
    hidden: int = 250
    layers: int = 3
    bidirectional: bool = True
    projection: int = 0
    dropout: float = 0.0
    variational: bool = False
    recurrent_dropout: float = 0.0
    between: Literal["plain", "residual", "highway"] = "plain"
    truncate: Literal["none", "1997"] = "none"
    tbptt: int = 0
    init: str = "uniform"
    initial_range: float = 0.0
    forget_bias: float | None = None
    subsample: int = 1
    subsample_after: int = 1
    chunk: int = 0
    lookahead: int = 0
    mdlstm: PyramidOptions = field(default_factory=PyramidOptions)
    conv: ConvOptions = field(default_factory=ConvOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.hidden <= MOST_CELLS or not 0 <= self.projection <= MOST_CELLS:
            raise InputError(
                f"hidden must be in 1 ... {MOST_CELLS} and projection in 0 ... {MOST_CELLS}"
            )
        if self.encoder == "mdlstm":
            as_cell(self.cell)
        else:
            cell = project(self.cell, self.projection)
            cell.shapes(1, self.hidden)
            check_recurrent_dropout(cell, self.recurrent_dropout)
        if self.layers < 1 or self.initial_range < 0:
            raise InputError("layers must be at least 1, initial_range not negative")
        if not 0 <= self.dropout < 1 or not 0 <= self.recurrent_dropout < 1:
            raise InputError("dropout and recurrent_dropout must be in [0, 1)")
        if self.init not in INITIALISATIONS:
            raise InputError(
                f"init = {self.init!r}{did_you_mean(self.init, list(INITIALISATIONS))}"
            )
        if self.tbptt < 0:
            raise InputError(f"tbptt = {self.tbptt} frames must not be negative")
        if self.tbptt and self.chunk:
            raise InputError("tbptt and chunk exclude each other: chunks already cut sequences")
        if self.subsample < 1:
            raise InputError(f"subsample = {self.subsample} must be at least 1")
        if self.subsample > 1 and not 1 <= self.subsample_after < self.layers:
            raise InputError(
                f"subsample_after = {self.subsample_after} must name a layer below the last of "
                f"{self.layers}"
            )
        check_options(self.chunk, self.lookahead, self.bidirectional)
        if self.chunk and self.subsample > 1:
            raise InputError(
                "chunk and subsample exclude each other: join frames before the network, with "
                "front_end.stack and front_end.stride"
            )
        if self.encoder != "lstm" and (self.subsample > 1 or self.chunk):
            raise InputError(
                f"subsample and chunk are for encoder = 'lstm'; {self.encoder!r} has its own blocks"
            )
        if self.encoder == "conv" and is_timed(as_cell(self.cell)):
            raise InputError(
                f"cell = {self.cell!r} needs times, which columns of pixels do not have"
            )

    @property
    def reduction(self) -> int:
        """Frames that become one output."""
        own = {"lstm": self.subsample, "mdlstm": self.mdlstm.reduction, "conv": self.conv.reduction}
        return own[self.encoder]

    @property
    def timed(self) -> bool:
        """Whether the cells need the time between frames."""
        return self.encoder == "lstm" and is_timed(as_cell(self.cell))


def make_encoder(inputs: int, options: ModelOptions) -> FrameEncoder:
    """The encoder of the options, for frames of `inputs` features."""
    encoder: FrameEncoder
    if options.encoder == "mdlstm":
        encoder = Pyramid(options.mdlstm, options.init, options.forget_bias, options.dropout)
    elif options.encoder == "conv":
        width = options.conv.channels[-1] * options.conv.rows(inputs)
        stack = _stack(width, options.layers, options)
        encoder = ConvEncoder(options.conv, stack, options.dropout, options.variational)
    else:
        encoder = Encoder(inputs, options)
    if options.initial_range:
        _draw_within(encoder, options.initial_range, options.forget_bias)
    return encoder


def _draw_within(encoder: nn.Module, limit: float, forget_bias: float | None) -> None:
    """All weights uniform in ±limit, but a forget bias that is given and those of highways."""
    for weight in encoder.parameters():
        nn.init.uniform_(weight, -limit, limit)
    for module in encoder.modules():
        if isinstance(module, Direction):
            module.set_biases({}, forget_bias)
        elif isinstance(module, Highway):
            nn.init.constant_(module.bias, FIRST_BIAS)


class Encoder(FrameEncoder):
    """Frames (B, T, F) -> outputs (B, T', E) with E = `output_size`.

    T' = ceil(T / subsample), for the batch and for each length alike.
    """

    def __init__(self, inputs: int, options: ModelOptions) -> None:
        super().__init__(options.reduction)
        self.options = options
        lower = options.subsample_after if options.subsample > 1 else options.layers
        self.lower = _stack(inputs, lower, options)
        self.upper: LSTM | None = None
        if options.subsample > 1:
            width = self.lower.output_size * options.subsample
            self.upper = _stack(width, options.layers - lower, options)
        self.dropout = Dropout(options.dropout, options.variational)
        self.output_size: int = (self.upper or self.lower).output_size

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        elapsed: Tensor | None = None,
        heights: Tensor | None = None,
        taps: dict[int, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """x (B, T, F) and lengths (B,) -> outputs (B, T', E), zero in the padding, and lengths'.

        elapsed: (B, T) seconds from the frame before to each frame, where `ModelOptions.timed`.
        heights: of images (B,); the rows below are zeros, which are treated like other features.
        taps: its keys are numbers of layers, from 1, whose outputs (B, T, E), with dropout, become
        its values; only without subsampling.
        """
        assert not taps or self.upper is None
        y, _ = self.lower(x, lengths, elapsed=elapsed, taps=taps)
        if taps:
            taps.update((number, self.dropout(tapped)) for number, tapped in taps.items())
        if self.upper is not None:
            y = join_frames(self.dropout(y), self.options.subsample)
            lengths = self.output_lengths(lengths)
            if elapsed is not None:
                elapsed = join_times(elapsed, self.options.subsample)
            y, _ = self.upper(y, lengths, elapsed=elapsed)
        return self.dropout(y), lengths


def _stack(inputs: int, layers: int, options: ModelOptions) -> LSTM:
    return LSTM(
        inputs,
        options.hidden,
        num_layers=layers,
        bidirectional=options.bidirectional,
        dropout=options.dropout if layers > 1 else 0.0,
        cell=options.cell,
        projection=options.projection,
        variational=options.variational,
        recurrent_dropout=options.recurrent_dropout,
        between=options.between,
        truncate=options.truncate,
        tbptt=options.tbptt,
        init=options.init,
        forget_bias=options.forget_bias,
        chunk=options.chunk,
        lookahead=options.lookahead,
    )


def join_frames(y: Tensor, size: int) -> Tensor:
    """(B, T, E) -> (B, ceil(T / size), size * E): neighbours side by side, zeros past the end."""
    batch, frames, width = y.shape
    missing = -frames % size
    if missing:
        y = torch.cat([y, y.new_zeros(batch, missing, width)], dim=1)
    return y.reshape(batch, (frames + missing) // size, size * width)


def join_times(elapsed: Tensor, size: int) -> Tensor:
    """(B, T) -> (B, ceil(T / size)): from the first frame of a group to the first of the next."""
    first = torch.arange(0, elapsed.shape[1], size, device=elapsed.device)
    times = elapsed.double().cumsum(dim=1)[:, first]
    return torch.diff(times, dim=1, prepend=times[:, :1] - elapsed[:, :1]).clamp(min=0)
