"""The label model learns what there is to learn about a chain of labels."""

import math
from dataclasses import replace

import torch

from seqlabel.models.prediction import LabelModel, pad_labels
from seqlabel.models.transducer import Transducer
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.label_model import pretrain_prediction, train_label_model
from seqlabel.training.run import train as run
from seqlabel.training.run_directory import WEIGHTS, load_weights, save_weights

FOLLOWS = {0: (1, 2, 3), 1: (2,), 2: (1, 3), 3: (1, 2)}
"""Which labels may follow, with equal chances; 0 stands before the first."""


def chains(n, seed):
    g = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n):
        labels = [0]
        for _ in range(8):
            choices = FOLLOWS[labels[-1]]
            labels.append(choices[int(torch.randint(len(choices), (1,), generator=g))])
        found.append(labels[1:])
    return found


def test_the_loss_comes_near_the_entropy_of_the_chain():
    training, dev = chains(200, 0), chains(100, 1)
    entropy = sum(math.log(len(FOLLOWS[k])) for labels in dev for k in (0, *labels[:-1])) / sum(
        map(len, dev)
    )
    torch.manual_seed(0)
    model = LabelModel(4, 12)
    loss = train_label_model(model, training, dev, epochs=8, learning_rate=0.02)
    assert entropy - 1e-3 < loss < entropy + 0.06
    with torch.no_grad():
        kept = float(model.losses(*pad_labels(dev)).sum()) / sum(map(len, dev))
    assert abs(kept - loss) < 1e-5


def test_a_transducer_takes_the_prediction_network_and_nothing_else():
    training, dev = chains(60, 0), chains(20, 1)
    options = Transducer.Options(prediction=12, hidden=5, label_epochs=4)
    transducers = []
    for epochs in (4, 4, 0):
        torch.manual_seed(3)
        transducer = Transducer(6, 4, replace(options, label_epochs=epochs))
        pretrain_prediction(transducer, training, dev, seed=1)
        transducers.append(transducer.state_dict())
    first, again, plain = transducers
    for name, weight in first.items():
        assert torch.equal(weight, again[name])
        assert torch.equal(weight, plain[name]) != name.startswith("prediction.")


def test_labels_that_are_not_known_are_no_reason_to_stop(caplog):
    """Without known labels in dev the last weights stay, without any in training nothing is."""
    options = Transducer.Options(prediction=6, hidden=5, label_epochs=2)
    found = {}
    for name, training, dev in (
        ("no dev", chains(40, 0), [[1, 0], []]),
        ("no training", [[0, 1], []], chains(9, 1)),
    ):
        torch.manual_seed(3)
        transducer = Transducer(6, 4, options)
        before = {name: w.clone() for name, w in transducer.prediction.state_dict().items()}
        caplog.clear()
        pretrain_prediction(transducer, training, dev, seed=1)
        after = transducer.prediction.state_dict()
        found[name] = any(not torch.equal(w, after[name]) for name, w in before.items())
        assert len(caplog.records) == 1
    assert found == {"no dev": True, "no training": False}
    torch.manual_seed(0)
    model, reference = LabelModel(4, 6), LabelModel(4, 6)
    reference.load_state_dict(model.state_dict())
    assert math.isnan(train_label_model(model, chains(40, 0), [], epochs=2))
    train_label_model(reference, chains(40, 0), chains(9, 1), epochs=2)  # better in each epoch
    for weight, expected in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(weight, expected)


def test_a_prediction_network_that_was_taken_is_not_trained_again(
    tiny_corpus, config, tmp_path, monkeypatch
):
    def keep_weights(run):
        save_weights(run.folder / WEIGHTS, run.model.state_dict())

    def weights(name, *overrides):
        options = [
            "criterion={kind='transducer', prediction=6, hidden=8, label_epochs=1}",
            "phases=[{}]",
        ]
        experiment = Experiment.load(config, [*options, *overrides])
        run(experiment, tiny_corpus, tmp_path / name, Workers())
        return load_weights(tmp_path / name / WEIGHTS)

    monkeypatch.setattr("seqlabel.training.run.run_phases", keep_weights)
    first, initial = weights("first"), f"initial={tmp_path / 'first'}"
    second = weights("second", initial, "seed=8")
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
    plain, trained = (
        weights(f"wider {epochs}", initial, "criterion.prediction=7",
                f"criterion.label_epochs={epochs}")
        for epochs in (0, 1)
    )  # fmt: skip
    names = [name for name in plain if not torch.equal(plain[name], trained[name])]
    assert names
    assert all(name.startswith("criterion.prediction.") for name in names)
