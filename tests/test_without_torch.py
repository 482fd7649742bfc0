"""What reads signals, decodes and scores does so where there is no torch."""

import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = "import sys; sys.modules['torch'] = None\n"


def without_torch(code: str, *arguments: str | Path) -> str:
    """Run code in a process of its own where torch cannot be imported; its output."""
    command = [sys.executable, "-c", BLOCKED + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torch_is_blocked_here():
    with pytest.raises(AssertionError, match="torch"):
        without_torch("import torch")


ROOMS = """
import importlib, pkgutil
for room in ("alphabet", "inputs", "features", "decoding", "scoring"):
    package = importlib.import_module(f"seqlabel.{room}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name.rpartition(".")[2].startswith("triton_"):
            continue  # for GPUs
        importlib.import_module(module.name)
import seqlabel
seqlabel.Recognizer
"""


def test_all_modules_of_these_rooms_import():
    without_torch(ROOMS)


FEATURES = """
import numpy as np
from seqlabel.features.table import FEATURES
from seqlabel.inputs import Audio, Image, Ink, Series
from seqlabel.inputs.resampling import resample
samples = resample(np.sin(np.arange(8000) * 0.1).astype(np.float32), 8000, 16000)
ink = Ink([[[0, 0, 0], [1, 3, 1], [2, 0, 2]], [[3, 1, 3], [4, 2, 4]]])
for name, extractor in FEATURES.items():
    signals = {"ink": ink, "image": Image(np.ones((9, 30))), "series": Series(np.ones((5, 1)))}
    frames = extractor()(signals.get(name.split("_")[0], Audio(samples, 16000)))
    assert frames.x.shape == (len(frames), extractor().dim), name
"""


def test_all_front_ends_and_resampling_run():
    without_torch(FEATURES)
