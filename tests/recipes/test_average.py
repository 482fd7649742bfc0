"""recipes/an4/average.py: the mean of weights, and that unlike models are refused."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.features.normalisation import Statistics
from seqlabel.training.run_directory import STATISTICS, WEIGHTS, load_weights

RECIPE = Path(__file__).parents[2] / "recipes" / "an4"


@pytest.fixture
def average(monkeypatch):
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("average").average


def test_every_weight_is_the_mean(average, untrained, tmp_path):
    models = [untrained(tmp_path / str(n), Alphabet("ab"), seed=n) for n in range(3)]
    average(models, tmp_path / "out")
    each = [load_weights(model / WEIGHTS) for model in models]
    found = load_weights(tmp_path / "out" / WEIGHTS)
    assert found.keys() == each[0].keys()
    for name, weight in found.items():
        mean = torch.stack([w[name].double() for w in each]).mean(dim=0)
        torch.testing.assert_close(weight.double(), mean, rtol=1e-6, atol=1e-7)
    assert seqlabel.load(tmp_path / "out").alphabet == Alphabet("ab")


def test_models_with_other_labels_are_refused(average, untrained, tmp_path):
    models = [untrained(tmp_path / labels, Alphabet(labels)) for labels in ("ab", "ac")]
    with pytest.raises(InputError, match="ac: has other labels"):
        average(models, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_models_of_other_training_sets_are_refused(average, untrained, tmp_path):
    """Whose features were normalised otherwise."""
    models = [untrained(tmp_path / str(n), Alphabet("ab")) for n in range(2)]
    for n, model in enumerate(models):
        config = (model / "config.toml").read_text()
        (model / "config.toml").write_text(config.replace('"utterance"', '"train"'))
        mean = np.full(40, n, np.float32)
        Statistics(mean, np.ones_like(mean)).save(model / STATISTICS)
    with pytest.raises(InputError, match="1: has other labels, features"):
        average(models, tmp_path / "out")
