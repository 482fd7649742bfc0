"""Model directories with random weights, and signals for them to read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.config import build
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import (
    WEIGHTS,
    make_model,
    save_weights,
    write_description,
)

LETTERS = Alphabet(list("abcde "), "character")

Directory = Callable[..., Path]


@pytest.fixture
def directory(tmp_path) -> Directory:
    """make(table of a configuration, alphabet) -> a model directory with random weights."""

    def make(table: dict, alphabet: Alphabet = LETTERS) -> Path:
        torch.manual_seed(3)
        experiment = build(Experiment, table, "test")
        extractor = make_extractor(experiment.features)
        rng = np.random.default_rng(4)
        centre = 8 if hasattr(extractor, "rate") else 0
        mean, std = rng.normal(centre, 0.5, extractor.dim), rng.uniform(0.5, 3, extractor.dim)
        statistics = Statistics(mean.astype(np.float32), std.astype(np.float32))
        kept = statistics if experiment.front_end.needs_statistics else None
        front_end = FrontEnd(extractor, experiment.front_end, kept)
        model = make_model(experiment, front_end, alphabet)
        with torch.no_grad():  # weights with which labels change from frame to frame
            for weight in model.encoder.parameters():
                weight.mul_(2)
            for layer in model.criterion.modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.weight.mul_(20)
                    if layer.bias is not None:
                        layer.bias.zero_()
        folder = tmp_path / "exp"
        folder.mkdir()
        write_description(folder, experiment, alphabet, front_end, {})
        save_weights(folder / WEIGHTS, model.state_dict())
        return folder

    return make


@pytest.fixture(scope="session")
def spoken() -> Callable[..., np.ndarray]:
    """make(seconds, seed) -> samples at 8 kHz that rise and fall, with an offset."""

    def make(seconds: float, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        t = np.arange(int(seconds * 8000)) / 8000
        voice = np.sin(2 * np.pi * 170 * t) + np.sin(2 * np.pi * 900 * t) * np.sin(11 * t + seed)
        return (0.2 * voice + 0.02 * rng.standard_normal(len(t)) + 0.01).astype(np.float32)

    return make
