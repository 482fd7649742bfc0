"""A language model over labels, to pre-train a transducer's prediction network (Graves 2013)."""

import copy
import logging
import math
from collections.abc import Sequence

import torch

from seqlabel.alphabet import BLANK
from seqlabel.models.prediction import LabelModel, pad_labels
from seqlabel.models.transducer import Transducer

log = logging.getLogger("seqlabel")


def pretrain_prediction(
    transducer: Transducer,
    training: Sequence[Sequence[int]],
    dev: Sequence[Sequence[int]],
    seed: int,
) -> None:
    """Give a transducer the prediction network of a label model trained on the same labellings.

    Trains `label_epochs` of the transducer's options; does nothing if that is 0. Labellings with
    a label that the alphabet lacks (0) are left out; if none is left to train on, a warning says so
    and the prediction network stays as it is.
    """
    options, prediction = transducer.options, transducer.prediction
    if not options.label_epochs:
        return
    training, dev = (
        [labels for labels in part if labels and BLANK not in labels] for part in (training, dev)
    )
    if not training:
        log.warning("label_epochs: no labels to train on; the prediction network is not trained")
        return
    model = LabelModel(prediction.labels, options.prediction, options.cell)
    train_label_model(model, training, dev, options.label_epochs, seed=seed)
    prediction.load_state_dict(model.prediction.state_dict())


def train_label_model(
    model: LabelModel,
    training: Sequence[Sequence[int]],
    dev: Sequence[Sequence[int]],
    epochs: int = 20,
    learning_rate: float = 3e-3,
    batch: int = 32,
    seed: int = 1,
) -> float:
    """Train `model` on labellings (indices from 1) with Adam; it ends with its best weights on dev.

    Returns the minimum dev loss in nats per label. Without dev labellings it ends with its last
    weights, a warning says so, and the loss is NaN.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), learning_rate)
    labels = max(1, sum(map(len, dev)))
    least, best = math.inf, model.state_dict()
    for _ in range(epochs):
        order = torch.randperm(len(training), generator=generator).tolist()
        for start in range(0, len(order), batch):
            optimiser.zero_grad(set_to_none=True)
            chosen = [training[n] for n in order[start : start + batch]]
            (model.losses(*pad_labels(chosen)).sum() / sum(map(len, chosen))).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        if not dev:
            continue
        with torch.no_grad():
            loss = float(model.losses(*pad_labels(dev)).sum()) / labels
        if loss < least:
            least, best = loss, copy.deepcopy(model.state_dict())
    if not dev:
        log.warning("label model: dev has no known labels; the weights of the last epoch are kept")
        return math.nan
    model.load_state_dict(best)
    log.info("label model: dev perplexity %.2f after at most %d epochs", math.exp(least), epochs)
    return least
