"""The multidimensional cell stated once: its equations, flags and weights.

At a pixel with inputs x (I), cells c (N) and, for each dimension d of D, the output h_d and the
state c_d of the pixel before it in that dimension (zeros at the border),

    i   = σ(W_i x + Σ_d R_{i,d} h_d + p_i ∘ Σ_d c_d + b_i)
    f_d = σ(W_{f,d} x + Σ_e R_{f,d,e} h_e + p_{f,d} ∘ c_d + b_{f,d})
    z   = tanh(W_z x + Σ_d R_{z,d} h_d + b_z)
    c   = i ∘ z + Σ_d f_d ∘ c_d
    o   = σ(W_o x + Σ_d R_{o,d} h_d + p_o ∘ c + b_o)
    h   = o ∘ tanh(c)

(Graves, Fernández & Schmidhuber 2007; Graves & Schmidhuber 2009): one forget gate per dimension,
one peephole of the input gate for all of them.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

from seqlabel.errors import InputError
from seqlabel.lstm.cell import _check_choices

Forget = Literal["plain", "mean", "leaky"]


@dataclass(frozen=True)
class MapCell:
    """Flags of a cell over maps of `dims` dimensions.

    forget: what becomes of the states before.
        plain   Σ_d f_d ∘ c_d, as published; where the gates sum to more than 1 the state grows from
                pixel to pixel
        mean    Σ_d f_d ∘ c_d / D
        leaky   (1 - i) ∘ Σ_d f_d ∘ c_d / Σ_d f_d: a leaky integrator over a convex combination of
                the states before, after the stable cells of Leifert et al. 2016; |c| stays below 1
    """

    dims: int = 2
    forget: Forget = "plain"
    peephole: bool = True

    def __post_init__(self) -> None:
        _check_choices(self)
        if not 1 <= self.dims <= 4:
            raise InputError(f"dims={self.dims}: maps have 1 to 4 dimensions")

    @property
    def gates(self) -> str:
        """In the order of the weight rows; the cell input z comes last."""
        return "i" + "f" * self.dims + "o"

    @property
    def directions(self) -> int:
        """Corners from which a map is read."""
        return 1 << self.dims

    def shapes(self, inputs: int, cells: int) -> dict[str, tuple[int, ...]]:
        """Weight shapes of one direction. Rows are the gates (`gates`), then z.

        `input` W, `recurrent` R with the columns of dimension 0 first, `bias` b, `peephole` p of
        the gates.
        """
        rows = (len(self.gates) + 1) * cells
        shapes: dict[str, tuple[int, ...]] = {
            "input": (rows, inputs),
            "recurrent": (rows, self.dims * cells),
            "bias": (rows,),
        }
        if self.peephole:
            shapes["peephole"] = (len(self.gates), cells)
        return shapes


LEAST = 1e-12
"""Added to Σ_d f_d where the leaky form divides by it."""


def map_weight_count(cell: MapCell, inputs: int, cells: int) -> int:
    """Weights of one direction: N (3 + D) (I + D N + 1) + N (2 + D) with peepholes."""
    return sum(prod(shape) for shape in cell.shapes(inputs, cells).values())
