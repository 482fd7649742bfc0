"""CTC with label priors: enumeration of paths, differences, and the mean of an epoch."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.models.criteria import Ctc, find_criterion
from seqlabel.models.ctc import ctc_loss
from seqlabel.models.label_prior import FLOOR, LabelPrior, ctc_loss_with_shift
from seqlabel.models.model import Model, Terms
from seqlabel.models.network import ModelOptions
from seqlabel.training.method_options import check_criterion
from seqlabel.training.objectives import make_objective
from seqlabel.training.options import Phase

PRIOR = torch.tensor([0.8, 0.05, 0.15], dtype=torch.float64)


def enumerated(logits, labels, prior, scale):
    """-ln Σ Π_t y_t(π_t) / P(π_t)^α of (T, K) logits, path by path, with P as it is."""
    T, K = logits.shape
    y = [[float(p) for p in row] for row in logits.softmax(dim=1)]
    total = 0.0
    for path in itertools.product(range(K), repeat=T):
        if [k for k, _ in itertools.groupby(path) if k] == list(labels):
            total += math.prod(y[t][k] / float(prior[k]) ** scale for t, k in enumerate(path))
    return -math.log(total)


def loss_of(logits, labels, prior=PRIOR, scale=0.6):
    targets, sizes = torch.tensor([labels]).reshape(1, -1).long(), torch.tensor([len(labels)])
    lengths = torch.tensor([len(logits)])
    return ctc_loss_with_shift(logits[None], lengths, targets, sizes, scale * prior.log())[0]


def random_logits(T, K=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(T, K, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("labels", [(), (1,), (2, 1), (1, 1), (2, 1, 2)])
@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0])
def test_loss_equals_the_enumeration_of_paths(labels, scale):
    for T in (3, 5):
        logits = random_logits(T, seed=T)
        expected = enumerated(logits, labels, PRIOR, scale)
        assert loss_of(logits, labels, scale=scale).item() == pytest.approx(expected, rel=1e-12)
    if not scale:
        sizes = torch.tensor([5]), torch.tensor([labels]).reshape(1, -1).long()
        plain = ctc_loss(logits[None], *sizes, torch.tensor([len(labels)]))
        torch.testing.assert_close(loss_of(logits, labels, scale=0.0), plain[0])


def test_scores_are_not_normalised_again():
    """Sum over all labellings: Π_t Σ_k y_t(k) / P(k)^α, which is above 1."""
    logits = random_logits(3)
    labellings = {
        tuple(k for k, _ in itertools.groupby(path) if k)
        for path in itertools.product(range(3), repeat=3)
    }
    total = sum(loss_of(logits, labels).neg().exp() for labels in labellings)
    expected = (logits.softmax(dim=1) / PRIOR**0.6).sum(dim=1).prod()
    torch.testing.assert_close(total, expected)
    assert total > 1


def test_the_gradient_by_differences():
    """y - γ: y of the logits as they are, γ of the paths as they are scored."""
    x, labels, step = random_logits(5).requires_grad_(), (2, 1), 1e-6
    (gradient,) = torch.autograd.grad(loss_of(x, labels), x)
    for t, k in itertools.product(range(5), range(3)):
        ends = []
        for sign in (1, -1):
            moved = x.detach().clone()
            moved[t, k] += sign * step
            ends.append(enumerated(moved, labels, PRIOR, 0.6))
        expected = (ends[0] - ends[1]) / (2 * step)
        assert gradient[t, k].item() == pytest.approx(expected, abs=1e-8)
    occupancy = x.detach().softmax(dim=1) - gradient
    torch.testing.assert_close(occupancy.sum(dim=1), torch.ones(5, dtype=torch.float64))
    blanks = [loss_of(x, labels, scale=scale) for scale in (0.0, 0.6)]
    before, after = (
        (x.softmax(dim=1) - torch.autograd.grad(loss, x)[0])[:, 0].sum() for loss in blanks
    )
    assert after < before  # paths with fewer blanks gain


def test_padding_and_other_rows_have_no_effect():
    x = random_logits(12).reshape(2, 6, 3).requires_grad_()
    sizes = torch.tensor([6, 4]), torch.tensor([[1, 2], [2, 0]]), torch.tensor([2, 1])
    losses = ctc_loss_with_shift(x, *sizes, 0.6 * PRIOR.log())
    torch.testing.assert_close(losses[0], loss_of(x[0], (1, 2)))
    torch.testing.assert_close(losses[1], loss_of(x[1, :4], (2,)))
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    assert not gradient[1, 4:].any()
    assert gradient[1, :4].all()


def log_probs(seed=0, T=5):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, T, 3, generator=g).log_softmax(dim=2)


def test_the_prior_is_the_mean_over_the_frames_of_an_epoch():
    """Of all batches and processes; frames that are not finite are left out."""
    processes = [LabelPrior(3, 0.5), LabelPrior(3, 0.5)]
    frames = []
    for n, prior in enumerate([processes[0], processes[1], processes[0]]):
        found = log_probs(n)
        found[1, 3:] = math.nan  # padding
        if n == 2:
            found[0, 1] = math.nan
        prior.count(found, torch.tensor([5, 3]))
        frames += [found[0], found[1, :3]]
    kept = torch.cat(frames)
    kept = kept[~kept.isnan().any(dim=1)].double().exp()
    assert len(kept) == 3 * 8 - 1
    assert torch.equal(processes[0].log_prior, torch.zeros(3))
    sums = [prior.sums for prior in processes]
    for prior in processes:
        prior.end_epoch(sums)
        torch.testing.assert_close(prior.log_prior, kept.mean(dim=0).log().float())
        assert not prior.sums.any()
    before = processes[0].log_prior
    processes[0].end_epoch([torch.zeros(3, dtype=torch.float64)])  # an epoch without outputs
    assert torch.equal(processes[0].log_prior, before)


def test_a_label_without_probability_has_the_least_prior():
    prior = LabelPrior(3, 0.5)
    prior.count(torch.tensor([[[0.0, -math.inf, -200.0]]]), torch.tensor([1]))
    prior.end_epoch([prior.sums])
    expected = torch.tensor([0.0, math.log(FLOOR), math.log(FLOOR)])
    torch.testing.assert_close(prior.log_prior, expected)


def test_state_of_each_process_goes_through_a_checkpoint():
    first, second = LabelPrior(3, 0.5), LabelPrior(3, 0.5)
    first.log_prior = second.log_prior = PRIOR.log().float()
    first.count(log_probs(0), torch.tensor([5, 5]))
    second.count(log_probs(1), torch.tensor([4, 5]))
    state = first.state_dict([first.sums, second.sums])
    again = [LabelPrior(3, 0.5) for _ in range(3)]
    for rank, prior in enumerate(again[:2]):
        prior.load_state_dict(state, rank, 2)
        assert torch.equal(prior.log_prior, first.log_prior)
        assert torch.equal(prior.sums, [first, second][rank].sums)
    for rank, prior in enumerate(again):
        prior.load_state_dict(state, rank, 3)
    torch.testing.assert_close(again[0].sums, first.sums + second.sums)
    assert not again[1].sums.any()
    assert not again[2].sums.any()


def utterances():
    g = torch.Generator().manual_seed(3)
    x, second = torch.randn(2, 2, 6, 3, generator=g)
    return SimpleNamespace(
        x=x, second=second, lengths=torch.tensor([6, 4]), elapsed=None, heights=None, weight=1.0,
        targets=torch.tensor([[1, 2], [2, 0]]), target_lengths=torch.tensor([2, 1]), ids=("a", "b"),
    )  # fmt: skip


def test_a_model_takes_the_prior_into_its_losses_and_counts_its_outputs_alone():
    """Those of both views, not of the lower layer, and nothing in a process without a part."""
    torch.manual_seed(1)
    model = Model(3, 3, ModelOptions(cell="lstm", hidden=4, layers=2), {"kind": "ctc"})
    prior, batch = LabelPrior(3, 0.6), utterances()
    prior.log_prior = PRIOR.log().float()
    objective = make_objective(Phase(label_prior=0.6), prior)
    found = model(batch, objective, Terms(intermediate=0.3, layer=1, prior=prior))
    taps = {1: torch.empty(0)}
    encoded, lengths = model.encoder(
        torch.cat([batch.x, batch.second]), batch.lengths.repeat(2), taps=taps
    )
    expected = torch.zeros(2)
    for weight, y in ((0.7, encoded), (0.3, taps[1])):
        for view in y.chunk(2):
            expected = expected + weight / 2 * ctc_loss_with_shift(
                model.criterion.output(view), batch.lengths, batch.targets, batch.target_lengths,
                (0.6 * PRIOR.log()).float(),
            )  # fmt: skip
    torch.testing.assert_close(found, expected)
    y = model.criterion.outputs(encoded, lengths).exp().double()
    counted = sum(y[b, :length].sum(dim=0) for b, length in enumerate([6, 4, 6, 4]))
    torch.testing.assert_close(prior.sums, counted)
    before = prior.sums.clone()
    batch.weight = 0.0
    model(batch, objective, Terms(prior=prior))
    assert torch.equal(prior.sums, before)


def test_the_first_epoch_is_plain_ctc():
    torch.manual_seed(1)
    criterion, batch = Ctc(3, 3, Ctc.Options()), utterances()
    assert make_objective(Phase()) is None
    objective = make_objective(Phase(label_prior=0.6), LabelPrior(3, 0.6))
    found = objective(criterion, batch.x, batch.lengths, batch)
    assert torch.equal(found, criterion.losses(batch.x, batch.lengths, batch))


def test_what_has_no_label_prior_is_refused():
    for kind in ("levels", "transducer", "framewise", "regression"):
        criterion, options = find_criterion({"kind": kind})
        with pytest.raises(InputError, match=f"label_prior needs .* 'ctc', not '{kind}'"):
            check_criterion(Phase(label_prior=0.3), criterion, options)
    criterion, options = find_criterion({"kind": "ctc"})
    with pytest.raises(InputError, match="objective = 'expected_error' replaces"):
        check_criterion(Phase(label_prior=0.3, objective="expected_error"), criterion, options)
    with pytest.raises(InputError, match="label_prior must not be negative"):
        Phase(label_prior=-0.1)
