"""The encoder of Graves & Schmidhuber 2009: MDLSTM layers with hierarchical subsampling.

Pixels are gathered into blocks; each level is an MDLSTM layer from all four corners, whose outputs
are gathered into blocks again and passed to a tanh layer without bias, up to the top level, which
is summed over the vertical axis into a sequence.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm import MDLSTM
from seqlabel.lstm.dropout import Dropout
from seqlabel.lstm.multidimensional.cell import Forget
from seqlabel.lstm.multidimensional.grid import Grid
from seqlabel.models.encoder import FrameEncoder

MOST = 65_536
"""Maximum of cells, units and pixels of a block."""


@dataclass(frozen=True)
class PyramidOptions:
    """Levels from the image upwards; the defaults are the network for Arabic town names of 2009.

    cells: of each direction of each level. tanh: units of the layer between two levels.
    blocks: (frames, rows) that become one: of the image before the first level, then of the output
    of each level but the last. forget, peephole: see `seqlabel.lstm.MDLSTM`.
    """

    cells: tuple[int, ...] = (2, 10, 50)
    tanh: tuple[int, ...] = (6, 20)
    blocks: tuple[tuple[int, int], ...] = ((3, 4), (3, 4), (2, 4))
    forget: Forget = "plain"
    peephole: bool = True

    def __post_init__(self) -> None:
        if not len(self.cells) == len(self.blocks) == len(self.tanh) + 1:
            raise InputError(
                f"cells ({len(self.cells)}) and blocks ({len(self.blocks)}) need an entry for each "
                f"level, tanh ({len(self.tanh)}) one less"
            )
        for number in (*self.cells, *self.tanh, *(n for block in self.blocks for n in block)):
            if not 1 <= number <= MOST:
                raise InputError(f"cells, tanh and blocks must be in 1 ... {MOST}")

    @property
    def reduction(self) -> int:
        """Frames that become one output."""
        return prod(frames for frames, _ in self.blocks)


class Pyramid(FrameEncoder):
    """Maps (B, T, F) of F rows of pixels -> outputs (B, T', E), T' = ceil(T / reduction).

    init, forget_bias: of the MDLSTM layers. dropout: before the tanh layers and the outputs.
    """

    def __init__(
        self,
        options: PyramidOptions,
        init: str = "uniform",
        forget_bias: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(options.reduction)
        self.options = options
        inputs = [prod(options.blocks[0]), *options.tanh]
        self.levels = nn.ModuleList(
            MDLSTM(
                width,
                cells,
                forget=options.forget,
                peephole=options.peephole,
                init=init,
                forget_bias=forget_bias,
            )
            for width, cells in zip(inputs, options.cells, strict=True)
        )
        below = zip(options.cells[:-1], options.blocks[1:], strict=True)
        widths = [4 * cells * prod(block) for cells, block in below]
        self.between = nn.ModuleList(
            nn.Linear(width, units, bias=False)
            for width, units in zip(widths, options.tanh, strict=True)
        )
        self.dropout = Dropout(dropout)
        self.output_size: int = 4 * options.cells[-1]

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        elapsed: Tensor | None = None,
        heights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """x (B, T, F), lengths (B,) and heights (B,), F where None -> outputs (B, T', E), lengths'.

        Pixels beyond an image's frames and rows have no effect. elapsed: not used.
        """
        rows = torch.full_like(lengths, x.shape[2]) if heights is None else heights
        grid = Grid.of(torch.stack([lengths, rows], dim=1).cpu().numpy(), x.shape[1:])
        pixels = grid.pack(x[..., None])
        blocks = grid.blocks(self.options.blocks[0])
        y = blocks.gather(pixels)
        for number, level in enumerate(self.levels):
            if number:
                blocks = blocks.grid.blocks(self.options.blocks[number])
                y = torch.tanh(self.between[number - 1](blocks.gather(self.dropout(y))))
            y = level.packed(y, blocks.grid)  # type: ignore[operator]
        return self.dropout(blocks.grid.collapse(y)), self.output_lengths(lengths)
