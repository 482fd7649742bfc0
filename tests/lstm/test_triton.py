"""The path with Triton kernels against the reference, on a GPU or with Triton's interpreter.

Where there is no GPU the kernels are interpreted on the CPU; where there is no triton only the
choice of the backend is tested.
"""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, PRESETS, Cell, Gru, triton_layer
from seqlabel.lstm.backend import Task, choose
from seqlabel.lstm.cell import is_timed
from seqlabel.lstm.options import Recurrence

if not torch.cuda.is_available():  # read when triton is imported, which nothing has done so far
    os.environ.setdefault("TRITON_INTERPRET", "1")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LENGTHS = [5, 6, 1, 6]
TRITON = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no triton")


def make(cell, dtype=torch.float32, **options):
    torch.manual_seed(2)
    options = {"bidirectional": True, **options}
    if cell == "lstmp":
        options["projection"] = 5
    layer = LSTM(3, 7, cell=cell, backend="triton", **options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(0, 0.4)
    return layer.to(DEVICE, dtype)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def run(layer, x, states=None):
    """Outputs, final states and all gradients of a random weighting of both."""
    x = x.clone().requires_grad_()
    states = None if states is None else tuple(s.clone().requires_grad_() for s in states)
    layer.zero_grad()
    elapsed = random(*x.shape[:2], seed=4).exp() if is_timed(layer.cell) else None
    y, finals = layer(x, LENGTHS, states, elapsed)
    outputs = (y, *finals)
    sum((t * random(*t.shape, seed=n)).sum() for n, t in enumerate(outputs)).backward()
    gradients = [x.grad, *(p.grad for p in layer.parameters()), *(s.grad for s in states or ())]
    return [value.detach().clone() for value in (*outputs, *gradients)]


def compare(layer, relative=2e-6, reference=torch.float64, seed=5):
    """The triton backend in the layer's numbers against the reference, in its numbers."""
    assert layer.backend == "triton"
    dtype = next(layer.parameters()).dtype
    runs = layer.num_layers * layer.directions
    sizes = layer.cell.state_sizes(layer.hidden_size)
    states = tuple((random(runs, 4, s, seed=9) * 0.5).to(dtype) for s in sizes)
    x = random(4, 6, layer.input_size).to(dtype)
    torch.manual_seed(seed)
    found = run(layer, x, states)
    layer.backend = "reference"
    torch.manual_seed(seed)
    expected = run(layer.to(reference), x.to(reference), tuple(s.to(reference) for s in states))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        assert float((a - b).abs().max()) <= relative * max(1.0, float(b.abs().max()))


CELLS = {
    **{name: name for name, cell in PRESETS.items() if isinstance(cell, Cell)},
    "bare": Cell(forget=False, input_gate=False, output_gate=False, g="identity"),
    "clipped": Cell(peephole="diagonal", cell_clip=0.3),
    "clipped, coupled, projected": Cell(coupled=True, cell_clip=0.5, projection=4),
    "no bias": Cell(bias="none", g="logistic", output="identity"),
    "biases of gates": Cell(bias="gates", peephole="diagonal", output="logistic"),
    "NIG with all gates fed back": Cell(input_gate=False, gate_recurrence="all"),
    "NOG, coupled, state": Cell(peephole="state", output_gate=False, coupled=True),
    "NIG, state": Cell(peephole="state-diagonal", input_gate=False, projection=3),
    "NFG, NOG": Cell(peephole="diagonal", forget=False, output_gate=False, g="identity"),
    "projected FGR": Cell(peephole="diagonal", gate_recurrence="gates", projection=2),
    "timed peepholes": Cell(peephole="diagonal", decay="reciprocal", time_unit=0.3),
    "timed, coupled, projected": Cell(coupled=True, decay="log", projection=2),
    "coupled, all gates fed back": Cell(coupled=True, peephole="diagonal", gate_recurrence="all"),
}


@TRITON
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_equals_the_reference(name):
    compare(make(CELLS[name]))


@TRITON
@pytest.mark.parametrize(
    "options",
    [
        {"truncate": "1997"},
        {"tbptt": 2},
        {"recurrent_dropout": 0.4},
        {"recurrent_dropout": 0.4, "projection": 4},
        {"num_layers": 2, "bidirectional": False},
    ],
)
@pytest.mark.parametrize("cell", ["peephole", "lstm1997", "peephole-state", "tlstm"])
def test_options_equal_the_reference(cell, options):
    if "recurrent_dropout" in options:  # the masks drawn depend on the dtype
        compare(make(cell, **options), 5e-6, torch.float32)
    else:
        compare(make(cell, **options))


@TRITON
def test_cells_and_sequences_fill_several_blocks():
    from seqlabel.lstm.triton_gates import _CELLS, _ROWS

    batch, cells = 2 * _ROWS + 1, _CELLS + 3
    layer = LSTM(3, cells, cell="peephole", backend="triton", device=DEVICE)
    x = random(batch, 2, 3)
    lengths = [1, *[2] * (batch - 1)]
    y = layer(x, lengths)[0]
    layer.backend = "reference"
    torch.testing.assert_close(y, layer(x, lengths)[0], rtol=1e-5, atol=1e-6)


@TRITON
@pytest.mark.parametrize("cell", ["peephole", "peephole-state", "FGR"])
def test_numbers_of_16_bits_come_close(cell):
    compare(make(cell, torch.bfloat16), 0.05)


@TRITON
def test_autocast_lowers_the_products():
    layer = make("peephole")
    x = random(4, 6, 3)
    exact = layer(x, LENGTHS)[0].detach()
    with torch.autocast(DEVICE.type, torch.bfloat16):
        y, (h, c) = layer(x, LENGTHS)
    (y.sum() + h.sum() + c.sum()).backward()
    assert y.dtype == h.dtype == torch.bfloat16
    assert c.dtype == torch.float32
    assert all(weight.grad.dtype == torch.float32 for weight in layer.parameters())
    assert 0 < float((y.detach() - exact).abs().max()) < 0.05


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from seqlabel.lstm import PRESETS
from seqlabel.lstm.triton_gates import Gates, backward, forward

for name in ("lstm1997", "peephole", "lstmp", "CIFG", "peephole-state-diagonal"):
    gates = Gates(PRESETS[name], 100, False)
    options = {"enable_fp_fusion": gates.flags.pop("enable_fp_fusion")}
    for kernel, more in ((forward, {}), (backward, {**gates.backward_flags, "AFTER": True})):
        flags = {**gates.flags, **more}
        integers = {"N", "n", "row", "old_row", "place", "above_row", "h_stride", "above_stride"}
        signature = {
            arg: "constexpr" if arg in flags else "i32" if arg in integers else "*fp32"
            for arg in kernel.arg_names
        }
        source = ASTSource(kernel, signature, flags)
        assert triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options).asm["ptx"]
