"""recipes/an4/average.py: the mean of weights, and that unlike models are refused."""

import importlib
from pathlib import Path

import pytest
import torch

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import (
    WEIGHTS,
    load_weights,
    make_model,
    save_weights,
    write_description,
)

RECIPE = Path(__file__).parents[2] / "recipes" / "an4"


@pytest.fixture
def average(monkeypatch):
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("average").average


def model_directory(folder, labels, seed):
    """A model directory with random weights."""
    folder.mkdir()
    (folder / "given.toml").write_text(
        'features.kind = "fbank"\nfront_end.normalise = "utterance"\n'
        "model.hidden = 4\nmodel.layers = 1\n"
    )
    experiment = Experiment.load(folder / "given.toml")
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
    alphabet = Alphabet(labels)
    write_description(folder, experiment, alphabet, front_end, {})
    torch.manual_seed(seed)
    save_weights(folder / WEIGHTS, make_model(experiment, front_end, alphabet).state_dict())
    return folder


def test_every_weight_is_the_mean(average, tmp_path):
    models = [model_directory(tmp_path / str(n), "ab", n) for n in range(3)]
    average(models, tmp_path / "out")
    each = [load_weights(model / WEIGHTS) for model in models]
    found = load_weights(tmp_path / "out" / WEIGHTS)
    assert found.keys() == each[0].keys()
    for name, weight in found.items():
        mean = torch.stack([w[name].double() for w in each]).mean(dim=0)
        torch.testing.assert_close(weight.double(), mean, rtol=1e-6, atol=1e-7)
    assert seqlabel.load(tmp_path / "out").alphabet == Alphabet("ab")


def test_models_with_other_labels_are_refused(average, tmp_path):
    models = [model_directory(tmp_path / labels, labels, 0) for labels in ("ab", "ac")]
    with pytest.raises(InputError, match="ac: has other labels"):
        average(models, tmp_path / "out")
    assert not (tmp_path / "out").exists()
