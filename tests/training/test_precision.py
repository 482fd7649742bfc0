"""Products in bfloat16 where the configuration wants them, or where they pay; resuming keeps it."""

import json
import logging
from pathlib import Path

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.training import precision
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.loop import PhaseLoop
from seqlabel.training.phase_record import Interrupted
from seqlabel.training.precision import Precision, measure, set_precision, why_float32
from seqlabel.training.run import train
from seqlabel.training.run_directory import load_weights

AUTO = "training.bf16=auto"


def run(config: Path, data: Path, out: Path, resume: bool, *overrides: str):
    """The LSTM layers of a run, after it."""
    overrides = ("training.checkpoint_minutes=0", "phases.0.epochs=1", *overrides)
    done = train(Experiment.load(config, overrides), data, out, Workers(), resume)
    return [layer for layer in done.model.modules() if isinstance(layer, LSTM)]


def described(folder: Path) -> dict[str, object]:
    facts = json.loads((folder / "run.json").read_text())
    return {name: facts[name] for name in ("bf16", "bf16_ratio")}


@pytest.fixture
def probe(monkeypatch):
    """A processor that has the instructions, and a probe that finds what it is told to find."""

    def find(ratio: float | None) -> None:
        def found(layers, batch):
            assert ratio is not None, "nothing is to be measured"
            return ratio

        monkeypatch.setattr(precision, "measure", found)

    monkeypatch.setattr(precision, "has_bf16", lambda: True)
    return find


@pytest.mark.parametrize(("ratio", "chosen"), [(0.42, True), (0.95, False)])
def test_auto_follows_the_probe(ratio, chosen, probe, tiny_corpus, config, tmp_path, caplog):
    probe(ratio)
    with caplog.at_level(logging.INFO, "seqlabel"):
        layers = run(config, tiny_corpus, tmp_path / "exp", False, AUTO)
    assert [layer.bf16 for layer in layers] == [chosen] * len(layers)
    assert described(tmp_path / "exp") == {"bf16": chosen, "bf16_ratio": ratio}
    [line] = [m for m in caplog.messages if "bf16" in m]
    assert f"auto: {'bfloat16' if chosen else 'float32'}" in line
    assert f"takes {ratio:.2f} of the time" in line


def test_auto_is_float32_without_the_instructions(
    probe, tiny_corpus, config, tmp_path, caplog, monkeypatch
):
    probe(None)
    monkeypatch.setattr(precision, "has_bf16", lambda: False)
    with caplog.at_level(logging.INFO, "seqlabel"):
        layers = run(config, tiny_corpus, tmp_path / "exp", False, AUTO)
    assert not any(layer.bf16 for layer in layers)
    assert described(tmp_path / "exp") == {"bf16": False, "bf16_ratio": None}
    assert any("auto: float32 (this processor has no instructions" in m for m in caplog.messages)
    # who wants it nevertheless gets the same numbers, slowly, and is told
    layers = run(config, tiny_corpus, tmp_path / "slow", False, "training.bf16=true")
    assert all(layer.bf16 for layer in layers)
    assert any("is no faster" in m for m in caplog.messages)


def test_auto_has_no_choice_where_bfloat16_cannot_be_or_should_not(monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda: True)
    assert why_float32([LSTM(3, 4)]) is None
    assert why_float32([LSTM(3, 4, cell="cifg"), LSTM(3, 4, cell="gru")]) is None
    for layers, reason in (
        ([], "no LSTM layers"),
        ([LSTM(3, 4), LSTM(3, 4, cell="gru-before")], "fused loops"),
        ([LSTM(3, 4, dtype=torch.float64)], "fused loops"),
        ([LSTM(3, 4, cell="NFG")], "forget gate"),
        ([LSTM(3, 4, cell="lstm1997")], "forget gate"),
    ):
        assert reason in (why_float32(layers) or "")
    model = torch.nn.Linear(2, 2)
    assert not set_precision(model, "auto", 4, Workers()).bf16
    with pytest.raises(InputError, match="needs LSTM layers over frames; remove it"):
        set_precision(model, True, 4, Workers())
    with pytest.raises(InputError, match="bf16=True needs the fused backend"):
        set_precision(LSTM(3, 4, cell="gru-before"), True, 4, Workers())


def test_a_resumed_run_keeps_the_choice_to_the_last_bit(
    probe, tiny_corpus, config, tmp_path, monkeypatch, caplog
):
    probe(0.4)
    whole, folder = tmp_path / "whole", tmp_path / "exp"
    run(config, tiny_corpus, whole, False, AUTO)
    update = PhaseLoop._update

    def stop_soon(self, *arguments):
        update(self, *arguments)
        self.owner.stop = True

    with monkeypatch.context() as patch:
        patch.setattr(PhaseLoop, "_update", stop_soon)
        with pytest.raises(Interrupted):
            run(config, tiny_corpus, folder, False, AUTO)
    probe(None)  # asked again, it might find something else
    with caplog.at_level(logging.INFO, "seqlabel"):
        layers = run(config, tiny_corpus, folder, True, AUTO)
    assert all(layer.bf16 for layer in layers)
    assert any("auto: bfloat16, as at the start of the run" in m for m in caplog.messages)
    assert described(folder) == {"bf16": True, "bf16_ratio": 0.4}
    weights, expected = (load_weights(f / "weights.safetensors") for f in (folder, whole))
    assert all(torch.equal(weights[name], weight) for name, weight in expected.items())
    run(config, tiny_corpus, tmp_path / "float32", False)
    plain = load_weights(tmp_path / "float32" / "weights.safetensors")
    assert any(not torch.equal(plain[name], weight) for name, weight in expected.items())


@pytest.mark.parametrize("run", [None, {}, {"bf16": "yes", "bf16_ratio": 1.0}, {"bf16": True}])
def test_a_run_that_does_not_say_what_was_chosen(run):
    if run == {"bf16": True}:
        run["bf16_ratio"] = "0.4"
    with pytest.raises(InputError, match=r"run.json: does not say .* another --out"):
        Precision.of_run(run, "run.json")


@pytest.mark.parametrize("cell", ["peephole", "tlstm"])
def test_the_probe_leaves_no_trace(cell):
    layer = LSTM(3, 8, 2, True, dropout=0.5, recurrent_dropout=0.5, cell=cell)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    assert 0 < measure([layer], 2.4) < 1000
    assert torch.equal(torch.get_rng_state(), before)
    assert layer.training
    assert not layer.bf16
    assert all(weight.grad is None for weight in layer.parameters())


@pytest.mark.parametrize("value", ["yes", "1", "Auto"])
def test_other_values_are_refused(value, config):
    with pytest.raises(InputError, match=r"training.bf16 = .*auto"):
        Experiment.load(config, [f"training.bf16={value}"])
