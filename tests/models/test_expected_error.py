"""Expected-error training: against enumeration of all paths and all replacements."""

import itertools

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.models.expected_error import expected_errors
from seqlabel.models.expected_error_kernel import replacement_errors, sample_path


def collapse(path):
    return [k for k, _ in itertools.groupby(path) if k]


@pytest.fixture(scope="session")
def distance(edit_distance):
    return lambda path, reference: edit_distance(collapse(path), list(reference))


def enumerated(logits, reference, distance):
    """E[errors] and its exact gradient by the logits, path by path."""
    T, K = logits.shape
    x = logits.double().requires_grad_()
    paths = list(itertools.product(range(K), repeat=T))
    errors = torch.tensor([distance(path, reference) for path in paths], dtype=torch.float64)
    p = x.log_softmax(-1)[torch.arange(T), torch.tensor(paths)].sum(1).exp()
    expectation = (p * errors).sum()
    expectation.backward()
    return expectation.item(), x.grad


@pytest.mark.parametrize(("T", "K", "S"), [(1, 2, 0), (1, 3, 2), (2, 3, 1), (9, 3, 4), (25, 6, 7)])
def test_errors_with_one_label_replaced_equal_those_of_the_whole_path(T, K, S, distance):
    rng = np.random.default_rng(T)
    y = np.full((T, K), 1 / K)
    for _ in range(20):
        path, reference = rng.integers(0, K, T), rng.integers(1, K, S)
        errors = np.empty((T, K))
        assert replacement_errors(path, reference, y, errors) == distance(path, reference)
        for t, k in itertools.product(range(T), range(K)):
            other = path.copy()
            other[t] = k
            assert errors[t, k] == distance(other, reference)


def test_gradient_is_that_of_the_expected_errors_within_three_standard_errors(distance):
    """F11: 200 estimates of 500 paths each."""
    torch.manual_seed(3)
    logits, reference = torch.randn(4, 3), [1, 2, 1]
    expectation, gradient = enumerated(logits, reference, distance)
    B = 200
    x = logits.expand(B, 4, 3).clone().requires_grad_()
    sizes = torch.full((B,), 4), torch.tensor([reference] * B), torch.full((B,), 3)
    losses = expected_errors(x, *sizes, samples=500)
    losses.sum().backward()
    for estimates, exact in ((losses.detach(), expectation), (x.grad, gradient)):
        standard_error = estimates.double().std(0) / B**0.5
        assert ((estimates.double().mean(0) - exact).abs() < 3 * standard_error).all()


def test_variance_is_far_below_that_of_whole_paths_with_a_baseline(distance):
    """The same number of paths weighed by their errors less the mean of the others' (REINFORCE)."""
    torch.manual_seed(0)
    B, T, K, N, reference = 300, 6, 3, 8, [1, 2]
    logits = torch.randn(T, K, dtype=torch.float64)
    x = logits.expand(B, T, K).clone().requires_grad_()
    sizes = torch.full((B,), T), torch.tensor([reference] * B), torch.full((B,), 2)
    expected_errors(x, *sizes, samples=N).sum().backward()
    y = logits.softmax(-1)
    paths = torch.multinomial(y, B * N, replacement=True).T.reshape(B, N, T)
    errors = torch.tensor(
        [[distance(path, reference) for path in row] for row in paths.tolist()], dtype=torch.float64
    )
    advantage = (errors - errors.mean(1, keepdim=True)) * N / (N - 1)
    scores = torch.nn.functional.one_hot(paths, K) - y
    whole = (advantage[..., None, None] * scores).mean(1)
    standard_error = (x.grad.var(0) / B + whole.var(0) / B).sqrt()
    assert ((x.grad.mean(0) - whole.mean(0)).abs() < 4 * standard_error).all()
    assert x.grad.var(0).sum() < whole.var(0).sum() / 3


def test_paths_are_drawn_with_the_frames_probabilities():
    rng = np.random.default_rng(0)
    y = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    paths = np.empty((20_000, 3), np.int64)
    for path in paths:
        sample_path(y, rng.random(3), path)
    shares = np.stack([(paths == k).mean(0) for k in range(3)], axis=1)
    assert np.abs(shares - y).max() < 4 * 0.5 / 20_000**0.5
    assert (shares[1:] == y[1:]).all()


def test_descent_lowers_the_expected_errors_and_padding_gets_no_gradient():
    torch.manual_seed(1)
    x = torch.randn(2, 8, 4).requires_grad_()
    sizes = torch.tensor([8, 5]), torch.tensor([[1, 2, 3, 1], [2, 2, 0, 0]]), torch.tensor([4, 2])
    first = expected_errors(x, *sizes, samples=64).detach()
    for _ in range(50):
        losses = expected_errors(x, *sizes, samples=16)
        (gradient,) = torch.autograd.grad(losses.sum(), x)
        assert not gradient[1, 5:].any()
        assert gradient.sum(-1).abs().max() < 1e-5
        x = (x - 2.0 * gradient).detach().requires_grad_()
    assert (expected_errors(x, *sizes, samples=64) < 0.3 * first).all()


def test_same_seed_same_gradient_on_any_number_of_threads():
    x = torch.randn(5, 8, 4, generator=torch.Generator().manual_seed(0))
    sizes = torch.full((5,), 8), torch.ones(5, 3, dtype=torch.int64), torch.full((5,), 3)
    gradients, threads = [], torch.get_num_threads()
    for number in (1, 3):
        torch.set_num_threads(number)
        torch.manual_seed(7)
        logits = x.clone().requires_grad_()
        expected_errors(logits, *sizes, samples=4).sum().backward()
        gradients.append(logits.grad)
    torch.set_num_threads(threads)
    assert torch.equal(*gradients)


def test_at_least_one_sample():
    with pytest.raises(InputError, match="samples = 0"):
        expected_errors(torch.zeros(1, 2, 3), *map(torch.tensor, ([2], [[1]], [1])), samples=0)
