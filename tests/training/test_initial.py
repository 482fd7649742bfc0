"""Weights of another model as a start: by name and shape, those of labels by symbol."""

import logging

import pytest
import torch

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.initial import joined_alphabet, label_axes, take_weights
from seqlabel.training.run import train
from seqlabel.training.run_directory import save_weights

OLD = Alphabet("abc", "character")
NEW = Alphabet("cdba", "character")
BELOW = Alphabet(["x", "y"], "phone")
CRITERIA = {
    "ctc": {"kind": "ctc"},
    "framewise": {"kind": "framewise"},
    "transducer": {"kind": "transducer", "prediction": 4, "hidden": 3, "cell": "lstm"},
    "product": {"kind": "transducer", "prediction": 4, "joint": "product", "cell": "lstm"},
    "levels": {"kind": "levels", "hidden": 3},
}


def network(kind, sizes, seed=0):
    torch.manual_seed(seed)
    *levels, labels = sizes
    return Model(5, labels, ModelOptions(hidden=3, layers=1), CRITERIA[kind], levels)


@pytest.fixture
def start(tmp_path):
    """Writes a model directory as far as its weights and labels are concerned."""

    def start(kind, alphabet, seed=1):
        sizes = [*(len(below) for _, below in alphabet.levels), len(alphabet)]
        model = network(kind, sizes, seed)
        alphabet.save(tmp_path / "alphabet.json")
        save_weights(tmp_path / "weights.safetensors", model.state_dict())
        return model.state_dict()

    return start


@pytest.mark.parametrize("kind", ["ctc", "framewise", "transducer", "product"])
def test_labels_keep_their_weights_wherever_they_stand(kind, start, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    found = start(kind, OLD)
    model = network(kind, [len(NEW)])
    fresh = {name: weight.clone() for name, weight in model.state_dict().items()}
    taken = take_weights(model, NEW, tmp_path, lambda sizes: network(kind, sizes))
    assert taken == set(fresh)
    assert "3 of 4 labels are known to it, not d" in caplog.text
    axes = label_axes(lambda sizes: network(kind, sizes), [len(NEW)])
    assert axes
    for name, weight in model.state_dict().items():
        if name not in axes:
            assert torch.equal(weight, found[name]), name
            continue
        axis, _ = axes[name]
        blank = weight.shape[axis] - len(NEW.symbols)  # 1 where index 0 is the blank
        places = {symbol: n + blank for n, symbol in enumerate(NEW.symbols)}
        before = {symbol: n + blank for n, symbol in enumerate(OLD.symbols)}
        if blank:
            places["blank"] = before["blank"] = 0
        for symbol, place in places.items():
            expected = fresh[name].select(axis, place)
            if symbol != "d":
                expected = found[name].select(axis, before[symbol])
            assert torch.equal(weight.select(axis, place), expected)


def test_the_labels_of_each_level(start, tmp_path):
    old = Alphabet("abc", "word", [("phone", BELOW)])
    new = Alphabet("bcd", "word", [("phone", Alphabet(["y", "z"], "phone"))])
    found = start("levels", old)
    model = network("levels", [3, 4])
    take_weights(model, new, tmp_path, lambda sizes: network("levels", sizes))
    now = model.state_dict()
    phones, words = "criterion.layers.0.weight", "criterion.layers.1.weight"
    assert torch.equal(now[phones][1], found[phones][2])  # y
    assert torch.equal(now[words][[0, 1, 2]], found[words][[0, 2, 3]])  # blank, b, c
    axes = label_axes(lambda sizes: network("levels", sizes), [3, 4])
    inputs = [name for name in axes if name.startswith("criterion.stacks.0")]
    assert inputs
    for name in inputs:
        assert axes[name] == (1, 0)
        assert torch.equal(now[name][:, [0, 1]], found[name][:, [0, 2]])  # blank, y


def test_equal_alphabets_are_copied_and_others_of_equal_size_are_not(start, tmp_path):
    found = start("ctc", OLD)
    model = network("ctc", [4])
    take_weights(model, OLD, tmp_path, lambda sizes: network("ctc", sizes))
    assert all(torch.equal(weight, found[name]) for name, weight in model.state_dict().items())
    model = network("ctc", [4])
    output = model.criterion.output.weight.detach().clone()
    take_weights(model, Alphabet("ABC", "character"), tmp_path, lambda s: network("ctc", s))
    assert torch.equal(model.criterion.output.weight[1:], output[1:])
    assert torch.equal(model.criterion.output.weight[0], found["criterion.output.weight"][0])
    model = network("ctc", [4])
    take_weights(model, Alphabet("abc", "phone"), tmp_path, lambda s: network("ctc", s))
    assert torch.equal(model.criterion.output.weight[1:], output[1:])


def test_what_does_not_fit_is_named(start, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    start("ctc", OLD)
    model = network("framewise", [4])
    taken = take_weights(model, OLD, tmp_path, lambda sizes: network("framewise", sizes))
    assert "criterion.output.weight" not in taken
    assert "not criterion.output.weight, criterion.output.bias" in caplog.text
    torch.manual_seed(0)
    other = Model(7, 4, ModelOptions(hidden=6, layers=1), {"kind": "framewise"})
    with pytest.raises(InputError, match="none of the weights fits the network"):
        take_weights(other, OLD, tmp_path, lambda sizes: other)


def test_alphabets_are_joined(start, tmp_path):
    start("ctc", OLD)
    assert joined_alphabet(Alphabet("dca", "character"), tmp_path).symbols == tuple("abcd")
    for other in (Alphabet("abc", "phone"), Alphabet("abc", "character", [("phone", BELOW)])):
        with pytest.raises(InputError, match=r"alphabet\.json: keep_labels joins alphabets of one"):
            joined_alphabet(other, tmp_path)


def test_a_training_keeps_the_labels_of_the_first_model(tiny_corpus, config, tmp_path):
    own = Alphabet.load(tiny_corpus / "alphabet.json")
    first = tmp_path / "first"
    train(Experiment.load(config, ["phases.0.epochs=1"]), tiny_corpus, first, Workers())
    other = Alphabet(["#", *own.symbols[1:]], own.unit)  # "#" stands where the first symbol stood
    other.save(first / "alphabet.json")
    begun = tmp_path / "begun"
    settings = [f"initial={first}", "keep_labels=true", "phases.0.epochs=1"]
    train(Experiment.load(config, settings), tiny_corpus, begun, Workers())
    model = seqlabel.load(begun)
    assert set(model.alphabet.symbols) == {"#", *own.symbols}
    train(Experiment.load(config, settings), tiny_corpus, begun, Workers(), resume=True)
    with pytest.raises(InputError, match="keep_labels needs a model whose labels are kept"):
        Experiment.load(config, ["keep_labels=true"])
