"""torchaudio, which other tests compare with, is usable without its compiled extension too."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torchaudio_guard import import_torchaudio, torchaudio

SCRIPTS = str(Path(__file__).parents[1] / "scripts")

AFTER_A_FAILURE = """
import sys
import torch

def fail(path):
    raise OSError("no such library")

torch.ops.load_library = fail
sys.path.insert(0, sys.argv[1])
from torchaudio_guard import torchaudio
import torchaudio as again
assert again is torchaudio
assert torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE is False
import torchaudio.compliance.kaldi
assert torchaudio.functional.resample(torch.ones(1, 80), 8000, 16000).shape == (1, 160)
assert torchaudio.functional.lfilter(torch.ones(1, 9), torch.ones(2), torch.ones(2)).shape == (1, 9)
try:
    torchaudio.functional.forced_align(torch.zeros(1, 4, 3), torch.ones(1, 1, dtype=torch.int32))
except RuntimeError as error:
    assert "compiled extension" in str(error)
else:
    raise AssertionError("a function of the extension ran without it")
"""


def test_the_rest_runs_without_the_extension():
    """A fresh interpreter whose library cannot be loaded, warnings as errors."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", AFTER_A_FAILURE, SCRIPTS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("error", [OSError, RuntimeError, ImportError])
def test_each_way_of_failing_switches_it_off(monkeypatch, error):
    loaded = ModuleType("torchaudio")

    def import_module(name):
        stub = sys.modules.get("torchaudio._extension")
        if stub is None or stub._IS_TORCHAUDIO_EXT_AVAILABLE:
            raise error("cannot load")
        return loaded

    monkeypatch.setitem(sys.modules, "torchaudio._extension", None)
    monkeypatch.setattr(importlib, "import_module", import_module)
    assert import_torchaudio() is loaded


def test_a_missing_torchaudio_stays_an_import_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(ModuleNotFoundError):
        import_torchaudio()


def test_filters_run_here():
    signal = torch.sin(torch.arange(1600) * 0.1)
    assert torchaudio.functional.resample(signal, 16000, 8000).shape == (800,)
