"""Every configuration of every recipe is one that the program accepts, down to the network."""

from pathlib import Path

import pytest

from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.models.model import Model
from seqlabel.training.experiment import Experiment
from seqlabel.training.objectives import make_objective
from seqlabel.training.options import Phase

RECIPES = Path(__file__).parents[1] / "recipes"
CONFIGURATIONS = sorted(
    path.relative_to(RECIPES)
    for path in RECIPES.glob("*/conf/*.toml")
    if path.name not in ("data.toml", "sample_speakers.toml")  # of seqlabel prepare
)
SMALL = ("methods",)
"""Recipes of networks of a few cells."""


def test_there_are_some():
    assert len(CONFIGURATIONS) > 12


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=str)
def test_configuration_makes_a_network(path):
    experiment = Experiment.load(RECIPES / path)
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
    model = Model(front_end.dim, 40, experiment.model, experiment.criterion)
    assert model.weight_count > (50 if path.parts[0] in SMALL else 10_000)
    for phase in experiment.phases:
        if isinstance(phase, Phase):
            make_objective(phase)


@pytest.mark.parametrize(
    ("path", "labels", "weights"),
    [
        ("timit/conf/graves2006.toml", 62, 114_662),
        ("iam_ondb/conf/graves2009.toml", 81, 117_681),
        ("iam_ondb/conf/graves2009_raw.toml", 81, 100_881),
        ("timit/conf/graves2013.toml", 62, 3_787_562),
        ("offline/conf/graves2009.toml", 121, 159_369),
    ],
)
def test_published_systems_have_the_published_number_of_weights(path, labels, weights):
    experiment = Experiment.load(RECIPES / path)
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
    model = Model(front_end.dim, labels, experiment.model, experiment.criterion)
    assert model.weight_count == weights
