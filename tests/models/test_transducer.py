"""The transducer as a criterion: weight counts of the papers, training, pre-training."""

from types import SimpleNamespace

import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.models.ctc import ctc_loss
from seqlabel.models.network import Encoder, ModelOptions
from seqlabel.models.prediction import LabelModel, PredictionNetwork, pad_labels
from seqlabel.models.transducer import Transducer, TransducerDecoder, load_pretrained


def count(*modules):
    return sum(weight.numel() for module in modules for weight in module.parameters())


def batch(labellings):
    targets, target_lengths = pad_labels(labellings)
    return SimpleNamespace(targets=targets, target_lengths=target_lengths)


def test_weight_count_of_graves_2012():
    encoder = LSTM(26, 128, bidirectional=True)
    transducer = Transducer(256, 40, Transducer.Options(prediction=128, joint="product"))
    assert count(encoder, transducer.joint.frames) == 169_768  # CTC alone
    assert count(encoder, transducer) == 261_328
    assert count(LabelModel(40, 128)) == 91_431


def test_weight_count_of_graves_2013():
    encoder = LSTM(123, 250, num_layers=3, bidirectional=True)
    assert count(encoder, Transducer(500, 62, Transducer.Options())) == 4_335_312


def test_prediction_network_begins_with_nothing_and_steps_like_it_runs():
    torch.manual_seed(0)
    prediction = PredictionNetwork(5, 3)
    labellings = [[4, 1, 1], [2]]
    targets, lengths = pad_labels(labellings)
    outputs = prediction(targets, lengths)
    assert outputs.shape == (2, 4, 3)
    start, _ = prediction.step(torch.tensor([0]))
    zero, _ = prediction.lstm(torch.zeros(1, 1, 4))
    torch.testing.assert_close(start[0], zero[0, 0])
    for row, labels in enumerate(labellings):
        predicted, state = prediction.step(torch.tensor([0]))
        for u, k in enumerate([*labels, None]):
            torch.testing.assert_close(predicted[0], outputs[row, u])
            if k is not None:
                predicted, state = prediction.step(torch.tensor([k]), state)


def test_label_model_is_a_distribution_over_labellings_of_each_length():
    torch.manual_seed(0)
    model = LabelModel(4, 3).double()
    labellings = [[a, b] for a in (1, 2, 3) for b in (1, 2, 3)]
    assert abs(model.losses(*pad_labels(labellings)).neg().exp().sum().item() - 1) < 1e-12
    both = model.losses(*pad_labels([[1, 2, 3], [2]]))
    assert both[1].item() == pytest.approx(model.losses(*pad_labels([[2]])).item())


@pytest.mark.parametrize("joint", ["output", "product"])
def test_training_reads_its_own_targets_back(joint):
    torch.manual_seed(0)
    labellings = [[1, 2, 2], [3], []]
    x, lengths = torch.randn(3, 8, 6), torch.tensor([8, 6, 5])
    transducer = Transducer(6, 4, Transducer.Options(prediction=8, hidden=8, joint=joint))
    optimiser = torch.optim.Adam(transducer.parameters(), 0.03)
    for _ in range(100):
        optimiser.zero_grad()
        losses = transducer.losses(x, lengths, batch(labellings))
        losses.sum().backward()
        optimiser.step()
    assert losses.max() < 0.5
    assert transducer.best_labels(x, lengths) == labellings
    alphabet = Alphabet("abc", "character")
    with torch.no_grad():
        frames = transducer.outputs(x, lengths)
    for beam in (0, 4):
        decoder = TransducerDecoder(transducer, alphabet, beam)
        results = decoder.decode(frames.numpy(), lengths.numpy(), n_best=2 if beam else 1)
        assert [result.text for result in results] == ["abb", "c", ""]
        assert [len(result.alternatives) for result in results] == [1 if beam else 0] * 3
        assert all(result.log_prob > (-0.7 if beam else -2) for result in results)
    for beam, n_best in ((0, 2), (4, 0)):
        with pytest.raises(InputError, match=f"n_best is {n_best}"):
            TransducerDecoder(transducer, alphabet, beam).decode(frames, lengths, n_best)
    with pytest.raises(InputError, match="beam = -1"):
        TransducerDecoder(transducer, alphabet, -1)


def toy_problem(seed=0):
    """Frames that name their label, two each, from labellings in which 1 is followed by 2."""
    g = torch.Generator().manual_seed(seed)
    labellings = []
    for _ in range(40):
        starts = torch.randint(0, 2, (3,), generator=g).tolist()
        labellings.append([k for start in starts for k in ((1, 2) if start else (3,))])
    frames = [torch.tensor(labels).repeat_interleave(2) for labels in labellings]
    lengths = torch.tensor([len(f) for f in frames])
    x = torch.zeros(40, int(lengths.max()), 4)
    for row, f in zip(x, frames, strict=True):
        row[: len(f)] = torch.eye(4)[f] + 0.3 * torch.randn(len(f), 4, generator=g)
    return x, lengths, batch(labellings)


def test_pretrained_weights_lower_the_first_losses():
    """F10: an encoder from CTC and a prediction network from a label model."""
    x, lengths, data = toy_problem()
    options = ModelOptions(hidden=8, layers=1)
    torch.manual_seed(1)
    network = torch.nn.ModuleDict(
        {"encoder": Encoder(4, options), "output": torch.nn.Linear(16, 4)}
    )
    label_model = LabelModel(4, 8)
    optimiser = torch.optim.Adam([*network.parameters(), *label_model.parameters()], 0.03)
    for _ in range(40):
        optimiser.zero_grad()
        encoded, _ = network["encoder"](x, lengths)
        sizes = data.targets, data.target_lengths
        loss = ctc_loss(network["output"](encoded), lengths, *sizes).sum()
        (loss + label_model.losses(*sizes).sum()).backward()
        optimiser.step()

    means = {}
    for pretrained in (False, True):
        torch.manual_seed(2)
        encoder = Encoder(4, options)
        transducer = Transducer(16, 4, Transducer.Options(prediction=8, hidden=8))
        if pretrained:
            load_pretrained(encoder, transducer, network.state_dict(), label_model.state_dict())
        weights = [*encoder.parameters(), *transducer.parameters()]
        optimiser = torch.optim.Adam(weights, 0.01)
        losses = []
        for _ in range(6):
            optimiser.zero_grad()
            encoded, _ = encoder(x, lengths)
            loss = transducer.losses(encoded, lengths, data).mean()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        means[pretrained] = sum(losses) / len(losses)
    assert means[True] < means[False] - 0.4


def test_pretrained_weights_must_fit():
    encoder, transducer = (
        Encoder(4, ModelOptions(hidden=8, layers=1)),
        Transducer(16, 4, Transducer.Options(prediction=8, hidden=8)),
    )
    with pytest.raises(InputError, match=r"the label model .*prediction\.lstm.*alphabet"):
        load_pretrained(encoder, transducer, label_model=LabelModel(5, 8).state_dict())
    other = torch.nn.ModuleDict({"encoder": Encoder(4, ModelOptions(hidden=8, layers=2))})
    with pytest.raises(InputError, match=r"the network .*differs"):
        load_pretrained(encoder, transducer, network=other.state_dict())
