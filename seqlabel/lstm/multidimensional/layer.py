"""`MDLSTM`: a layer over the pixels of maps, from all corners."""

from collections.abc import Sequence
from math import isfinite
from typing import Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.lstm.multidimensional import diagonal, fused, reference
from seqlabel.lstm.multidimensional.cell import Forget, MapCell
from seqlabel.lstm.multidimensional.grid import Grid, check_sizes
from seqlabel.lstm.rows import check_type
from seqlabel.lstm.weights import INITIALISATIONS, Direction

Backend = Literal["reference", "diagonal", "fused"]

_RUN = {
    "reference": reference.run_layer,
    "diagonal": diagonal.run_layer,
    "fused": fused.run_layer,
}


class MDLSTM(nn.Module):
    """A layer of LSTM cells over maps of `dims` dimensions, from each of their 2^D corners.

        y = layer(x, sizes)     # (B, *extents, F), (B, D) integers -> (B, *extents, 2^D H)

    forget, peephole    flags of the cell, see `seqlabel.lstm.multidimensional.cell.MapCell`
    init                a name of `seqlabel.lstm.INITIALISATIONS`; `forget_bias` overrides the
                        forget gates'
    backend     "fused" (CPU, float32, compiled along the anti-diagonals), "diagonal" (the same in
                torch operations, everywhere), "reference" (pixel after pixel); "auto": the first
                of these that can

    Maps are computed without their padding: padding, batch order and the other maps change no
    output and no gradient. Raises InputError for contradictory options.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dims: int = 2,
        *,
        forget: Forget = "plain",
        peephole: bool = True,
        init: str = "uniform",
        forget_bias: float | None = None,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, size in {"input": input_size, "hidden": hidden_size}.items():
            if size < 1:
                raise InputError(f"{name}_size={size}: must be at least 1")
        if init not in INITIALISATIONS:
            raise InputError(f"init={init!r} is not one of {', '.join(INITIALISATIONS)}")
        self.cell = MapCell(dims, forget, peephole)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.output_size = self.cell.directions * hidden_size
        self.init, self.forget_bias, self.wanted_backend = init, forget_bias, backend
        self.directions = nn.ModuleList(
            Direction(self.cell, input_size, hidden_size, device=device, dtype=dtype)
            for _ in range(self.cell.directions)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights again."""
        for direction in self._directions():
            direction.initialise(INITIALISATIONS[self.init], self.forget_bias)

    @property
    def backend(self) -> Backend:
        """The backend for this layer on the device of its weights; InputError if it is not
        possible.
        """
        wanted = self.wanted_backend
        if wanted not in ("auto", *get_args(Backend)):
            known = ", ".join(get_args(Backend))
            raise InputError(f"backend={wanted!r} is not one of auto, {known}")
        weight = self._directions()[0].bias
        reason = fused.why_not(weight.device, weight.dtype)
        if wanted == "fused" and reason:
            raise InputError(f"backend='fused' {reason}: use backend='auto'")
        if wanted == "auto":
            return "diagonal" if reason else "fused"
        return cast(Backend, wanted)

    @backend.setter
    def backend(self, wanted: str) -> None:
        self.wanted_backend = wanted

    def _directions(self) -> list[Direction]:
        return [cast(Direction, direction) for direction in self.directions]

    def forward(
        self, x: Tensor, sizes: Tensor | np.ndarray | Sequence[Sequence[int]] | None = None
    ) -> Tensor:
        """x (B, *extents, F) with sizes (B, D), the full extents if None.

        Returns (B, *extents, 2^D H), zero in the padding; direction n runs against dimension d
        if bit d of n is set. Raises InputError for invalid sizes or values.
        """
        dims = self.cell.dims
        if x.dim() != dims + 2 or x.shape[-1] != self.input_size:
            raise InputError(
                f"the input has shape {tuple(x.shape)}, expected B, {dims} extents and "
                f"{self.input_size} features"
            )
        padded = tuple(x.shape[1:-1])
        grid = Grid.of(check_sizes(sizes, len(x), padded), padded)
        return grid.unpack(self.packed(grid.pack(x), grid))

    def packed(self, x: Tensor, grid: Grid) -> Tensor:
        """The same on packed pixels: x (P, F) -> (P, 2^D H)."""
        x = check_type(x, next(self.parameters()))
        if not isfinite(x.detach().sum().item()):
            _name_the_first(x, grid)
        run = _RUN[self.backend]
        return run(self.cell, [d.weights() for d in self._directions()], x, grid)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, cell={self.cell}"


def _name_the_first(x: Tensor, grid: Grid) -> None:
    """Raises InputError that names the first pixel of NaN or infinity (the sum may overflow)."""
    bad = torch.nonzero(~torch.isfinite(x).all(dim=1)).flatten()
    if len(bad):
        pixel = int(bad.min())
        place = ", ".join(str(n) for n in grid.place[pixel])
        raise InputError(
            f"map {grid.map[pixel]} has NaN or infinity at pixel ({place}): correct the features "
            "or leave it out"
        )
