"""The CTC loss against enumeration of all paths, finite differences and torch's own."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlabel.alphabet import required_frames
from seqlabel.errors import InputError
from seqlabel.models import ctc_kernel
from seqlabel.models.ctc import ctc_loss
from seqlabel.models.targets import RowError


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """B of the paper: repeats merged, then blanks dropped."""
    return tuple(k for k, _ in itertools.groupby(path) if k)


def log_p_of_labellings(logits: Tensor) -> dict[tuple[int, ...], Tensor]:
    """ln p(l|x) of every labelling that (T, K) logits give any probability, path by path."""
    T, K = logits.shape
    paths = list(itertools.product(range(K), repeat=T))
    log_y = logits.log_softmax(-1)
    log_p = log_y[torch.arange(T), torch.tensor(paths)].sum(1)
    members: dict[tuple[int, ...], list[int]] = {}
    for n, path in enumerate(paths):
        members.setdefault(collapse(path), []).append(n)
    return {labels: log_p[rows].logsumexp(0) for labels, rows in members.items()}


def one(logits: Tensor, labels: tuple[int, ...]) -> Tensor:
    """Loss of a single labelling of (T, K) logits."""
    targets = torch.tensor([labels], dtype=torch.int64).reshape(1, -1)
    return ctc_loss(logits[None], torch.tensor([len(logits)]), targets, torch.tensor([len(labels)]))


def random_batch(B=4, T=30, K=7, S=8, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(B, T, K, generator=g, dtype=dtype)
    lengths = torch.randint(2 * S, T + 1, (B,), generator=g)
    target_lengths = torch.randint(0, S + 1, (B,), generator=g)
    targets = torch.randint(1, K, (B, S), generator=g)
    return logits, lengths, targets, target_lengths


@pytest.mark.parametrize("T", [1, 2, 4, 6])
def test_loss_and_gradient_equal_the_enumeration_of_paths(T):
    logits = torch.randn(T, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(T))
    mine, twin = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    enumerated = log_p_of_labellings(twin)
    for S in range(4):
        for labels in itertools.product((1, 2), repeat=S):
            if labels not in enumerated:
                assert required_frames(labels) > T
                with pytest.raises(RowError, match="too few"):
                    one(mine, labels)
                continue
            assert required_frames(labels) <= T
            loss, expected = one(mine, labels)[0], -enumerated[labels]
            torch.testing.assert_close(loss, expected, rtol=0, atol=1e-10)
            (gradient,) = torch.autograd.grad(loss, mine)
            (expected_gradient,) = torch.autograd.grad(expected, twin, retain_graph=True)
            torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=1e-10)


def test_probabilities_of_all_labellings_sum_to_one():
    logits = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    total = sum(one(logits, labels).neg().exp() for labels in log_p_of_labellings(logits))
    assert abs(float(total) - 1) < 1e-12


def occupancies(y, labels):
    """(loss, blanks, labels) by rescaling and by logarithms. y: (T, K) probabilities."""
    T, S = len(y), len(labels)
    label_probs = np.zeros((T, S + 1))
    label_probs[:, :S] = y[:, labels]
    skip = np.ones(S + 2)
    skip[1:S] = np.diff(labels) != 0
    results = []
    with np.errstate(divide="ignore"):
        inputs = (y[:, 0], label_probs), (np.log(y[:, 0]), np.log(label_probs))
    functions = ctc_kernel.rescaled_occupancy, ctc_kernel.log_occupancy
    for occupancy, (phi, probs) in zip(functions, inputs, strict=True):
        blank, label = np.full((2, T, S + 2), np.nan)
        loss = occupancy(phi.copy(), probs, skip, blank, label)
        results.append((loss, blank[:, 1:], label[:, 1 : S + 1]))
    return results


def test_log_domain_gives_what_rescaling_gives():
    rng = np.random.default_rng(1)
    for T, labels in ((1, []), (1, [2]), (9, [1, 1, 2]), (30, [3, 1, 2, 2, 2, 4]), (7, [1, 2] * 3)):
        rescaled, logarithms = occupancies(rng.dirichlet(np.ones(5), T), labels)
        for a, b in zip(rescaled, logarithms, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_rescaling_is_right_or_gives_up(cases):
    """Probabilities from 1 down to the smallest numbers, and some that are zero."""
    rng = np.random.default_rng(4)
    given_up = compared = 0
    for _ in cases(4000):
        T, labels = int(rng.integers(1, 8)), rng.integers(1, 3, rng.integers(0, 4)).tolist()
        if required_frames(labels) > T:
            continue
        y = 10.0 ** -(rng.choice([0.5, 10, 160, 305, 320], (T, 1)) * rng.random((T, 3)))
        y[rng.random((T, 3)) < 0.05] = 0.0
        y[y.sum(1) == 0] = 1.0
        rescaled, logarithms = occupancies(y / y.sum(1, keepdims=True), labels)
        if rescaled[0] == np.inf:
            given_up += 1
            continue
        compared += 1
        for a, b in zip(rescaled, logarithms, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    assert given_up > 0.02 * compared
    assert compared > given_up


def test_rescaling_does_not_give_up_on_a_large_loss_alone():
    """exp(-loss) is no number, but no state was lost: the slow way would be taken for nothing."""
    y = np.full((900, 4), 0.25)
    rescaled, logarithms = occupancies(y, [1, 2, 2])
    assert rescaled[0] > 900
    for a, b in zip(rescaled, logarithms, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_a_path_that_is_lost_from_both_ends_is_not_overlooked():
    """The likeliest path is ahead of the others by ten labels, and pays for it at both ends.

    Each pass loses it at its own end, before it would outweigh the others, which pay 1e-39 at
    every frame of the middle. Wherever the two passes meet, only the others are left.
    """
    lead, middle = 10, 16
    S = lead + middle
    y = np.full((lead + middle + lead + 1, S + 1), 1e-39)
    y[:lead] = 10.0**-30.3
    y[:lead, 0] = 1.0
    for t in range(middle):
        y[lead + t, lead + t + 1] = 1.0
    y[-lead - 1 :, S] = 10.0**-30.3
    for t in range(lead + 1):
        y[t - lead - 1, middle + t] = 1.0
    y /= y.sum(1, keepdims=True)
    labels = list(range(1, S + 1))
    rescaled, logarithms = occupancies(y, labels)
    np.testing.assert_allclose(logarithms[0], 606 * np.log(10), rtol=1e-6)  # 2 x 10 x 30.3
    assert logarithms[2][lead + middle // 2].argmax() == lead + middle // 2
    assert rescaled[0] == np.inf


@pytest.mark.parametrize(
    "first",
    [[[1.0, 0.0], [1.0, 1e-305]], [[0.0, 1.0], [1e-305, 1.0]]],
    ids=["label", "blank"],
)
def test_a_lost_state_of_a_large_loss_makes_it_give_up(first):
    """One state is lost at the second frame; eight frames of 1e-100 make the loss large."""
    assert occupancies(np.array([*first, [0.5, 0.5]]), [1])[0][0] < np.inf
    rescaled, logarithms = occupancies(np.array(first + 8 * [[1e-100, 1e-100]]), [1])
    assert logarithms[0] > ctc_kernel.SAFE
    assert rescaled[0] == np.inf


def test_gradient_of_every_frame_sums_to_zero_and_padding_gets_none():
    logits, lengths, targets, target_lengths = random_batch()
    logits.requires_grad_()
    ctc_loss(logits, lengths, targets, target_lengths).sum().backward()
    assert logits.grad.sum(-1).abs().max() < 1e-12
    for b, length in enumerate(lengths):
        assert logits.grad[b, :length].abs().sum(-1).min() > 0
        assert not logits.grad[b, length:].any()


def test_gradient_equals_finite_differences():
    logits, lengths, targets, target_lengths = random_batch(B=2, T=8, K=4, S=3)
    weight = torch.tensor([1.0, -0.3], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: ctc_loss(x, lengths, targets, target_lengths) * weight, logits.requires_grad_()
    )


@pytest.mark.parametrize(("scale", "dtype"), [(1, torch.float64), (8, torch.float64)])
def test_equal_to_torch(scale, dtype):
    logits, lengths, targets, target_lengths = random_batch(B=6, T=60, K=20, S=15, seed=3)
    results = []
    for theirs in (False, True):
        x = (scale * logits).to(dtype).requires_grad_()
        if theirs:
            log_probs = x.log_softmax(-1).transpose(0, 1)
            loss = F.ctc_loss(log_probs, targets, lengths, target_lengths, reduction="none")
        else:
            loss = ctc_loss(x, lengths, targets, target_lengths)
        loss.sum().backward()
        results.append((loss.detach(), x.grad))
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-10)


def test_float32_is_as_good_as_its_input():
    logits, lengths, targets, target_lengths = random_batch(B=3, T=200, K=40, S=30, seed=5)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        x = logits.float().to(dtype).requires_grad_()
        loss = ctc_loss(x, lengths, targets, target_lengths)
        assert loss.dtype == dtype
        loss.sum().backward()
        gradients.append(x.grad.double())
    assert (gradients[0] - gradients[1]).abs().max() < 1e-6


def test_extreme_logits_leave_loss_and_gradient_finite_and_right():
    """Confident nonsense: the labels' probabilities lie hundreds of orders below the others'."""
    T, K, S = 2000, 30, 400
    g = torch.Generator().manual_seed(7)
    logits = (20 * torch.randn(T, K, generator=g, dtype=torch.float64)).requires_grad_()
    labels = tuple(torch.randint(1, K, (S,), generator=g).tolist())
    loss = one(logits, labels)
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.sum(-1).abs().max() < 1e-9
    log_probs = logits.detach().log_softmax(-1)[:, None]
    expected = F.ctc_loss(log_probs, torch.tensor([labels]), [T], [S], reduction="none")
    torch.testing.assert_close(loss.detach(), expected, rtol=1e-12, atol=0)


def test_a_state_lost_on_the_way_and_needed_at_the_end_is_found_again():
    """Frame 0 all but rules out the label, the last frames rule out everything else."""
    logits = torch.zeros(12, 3, dtype=torch.float64)
    logits[:6, 1] = -800.0
    logits[6:, :] = torch.tensor([-2000.0, 0.0, -2000.0])
    loss = one(logits, (2, 1, 2))
    log_probs = logits.log_softmax(-1)[:, None]
    expected = F.ctc_loss(log_probs, torch.tensor([[2, 1, 2]]), [12], [3], reduction="none")
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("labels", [(1, 2), (), (1, 1), (2,)])
@pytest.mark.parametrize("gap", [300.0, 345.0, 360.0, 400.0, 720.0])
def test_the_gradient_survives_frames_that_are_all_but_impossible(labels, gap):
    """Two frames of probability exp(-gap): neither is lost, but their product would be."""
    logits = torch.zeros(6, 4, dtype=torch.float64)
    logits[2:4, 3] = gap
    gradients = []
    for theirs in (False, True):
        x = logits.clone().requires_grad_()
        if theirs:
            targets = torch.tensor([labels], dtype=torch.int64).reshape(1, -1)
            log_probs = x.log_softmax(-1)[:, None]
            loss = F.ctc_loss(log_probs, targets, [6], [len(labels)], reduction="none")
        else:
            loss = one(x, labels)
        loss.sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("threads", [1, 3])
def test_padding_order_and_threads_change_no_bit(threads):
    logits, lengths, targets, target_lengths = random_batch(B=5, dtype=torch.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x = logits.clone().requires_grad_()
        loss = ctc_loss(x, lengths, targets, target_lengths)
        loss.sum().backward()
    finally:
        torch.set_num_threads(before)
    for b, (T, S) in enumerate(zip(lengths, target_lengths, strict=True)):
        alone = logits[b : b + 1, :T].clone().requires_grad_()
        single = ctc_loss(alone, lengths[b : b + 1], targets[b : b + 1, :S], S[None])
        single.backward()
        assert torch.equal(single[0], loss[b])
        assert torch.equal(alone.grad[0], x.grad[b, :T])


def test_without_a_gradient_the_loss_is_the_same():
    logits, *sizes = random_batch()
    with torch.no_grad():
        loss = ctc_loss(logits, *sizes)
    assert torch.equal(loss, ctc_loss(logits.requires_grad_(), *sizes).detach())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_row_that_is_not_finite_says_so_and_spoils_no_other(bad):
    logits, *sizes = random_batch()
    logits[1, 3, 2] = bad
    logits.requires_grad_()
    loss = ctc_loss(logits, *sizes)
    assert torch.isfinite(loss).tolist() == [True, False, True, True]
    loss.sum().backward()
    assert not torch.isfinite(logits.grad[1]).all()
    assert torch.isfinite(logits.grad[[0, 2, 3]]).all()


def test_what_is_behind_the_length_may_be_anything():
    logits, lengths, targets, target_lengths = random_batch()
    expected = ctc_loss(logits, lengths, targets, target_lengths)
    for b, length in enumerate(lengths):
        logits[b, length:] = float("nan")
    assert torch.equal(ctc_loss(logits, lengths, targets, target_lengths), expected)


def test_no_frames_and_no_labels_is_certain():
    loss = ctc_loss(torch.zeros(1, 3, 4), *map(torch.tensor, ([0], [[1]], [0])))
    assert loss.tolist() == [0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": [5, 9]}, r"row 1 .*length 9 is not within 0\.\.6"),
        ({"lengths": [-1, 6]}, "row 0 .*length -1"),
        ({"target_lengths": [2, 4]}, r"row 1 .*target length 4 is not within 0\.\.3"),
        ({"targets": [[1, 2, 0], [0, 1, 2]]}, r"row 1 .*within 1\.\.3"),
        ({"targets": [[4, 2, 0], [4, 1, 2]]}, r"rows 0, 1 .*within 1\.\.3"),
        ({"lengths": [2, 4], "targets": [[1, 2, 0], [1, 1, 1]]}, "row 1 .*4 frames .*need 5"),
        ({"lengths": [5.0, 6.0]}, "must be integers"),
        ({"lengths": [5]}, "are expected"),
    ],
)
def test_bad_batches_are_named(change, message):
    batch = {
        "lengths": [5, 6],
        "targets": [[1, 2, 0], [1, 2, 2]],
        "target_lengths": [2, 3],
    } | change
    with pytest.raises(InputError, match=message):
        ctc_loss(torch.zeros(2, 6, 4), *(torch.tensor(value) for value in batch.values()))
    with pytest.raises(InputError, match=message):
        ctc_loss(torch.zeros(2, 6, 4), *batch.values())


def test_lengths_may_be_lists_and_logits_have_three_axes():
    logits = torch.randn(2, 6, 4)
    expected = ctc_loss(logits, *map(torch.tensor, ([5, 6], [[1, 2], [3, 0]], [2, 1])))
    assert torch.equal(ctc_loss(logits, [5, 6], [[1, 2], [3, 0]], (2, 1)), expected)
    with pytest.raises(InputError, match=r"logits have shape \(6, 4\); \(B, T, K\) is expected"):
        ctc_loss(logits[0], [6], [[1]], [1])
