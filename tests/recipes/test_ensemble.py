"""recipes/an4/ensemble.py: what several models choose, against the enumeration of all paths."""

import importlib
import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import Result
from seqlabel.errors import InputError

RECIPE = Path(__file__).parents[2] / "recipes" / "an4"
ALPHABET = Alphabet(["a", "b"])


@pytest.fixture
def ensemble(monkeypatch):
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("ensemble")


def labelling_probabilities(x):
    """The probability of every labelling: (T, K) log-probabilities -> {labels: p}."""
    found = {}
    for path in itertools.product(range(x.shape[1]), repeat=len(x)):
        labels = tuple("-ab"[k] for k, _ in itertools.groupby(path) if k)
        p = math.exp(sum(x[t, k] for t, k in enumerate(path)))
        found[labels] = found.get(labels, 0.0) + p
    return found


def made(seed):
    """Log-probabilities of two models for four frames, and of each every labelling's."""
    rng = np.random.default_rng(seed)
    frames = [torch.from_numpy(2 * rng.standard_normal((4, 3))).log_softmax(dim=1) for _ in "12"]
    return frames, [labelling_probabilities(x.numpy()) for x in frames]


@pytest.mark.parametrize("seed", range(5))
def test_the_labelling_with_the_largest_mean(ensemble, seed):
    frames, known = made(seed)
    bonus = 0.3  # stands for a language model: nats for every label
    results = []
    for p in known:
        ranked = sorted(p, key=lambda labels: -p[labels])
        proposed = [Result(k, math.log(p[k]) + bonus * len(k)) for k in ranked]
        results.append(Result(ranked[0], proposed[0].log_prob, alternatives=tuple(proposed[1:])))
    best = ensemble.choose(results, frames, ALPHABET)
    totals = {k: sum(math.log(p[k]) for p in known) / 2 + bonus * len(k) for k in known[0]}
    assert best.labels == max(totals, key=totals.__getitem__)
    assert best.log_prob == pytest.approx(totals[best.labels], rel=1e-9)


def test_one_model_keeps_its_best(ensemble):
    frames, known = made(0)
    ranked = sorted(known[0], key=lambda labels: -known[0][labels])[:3]
    results = [Result(k, math.log(known[0][k])) for k in ranked]
    alone = Result(ranked[0], results[0].log_prob, alternatives=tuple(results[1:]))
    assert ensemble.choose([alone], frames[:1], ALPHABET).labels == ranked[0]


def test_models_that_cannot_choose_together(ensemble, monkeypatch):
    def model(alphabet=ALPHABET, per_label=True):
        network = SimpleNamespace(per_label=per_label)
        return SimpleNamespace(values=None, network=network, alphabet=alphabet)

    paths = [Path("one"), Path("two")]
    ensemble.check_models([model(), model()], paths)
    with pytest.raises(InputError, match="two: has other labels than one"):
        ensemble.check_models([model(), model(Alphabet(["a", "c"]))], paths)
    with pytest.raises(InputError, match="two: gives no probabilities"):
        ensemble.check_models([model(), model(per_label=False)], paths)
    monkeypatch.setattr("sys.argv", ["ensemble.py", "test.jsonl", "one", "--out", "hyp.jsonl"])
    with pytest.raises(InputError, match="give --beam 50"):
        ensemble.main()
