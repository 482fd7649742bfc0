"""Framewise cross-entropy: by hand on small cases."""

import math
from types import SimpleNamespace

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM
from seqlabel.models.framewise import Framewise, segment_weights


def identity(K, **options):
    """A criterion whose logits are what the encoder gives."""
    criterion = Framewise(K - 1, K, Framewise.Options(**options))
    with torch.no_grad():
        criterion.output.weight.copy_(torch.eye(K - 1))
        criterion.output.bias.zero_()
    return criterion


def batch(labels):
    return SimpleNamespace(frame_labels=torch.tensor(labels), ids=("one", "two"))


def test_loss_is_the_sum_over_labelled_frames():
    encoded = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [5.0, -5.0]], [[0.0, 0.0]] * 3])
    lengths, data = torch.tensor([3, 2]), batch([[1, 1, -1], [2, 1, 2]])
    losses = identity(3).losses(encoded, lengths, data)
    first = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2))
    torch.testing.assert_close(losses, torch.tensor([first, 2 * math.log(2)]))
    assert identity(3).frame_errors(encoded, lengths, data) == (2, 4)


def test_weighted_error_counts_every_segment_once():
    labels = torch.tensor([[1, 1, 1, 2, 1, 1], [2, 2, -1, -1, -1, -1]])
    third, half = 1 / 3, 1 / 2
    expected = [[third, third, third, 1, half, half], [half, half, *[1 / 4] * 4]]
    torch.testing.assert_close(segment_weights(labels), torch.tensor(expected))
    criterion, lengths = identity(3, weighted=True), torch.tensor([6, 2])
    losses = criterion.losses(torch.zeros(2, 6, 2), lengths, batch(labels.tolist()))
    torch.testing.assert_close(losses, torch.tensor([3.0, 1.0]) * math.log(2))


def test_delayed_outputs_belong_to_earlier_frames():
    """A network that names each label two frames late is right, up to the utterance's end."""
    labels = torch.tensor([[1, 1, 2, 3, 3, 1], [2, 3, 1, 3, 0, 0]])
    lengths = torch.tensor([6, 4])
    late = torch.roll(labels, 2, dims=1)
    encoded = 9.0 * torch.nn.functional.one_hot(late, 4)[..., 1:].float()
    criterion = identity(4, delay=2)
    log_probs = criterion.outputs(encoded, lengths)
    assert log_probs.shape == (2, 6, 4)
    assert torch.isneginf(log_probs[..., 0]).all()
    for b, length in enumerate(lengths.tolist()):
        known = length - 2
        assert torch.equal(log_probs[b, :known].argmax(-1), labels[b, :known])
        assert (log_probs[b, known:length] == log_probs[b, known - 1]).all()
    assert criterion.best_labels(encoded, lengths) == [[1, 2, 3], [2, 3]]
    errors, frames = criterion.frame_errors(encoded, lengths, batch(labels.tolist()))
    assert (errors, frames) == (1 + 1, 10)


def test_padding_changes_nothing():
    torch.manual_seed(0)
    criterion, encoded = (
        Framewise(5, 4, Framewise.Options(delay=1, weighted=True)),
        torch.randn(2, 7, 5),
    )
    labels, lengths = torch.randint(1, 4, (2, 7)), torch.tensor([7, 4])
    losses = criterion.losses(encoded, lengths, batch(labels.tolist()))
    alone = criterion.losses(encoded[1:, :4], lengths[1:], batch(labels[1:, :4].tolist()))
    torch.testing.assert_close(losses[1:], alone)


def test_weight_counts_of_graves_2005():
    """Memory of the paper's sizes; the layout rules give these totals for them."""
    sizes = {(93, True): 101_245, (140, False): 102_541}
    for (cells, bidirectional), expected in sizes.items():
        encoder = LSTM(26, cells, bidirectional=bidirectional)
        criterion = Framewise(encoder.output_size, 62, Framewise.Options())
        weights = [*encoder.parameters(), *criterion.parameters()]
        assert sum(w.numel() for w in weights) == expected


@pytest.mark.parametrize(
    ("labels", "message"),
    [(None, "one: no hand segmentation"), ([[-1, -1]], "no hand"), ([[1] * 4], "2 outputs for 4")],
)
def test_missing_segmentations_are_named(labels, message):
    data = SimpleNamespace(ids=("one",), frame_labels=labels and torch.tensor(labels))
    with pytest.raises(InputError, match=message):
        identity(3).losses(torch.zeros(1, 2, 2), torch.tensor([2]), data)
