"""The transducer's loss against enumeration of alignments, finite differences and its twin."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from seqlabel.models import transducer_loss as module
from seqlabel.models.targets import RowError
from seqlabel.models.transducer_loss import diagonal_loss, loss_row_by_row, skew, transducer_loss


def log_p_by_enumeration(logits: Tensor, labels: tuple[int, ...]) -> Tensor:
    """ln p(labels|x) of (T, S+1, K) logits, alignment by alignment."""
    log_y, (T, U) = logits.log_softmax(-1), logits.shape[:2]
    alignments = []
    # where, among the steps before the last blank, the labels are written
    for places in itertools.combinations(range(T + U - 2), U - 1):
        t = u = 0
        terms = []
        for step in range(T + U - 2):
            if step in places:
                terms.append(log_y[t, u, labels[u]])
                u += 1
            else:
                terms.append(log_y[t, u, 0])
                t += 1
        assert (t, u) == (T - 1, U - 1)
        alignments.append(torch.stack([*terms, log_y[t, u, 0]]).sum())
    return torch.stack(alignments).logsumexp(0)


def random_batch(B=4, T=9, S=5, K=6, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(B, T, S + 1, K, generator=g, dtype=dtype)
    lengths = torch.randint(1, T + 1, (B,), generator=g)
    targets = torch.randint(1, K, (B, S), generator=g)
    return logits, lengths, targets, torch.randint(0, S + 1, (B,), generator=g)


def by_diagonals(logits, lengths, targets, target_lengths):
    log_probs = logits.log_softmax(-1)
    labels = targets[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
    y = log_probs[:, :, :-1].gather(3, labels)[..., 0]
    return diagonal_loss(log_probs[..., 0], y, lengths, target_lengths)


@pytest.mark.parametrize("loss_of", [transducer_loss, by_diagonals])
def test_loss_and_gradient_equal_the_enumeration_of_alignments(loss_of):
    for T, S in itertools.product(range(1, 5), range(4)):
        g = torch.Generator().manual_seed(10 * T + S)
        logits = torch.randn(T, S + 1, 4, generator=g, dtype=torch.float64)
        labels = tuple(torch.randint(1, 4, (S,), generator=g).tolist())
        mine, twin = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        target = torch.tensor([labels], dtype=torch.int64).reshape(1, S)
        loss = loss_of(mine[None], torch.tensor([T]), target, torch.tensor([S]))[0]
        expected = -log_p_by_enumeration(twin, labels)
        torch.testing.assert_close(loss, expected, rtol=0, atol=1e-10)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(mine.grad, twin.grad, rtol=0, atol=1e-10)


def test_probabilities_of_all_labellings_sum_to_one():
    """One frame, K = 2: labellings 1, 11, 111, ... of a blank that always has half the mass."""
    total = 0.0
    for S in range(60):
        logits = torch.zeros(1, 1, S + 1, 2, dtype=torch.float64)
        target = torch.ones(1, S, dtype=torch.int64)
        total += float(
            transducer_loss(logits, torch.tensor([1]), target, torch.tensor([S])).neg().exp()
        )
    assert abs(total - 1) < 1e-12


def test_gradient_equals_finite_differences():
    logits, *sizes = random_batch(B=2, T=4, S=2, K=3)
    weight = torch.tensor([1.0, -0.3], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: transducer_loss(x, *sizes) * weight, logits.requires_grad_()
    )


def test_kernel_and_diagonals_agree_on_ragged_batches_and_ignore_the_padding():
    logits, lengths, targets, target_lengths = random_batch(B=6, T=40, S=12, K=10, seed=2)
    results = []
    for loss_of in (transducer_loss, by_diagonals):
        x = logits.clone().requires_grad_()
        loss = loss_of(x, lengths, targets, target_lengths)
        loss.sum().backward()
        results.append((loss.detach(), x.grad))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)
    gradient = results[0][1]
    assert gradient.sum(-1).abs().max() < 1e-12
    for b, (T, S) in enumerate(zip(lengths, target_lengths, strict=True)):
        assert not gradient[b, T:].any()
        assert not gradient[b, :, S + 1 :].any()


def test_what_is_behind_the_lengths_may_be_anything():
    logits, lengths, targets, target_lengths = random_batch()
    results = []
    for padding in (0.0, float("nan")):
        x = logits.clone()
        for row, T, S in zip(x, lengths, target_lengths, strict=True):
            row[T:], row[:, S + 1 :] = padding, padding
        x.requires_grad_()
        loss = transducer_loss(x, lengths, targets, target_lengths)
        loss.sum().backward()
        results.append((loss.detach(), x.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_float32_and_no_gradient_give_the_same_losses():
    logits, *sizes = random_batch(B=3, T=30, S=9, dtype=torch.float32)
    x = logits.clone().requires_grad_()
    loss = transducer_loss(x, *sizes)
    loss.sum().backward()
    assert torch.equal(transducer_loss(logits, *sizes), loss.detach())
    y = logits.double().requires_grad_()
    exact = transducer_loss(y, *sizes)
    exact.sum().backward()
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=0)
    assert (x.grad - y.grad).abs().max() < 1e-6


def test_extreme_logits_leave_loss_and_gradient_finite():
    logits, *sizes = random_batch(B=2, T=60, S=20, K=5)
    x = (100 * logits).requires_grad_()
    loss = transducer_loss(x, *sizes)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(x.grad).all()
    torch.testing.assert_close(loss, by_diagonals(x, *sizes), rtol=1e-12, atol=0)


def test_a_row_that_is_not_finite_says_so_and_spoils_no_other():
    logits, _, targets, target_lengths = random_batch()
    logits[1, 0, 0, 2] = float("nan")
    logits.requires_grad_()
    loss = transducer_loss(logits, torch.full((4,), 9), targets, target_lengths)
    assert torch.isfinite(loss).tolist() == [True, False, True, True]
    loss.sum().backward()
    assert torch.isfinite(logits.grad[[0, 2, 3]]).all()


def test_skew_moves_every_node_to_its_anti_diagonal():
    x = torch.arange(12.0).reshape(1, 3, 4)
    skewed = skew(x)
    assert skewed.shape == (1, 6, 4)
    for d, u in itertools.product(range(6), range(4)):
        expected = x[0, d - u, u] if 0 <= d - u < 3 else module.IMPOSSIBLE
        assert skewed[0, d, u] == expected


def test_row_by_row_equals_the_whole_lattice_with_gradients_by_everything():
    g = torch.Generator().manual_seed(0)
    B, T, S, N, K = 4, 9, 5, 3, 6
    _, lengths, targets, target_lengths = random_batch(B, T, S, K)

    def leaf(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64).requires_grad_()

    frames, labels, weight, bias = leaf(B, T, N), leaf(B, S + 1, N), leaf(K, N), leaf(K)

    def combine(frames, labels, weight, bias):
        return linear(torch.tanh(frames + labels), weight, bias)

    sizes = lengths, targets, target_lengths
    inputs = (frames, labels, weight, bias)
    row_weight = torch.tensor([1.0, 0.5, -2.0, 0.0], dtype=torch.float64)
    mine = loss_row_by_row(combine, K, frames, labels, (weight, bias), *sizes)
    whole = by_diagonals(combine(frames[:, :, None], labels[:, None], weight, bias), *sizes)
    torch.testing.assert_close(mine, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad((mine * row_weight).sum(), inputs),
        torch.autograd.grad((whole * row_weight).sum(), inputs),
        rtol=1e-10,
        atol=1e-10,
    )
    for without_gradient in (torch.no_grad, torch.inference_mode):
        with without_gradient():
            again = loss_row_by_row(combine, K, frames, labels, (weight, bias), *sizes)
        assert torch.equal(again, mine.detach())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (([0, 4], [[1], [2]], [1, 1]), "row 0 .*no frames"),
        (([4, 5], [[1], [2]], [1, 1]), r"row 1 .*length 5 is not within 0\.\.4"),
        (([4, 4], [[1], [3]], [1, 1]), r"row 1 .*within 1\.\.2"),
        (([4, 4], [[1, 1, 1], [1, 1, 1]], [1, 2]), "row 1 .*columns"),
    ],
)
def test_bad_batches_are_named(sizes, message):
    with pytest.raises(RowError, match=message):
        transducer_loss(torch.zeros(2, 4, 2, 3), *map(torch.tensor, sizes))


def test_equal_to_torchaudio_where_its_extension_loads():
    from torchaudio_guard import torchaudio

    logits, lengths, targets, target_lengths = random_batch(B=3, T=12, S=5, dtype=torch.float32)
    lengths[0], target_lengths[0] = 12, 5
    x, y = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    try:
        theirs = torchaudio.functional.rnnt_loss(
            y,
            targets.int(),
            lengths.int(),
            target_lengths.int(),
            blank=0,
            reduction="none",
        )
    except (AttributeError, RuntimeError, OSError):
        pytest.skip("torchaudio runs without its compiled extension here")
    loss = transducer_loss(x, lengths, targets, target_lengths)
    torch.testing.assert_close(loss, theirs, rtol=1e-5, atol=1e-5)
    loss.sum().backward()
    theirs.sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-5)