"""


@TRITON
@pytest.mark.skipif(DEVICE.type == "cuda", reason="what runs there is compiled")
def test_the_kernels_compile_for_a_gpu_that_is_not_there(tmp_path):
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", COMPILE], env=environment, check=True)


@TRITON
def test_it_is_differentiable_once():
    layer = make("peephole")
    x = random(4, 6, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x, LENGTHS)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@TRITON
def test_what_it_lacks_is_named():
    for cell, cause in ((Gru(), "LSTM cells alone"), (Cell(block_size=2), "no blocks of cells")):
        with pytest.raises(InputError, match=cause):
            choose("triton", Task(cell, DEVICE, torch.float32))
    with pytest.raises(InputError, match=r"the weights are torch.float64"):
        choose("triton", Task(Cell(), DEVICE, torch.float64))
    with pytest.raises(InputError, match="no bf16=True"):
        choose("triton", Task(Cell(), DEVICE, torch.float32, bf16=True))


GPU = Task(PRESETS["peephole"], torch.device("cuda"), torch.float32)


def test_it_is_chosen_on_a_gpu_for_what_the_library_lacks(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(triton_layer, "_try", lambda device: None)
    for task, backend in (
        (GPU, "triton"),
        (GPU._replace(cell=Cell(), how=Recurrence(True)), "triton"),
        (GPU._replace(cell=Cell(), recurrent_dropout=0.1), "triton"),
        (GPU._replace(dtype=torch.bfloat16), "triton"),
        (GPU._replace(cell=Cell()), "library"),
        (GPU._replace(dtype=torch.float64), "reference"),
        (GPU._replace(cell=replace(PRESETS["peephole"], block_size=2)), "reference"),
        (GPU._replace(cell=Gru()), "reference"),
        (GPU._replace(device=torch.device("cpu")), "fused"),
    ):
        assert choose("auto", task) == backend
    with pytest.raises(InputError, match="needs the fused backend"):
        choose("auto", GPU._replace(bf16=True))


def test_without_triton_the_reference_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert choose("auto", GPU) == "reference"
    with pytest.raises(InputError, match="needs the package triton, which is not installed"):
        choose("triton", GPU)


def test_where_triton_fails_the_reference_is_taken(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(triton_layer, "_try", lambda device: "fails on cuda (RuntimeError: no cc)")
    assert choose("auto", GPU) == "reference"
    with pytest.raises(InputError, match=r"fails on cuda .*no cc.*: use backend='auto'"):
        choose("triton", GPU)


def test_a_trial_that_fails_tells_the_cause(monkeypatch):
    monkeypatch.setitem(sys.modules, "seqlabel.lstm.triton_gates", None)
    triton_layer._try.cache_clear()
    assert "fails on cpu (ModuleNotFoundError: " in triton_layer._try(torch.device("cpu"))
    triton_layer._try.cache_clear()


def test_on_a_cpu_it_is_refused(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(InputError, match="runs on a GPU, the weights are on cpu"):
        choose("triton", GPU._replace(device=torch.device("cpu")))
