"""Hierarchical CTC: one level is CTC, levels by enumeration, gradients, and bad input."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.data.tensors import pad_targets
from seqlabel.decoding import BeamDecoder, GreedyDecoder, LevelsDecoder
from seqlabel.errors import InputError
from seqlabel.models.criteria import Ctc, find_criterion
from seqlabel.models.hierarchy import HierarchicalCtc
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.models.targets import RowError

OPTIONS = HierarchicalCtc.Options(hidden=3)
LENGTHS = torch.tensor([5, 4])


def batch(*levels):
    """Targets of each level, the finest first and the labels last, for two utterances."""
    *below, top = map(pad_targets, levels)
    return SimpleNamespace(
        targets=top[0], target_lengths=top[1], levels=tuple(below), ids=("a", "b")
    )


def make(labels, levels=(), options=OPTIONS):
    torch.manual_seed(3)
    criterion = HierarchicalCtc(4, labels, options, levels).double()
    with torch.no_grad():
        for weight in criterion.parameters():
            weight.normal_(0, 0.7)
    return criterion


def frames(seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, 5, 4, generator=g, dtype=torch.float64)


def test_with_one_level_it_is_ctc():
    ours, ctc = make(3), Ctc(4, 3, Ctc.Options()).double()
    ctc.output.load_state_dict(ours.layers[0].state_dict())
    encoded, targets = frames(), batch([[1, 2], [2]])
    assert sum(w.numel() for w in ours.parameters()) == sum(w.numel() for w in ctc.parameters())
    for name in ("losses", "outputs", "best_labels"):
        arguments = (encoded, LENGTHS, targets)[: 3 if name == "losses" else 2]
        found, expected = getattr(ours, name)(*arguments), getattr(ctc, name)(*arguments)
        assert torch.equal(found, expected) if name != "best_labels" else found == expected


def labelling_loss(probabilities, labels):
    """-ln of the sum over all paths that spell the labels, by enumeration."""
    total = 0.0
    for path in itertools.product(range(probabilities.shape[1]), repeat=len(probabilities)):
        merged = [k for k, _ in itertools.groupby(path) if k]
        if merged == labels:
            total += math.prod(float(p[k]) for p, k in zip(probabilities, path, strict=True))
    return -math.log(total)


def test_losses_of_three_levels_are_those_of_all_paths():
    options = HierarchicalCtc.Options(hidden=3, weights=(0.5, 2.0, 1.0))
    criterion = make(3, (4, 3), options)
    encoded, targets = frames(), ([[3, 1, 2], [2, 1]], [[1, 2], [1]], [[2], [1, 2]])
    found = criterion.losses(encoded, LENGTHS, batch(*targets))
    for b, length in enumerate(LENGTHS.tolist()):
        x, expected = encoded[b : b + 1, :length], 0.0
        for level, weight in enumerate(options.weights):
            if level:
                x, _ = criterion.stacks[level - 1](x)  # what the level below says is all it sees
            x = criterion.layers[level](x).softmax(dim=2)
            expected += weight * labelling_loss(x[0].detach(), targets[level][b])
        assert found[b].item() == pytest.approx(expected, rel=1e-9)


def test_gradients_are_finite_differences():
    criterion = make(3, (4,))
    targets = batch([[3, 1, 2], [2, 1]], [[1], [2, 1]])
    encoded = frames().requires_grad_()
    weights = list(criterion.parameters())

    def run(encoded, *weights):
        return criterion.losses(encoded, LENGTHS, targets)

    assert torch.autograd.gradcheck(run, (encoded, *weights), atol=1e-6)


def test_a_level_sends_error_back_through_what_it_sees_of_the_one_below():
    """da_k = y_k (d_k - Σ_j y_j d_j): without a loss of its own the level below learns too."""
    criterion = make(3, (4,), HierarchicalCtc.Options(hidden=3, weights=(0.0, 1.0)))
    targets = batch([[3, 1, 2], [2, 1]], [[1], [2, 1]])
    logits = criterion.layers[0](frames()).detach().requires_grad_()
    y = logits.softmax(dim=2).detach().requires_grad_()
    above, _ = criterion.stacks[0](y, LENGTHS)
    losses = criterion.losses(frames(), LENGTHS, targets)
    again = Ctc(6, 3, Ctc.Options()).double()
    again.output.load_state_dict(criterion.layers[1].state_dict())
    expected = again.losses(above, LENGTHS, targets)
    torch.testing.assert_close(losses, expected)
    (d,) = torch.autograd.grad(expected.sum(), y)
    da = y * (d - (y * d).sum(dim=2, keepdim=True))
    losses.sum().backward()
    torch.testing.assert_close(criterion.layers[0].bias.grad, da.sum(dim=(0, 1)))


def test_the_cells_above_may_be_projected():
    options = HierarchicalCtc.Options(hidden=3, cell={"projection": 2})
    criterion = make(3, (4,), options)
    assert [s.shape[2] for s in criterion.scores(frames(), LENGTHS)] == [4, 3]


def test_all_levels_are_read_in_one_call():
    phones, words = Alphabet(["p", "q", "r"], "phone"), ["one", "two"]
    alphabet = Alphabet(words, "word", [("phone", phones)])
    criterion, encoded = make(3, (4,)), frames()
    log_probs = criterion.outputs(encoded, LENGTHS).detach().numpy()
    assert log_probs.shape == (2, 5, 7)
    np.testing.assert_allclose(np.exp(log_probs[:, :, :3]).sum(axis=2), 1)
    np.testing.assert_allclose(np.exp(log_probs[:, :, 3:]).sum(axis=2), 1)
    for labels in (GreedyDecoder(alphabet), BeamDecoder(alphabet, 5)):
        results = LevelsDecoder(alphabet, labels).decode(log_probs, LENGTHS)
        tops = labels.decode(log_probs[:, :, :3], LENGTHS)
        below = GreedyDecoder(phones).decode(log_probs[:, :, 3:], LENGTHS)
        for result, top, level in zip(results, tops, below, strict=True):
            assert result.labels == top.labels
            assert result.levels == {"phone": level}
            assert result.to_json()["levels"] == {"phone": list(level.labels)}
            timed = result.with_times([0.1 * t for t in range(5)], 0.1)
            assert (
                timed.levels["phone"].spans
                == level.with_times([0.1 * t for t in range(5)], 0.1).spans
            )
    best = criterion.best_labels(encoded, LENGTHS)
    greedy = GreedyDecoder(alphabet).decode(log_probs[:, :, :3], LENGTHS)
    assert [alphabet.decode(labels) for labels in best] == [result.labels for result in greedy]
    with pytest.raises(InputError, match=r"\(B, T, 7\) is expected, K = 3 \+ 4"):
        LevelsDecoder(alphabet, GreedyDecoder(alphabet)).decode(log_probs[:, :, :5], LENGTHS)


def test_padding_and_mates_change_nothing():
    torch.manual_seed(0)
    model = Model(4, 3, ModelOptions(hidden=5, layers=1), {"kind": "levels", "hidden": 4}, [4])
    x = torch.randn(2, 5, 4)
    outputs, _ = model.outputs(x, LENGTHS)
    spoilt = x.clone()
    spoilt[1, 4:] = 1e3
    torch.testing.assert_close(model.outputs(spoilt, LENGTHS)[0][1, :4], outputs[1, :4])
    alone, _ = model.outputs(x[1:, :4], LENGTHS[1:])
    torch.testing.assert_close(alone[0], outputs[1, :4], rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_named():
    criterion, encoded = make(3, (4,)), frames()
    with pytest.raises(RowError, match="row 1 of the batch: 4 frames are too few for 3 labels"):
        criterion.losses(encoded, LENGTHS, batch([[1], [2, 2, 2]], [[1], [1]]))
    with pytest.raises(InputError, match="a: 0 levels below its labels, but the network has 1"):
        criterion.losses(encoded, LENGTHS, batch([[1], [1]]))
    with pytest.raises(InputError, match="3 for 2 levels"):
        make(3, (4,), HierarchicalCtc.Options(weights=(1.0, 1.0, 1.0)))
    for table, message in (
        ({"weights": [1.0, 0.0]}, "that of the labels must be above 0"),
        ({"weights": [-1.0, 1.0]}, "not be negative"),
        ({"cell": "tlstm"}, "needs the time between frames"),
        ({"hidden": 0}, "hidden and layers must be at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            find_criterion({"kind": "levels", **table})
