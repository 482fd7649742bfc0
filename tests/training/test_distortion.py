"""Distorted utterances stay long enough for their labels, as the criterion sees them."""

from dataclasses import replace

import numpy as np

from seqlabel.inputs import Ink
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.setup import load_datasets


def fewer_points(ink, rng):
    """Every third point."""
    return Ink([stroke[::3] for stroke in ink.strokes])


def test_an_utterance_that_a_distortion_would_make_too_short_stays_as_it_is(tiny_corpus, config):
    experiment = replace(Experiment.load(config), features={"kind": "ink_raw"})  # a frame a point
    _, train, _ = load_datasets(experiment, tiny_corpus, Workers())
    needed, kept = train.utterances.needed, []
    for subsample in (1, 16):
        train.distortion = replace(train.distortion, signal=fewer_points, subsample=subsample)
        plain = np.array([int(train.batch([n]).lengths) for n in range(len(train))])
        lengths = np.array([int(train.batch([n], seed=[1]).lengths) for n in range(len(train))])
        assert (np.ceil(lengths / subsample) >= needed).all()
        kept.append((lengths == plain).mean())
    assert kept[0] == 0 < kept[1] < 1
