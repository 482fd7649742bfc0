"""The LSTM family: the flags of a cell, their valid combinations, and its weights.

With inputs x (I), cells c (N) and recurrent source s (the previous output h, or its projection r),

    i = σ(W_i x + R_i s + p_i ∘ c⁻ + b_i)        or 1 without input gate
    f = σ(W_f x + R_f s + p_f ∘ c⁻ + b_f)        or 1 without forget gate, or 1 - i when coupled
    c = f ∘ c⁻ + i ∘ g(W_z x + R_z s + b_z)      clipped to [-cell_clip, cell_clip] if that is set
    o = σ(W_o x + R_o s + p_o ∘ c + b_o)         or 1 without output gate
    h = o ∘ φ(c),  r = P h                       r with projection only

(Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000; Gers & Schmidhuber 2000; the
variants of Greff et al. 2015; projection of Sak, Senior & Beaufays 2014.) Two forms are called
"peephole LSTM" and are not the same: `diagonal` is the one above, with every h term kept;
`state` is the one of encyclopaedias, where c⁻ replaces h⁻ in all three gates
(the output gate sees c⁻, not c) and the cell input has no recurrence at all.

With `decay` time passes between frames (T-LSTM, Baytas et al. 2017, equations 1 to 4). After Δ
units of time the short-term part of the state counts less, before anything in the step reads c⁻:

    s = tanh(W_d c⁻ + b_d),   c⁻ := c⁻ - s + γ(Δ) s

with γ(Δ) = 1 / ln(e + Δ) ("log") or 1 / max(1, Δ) ("reciprocal", for small ranges of time).
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from seqlabel.errors import InputError

Peephole = Literal["none", "diagonal", "state", "state-diagonal"]
Squash = Literal["tanh", "logistic", "identity"]
GateRecurrence = Literal["none", "gates", "all"]
Bias = Literal["all", "gates", "none"]
Reset = Literal["after", "before"]
Decay = Literal["none", "log", "reciprocal"]


def _check_choices(cell: Any) -> None:
    """Flags with a fixed set of values hold one of them; annotations are the only list of these."""
    for field in fields(cell):
        choices, value = get_args(field.type), getattr(cell, field.name)
        if choices and value not in choices:
            raise InputError(
                f"{field.name}={value!r} is not one of {', '.join(map(repr, choices))}"
            )
        if field.type is bool and not isinstance(value, bool):
            raise InputError(f"{field.name}={value!r} is not true or false")


def _nearest(name: str, known: Any) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {matches[0]!r}?" if matches else ""


@dataclass(frozen=True)
class Cell:
    """Flags of one LSTM cell. Raises InputError for contradictory ones.

    forget: without, f = 1, the constant error carousel of 1997. input_gate: without, i = 1.
    output_gate: without, o = 1. coupled: f = 1 - i (CIFG).
    peephole: "diagonal" adds p ∘ c⁻ (of the output gate p ∘ c) to the gates; with "state" c⁻ takes
    the place of h⁻ in all gates, and the cell input has no recurrence; "state-diagonal" is the same
    with only the state of the gate's own cell.
    g: squashes the cell input; logistic is 4σ - 2, in [-2, 2]. output: φ, squashes the cell state;
    logistic is 2σ - 1, in [-1, 1]. gate_recurrence: what sees the gates of t-1: gates (FGR), or all
    (1997). block_size: cells that share one set of gates. bias: of all, of gates alone, or none.
    projection: R, outputs after projection; 0: none. cell_clip: bound on the cell state; 0: none.
    decay: γ, of the short-term part of c⁻ with the time that has passed. time_unit: seconds that Δ
    is counted in.
    """

    forget: bool = True
    input_gate: bool = True
    output_gate: bool = True
    coupled: bool = False
    peephole: Peephole = "none"
    g: Squash = "tanh"
    output: Squash = "tanh"
    gate_recurrence: GateRecurrence = "none"
    block_size: int = 1
    bias: Bias = "all"
    projection: int = 0
    cell_clip: float = 0.0
    decay: Decay = "none"
    time_unit: float = 1.0

    def __post_init__(self) -> None:
        _check_choices(self)
        if self.coupled and not self.input_gate:
            raise InputError(
                "coupled=True sets f = 1 - i and needs an input gate: leave out one of the two "
                "flags"
            )
        if self.coupled and not self.forget:
            raise InputError(
                "coupled=True sets f = 1 - i, forget=False sets f = 1: leave out one of the two "
                "flags"
            )
        if self.peephole != "none" and not self.gates:
            raise InputError(
                f"peephole={self.peephole!r} is for gates, but there is none: keep one gate"
            )
        if self.gate_recurrence != "none" and not self.gates:
            raise InputError("gate_recurrence is for gates, but there is none: keep one gate")
        if self.gate_recurrence != "none" and self.peephole.startswith("state"):
            raise InputError(
                f"peephole={self.peephole!r} has only the cells as recurrent source: "
                "use gate_recurrence='none'"
            )
        if self.decay != "none" and self.peephole.startswith("state"):
            raise InputError(
                f"peephole={self.peephole!r} reads c⁻ as recurrent source, decay={self.decay!r} "
                "changes it first: leave out one of the two flags"
            )
        if not 0 < self.time_unit < math.inf:
            raise InputError(f"time_unit={self.time_unit} must be a positive number of seconds")
        if self.block_size < 1 or self.projection < 0 or self.cell_clip < 0:
            raise InputError(
                f"block_size={self.block_size} must be at least 1, projection={self.projection} "
                f"and cell_clip={self.cell_clip} must not be negative"
            )

    @property
    def gates(self) -> str:
        """The gates that have weights of their own, in the order of the weight rows: of "ifo"."""
        own_forget = self.forget and not self.coupled
        present = (self.input_gate, own_forget, self.output_gate)
        return "".join(name for name, there in zip("ifo", present, strict=True) if there)

    @property
    def state(self) -> tuple[str, ...]:
        """Names of the state between steps."""
        return ("h", "c", "gates") if self.gate_recurrence != "none" else ("h", "c")

    def gate_width(self, cells: int) -> int:
        """Rows of all gates together: one per gate and block."""
        return len(self.gates) * (cells // self.block_size)

    def output_size(self, cells: int) -> int:
        return self.projection or cells

    def state_sizes(self, cells: int) -> tuple[int, ...]:
        """Widths of the tensors named by `state`."""
        return (self.output_size(cells), cells, self.gate_width(cells))[: len(self.state)]

    def shapes(self, inputs: int, cells: int) -> dict[str, tuple[int, ...]]:
        """Weight shapes of one direction of one layer. Rows are the gates (`gates`), then z.

        `input` W, `recurrent` R (or the matrix that reads c⁻ in the form `state`), `gate_recurrent`
        the matrix that reads the gates of t-1, `bias` b, `peephole` p, `projection` P, `decay` W_d,
        `decay_bias` b_d.
        """
        if cells % self.block_size:
            raise InputError(
                f"{cells} cells cannot be divided into blocks of {self.block_size}: "
                "make hidden_size a multiple of block_size"
            )
        gates, rows = self.gate_width(cells), self.gate_width(cells) + cells
        shapes: dict[str, tuple[int, ...]] = {"input": (rows, inputs)}
        if self.peephole == "state":
            shapes["recurrent"] = (gates, cells)
        elif self.peephole != "state-diagonal":
            shapes["recurrent"] = (rows, self.output_size(cells))
        if self.gate_recurrence != "none":
            shapes["gate_recurrent"] = (gates if self.gate_recurrence == "gates" else rows, gates)
        if self.bias != "none":
            shapes["bias"] = (gates if self.bias == "gates" else rows,)
        if self.peephole in ("diagonal", "state-diagonal"):
            shapes["peephole"] = (len(self.gates), cells)
        if self.projection:
            shapes["projection"] = (self.projection, cells)
        if self.decay != "none":
            shapes["decay"] = (cells, cells)
            shapes["decay_bias"] = (cells,)
        return shapes


@dataclass(frozen=True)
class Gru:
    """Gated recurrent unit (Cho et al. 2014).

    u = σ(W_u x + R_u h⁻ + b_u),  r = σ(W_r x + R_r h⁻ + b_r),  h = u ∘ h⁻ + (1 - u) ∘ n, and

    reset="before" (the paper):        n = tanh(W x + R (r ∘ h⁻) + b)
    reset="after" (most libraries):    n = tanh(W x + r ∘ (R h⁻) + b)
    """

    reset: Reset = "after"

    def __post_init__(self) -> None:
        _check_choices(self)

    @property
    def state(self) -> tuple[str, ...]:
        return ("h",)

    def output_size(self, cells: int) -> int:
        return cells

    def state_sizes(self, cells: int) -> tuple[int, ...]:
        return (cells,)

    def shapes(self, inputs: int, cells: int) -> dict[str, tuple[int, ...]]:
        """Weight shapes of one direction; rows are r, u, n."""
        return {"input": (3 * cells, inputs), "recurrent": (3 * cells, cells), "bias": (3 * cells,)}


@dataclass(frozen=True)
class TanhRnn:
    """h = tanh(W x + R h⁻ + b) (Elman 1990): the baseline without gates."""

    @property
    def state(self) -> tuple[str, ...]:
        return ("h",)

    def output_size(self, cells: int) -> int:
        return cells

    def state_sizes(self, cells: int) -> tuple[int, ...]:
        return (cells,)

    def shapes(self, inputs: int, cells: int) -> dict[str, tuple[int, ...]]:
        return {"input": (cells, inputs), "recurrent": (cells, cells), "bias": (cells,)}


AnyCell = Cell | Gru | TanhRnn


def is_timed(cell: AnyCell) -> bool:
    """Whether a cell needs the time between frames."""
    return isinstance(cell, Cell) and cell.decay != "none"


PRESETS: dict[str, AnyCell] = {
    "lstm": Cell(),
    "lstm1997": Cell(forget=False, g="logistic", output="logistic", gate_recurrence="all"),
    "peephole": Cell(peephole="diagonal"),
    "peephole-state": Cell(peephole="state"),
    "peephole-state-diagonal": Cell(peephole="state-diagonal"),
    "cifg": Cell(peephole="diagonal", coupled=True),
    "lstmp": Cell(peephole="diagonal", cell_clip=50.0),  # the projection comes with the layer
    "tlstm": Cell(decay="log"),  # wants the time that passed before each frame
    "V": Cell(peephole="diagonal"),
    "NIG": Cell(peephole="diagonal", input_gate=False),
    "NFG": Cell(peephole="diagonal", forget=False),
    "NOG": Cell(peephole="diagonal", output_gate=False),
    "NIAF": Cell(peephole="diagonal", g="identity"),
    "NOAF": Cell(peephole="diagonal", output="identity"),
    "CIFG": Cell(peephole="diagonal", coupled=True),
    "NP": Cell(),
    "FGR": Cell(peephole="diagonal", gate_recurrence="gates"),
    "gru": Gru(reset="after"),
    "gru-before": Gru(reset="before"),
    "rnn_tanh": TanhRnn(),
}


def as_cell(cell: AnyCell | str | Mapping[str, Any]) -> AnyCell:
    """A cell from a preset's name, from flags as in a configuration, or unchanged.

    Raises InputError for an unknown name or flag, with the nearest known one.
    """
    if isinstance(cell, str):
        if cell not in PRESETS:
            raise InputError(
                f"unknown cell {cell!r}{_nearest(cell, PRESETS)}; known: {', '.join(PRESETS)}"
            )
        return PRESETS[cell]
    if isinstance(cell, Mapping):
        known = [field.name for field in fields(Cell)]
        for flag in cell:
            if flag not in known:
                raise InputError(
                    f"unknown cell flag {flag!r}{_nearest(flag, known)}; known: {', '.join(known)}"
                )
        return Cell(**cell)
    return cell


def weight_count(cell: AnyCell, inputs: int, cells: int) -> int:
    """Weights of one direction of one layer, one bias vector per gate."""
    return sum(math.prod(shape) for shape in cell.shapes(inputs, cells).values())
