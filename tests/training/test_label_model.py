"""The label model learns what there is to learn about a chain of labels."""

import math
from dataclasses import replace

import torch

from seqlabel.models.prediction import LabelModel, pad_labels
from seqlabel.models.transducer import Transducer
from seqlabel.training.label_model import pretrain_prediction, train_label_model

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
