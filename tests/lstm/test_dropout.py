"""Dropout against its definition."""

import pytest
import torch

from seqlabel.lstm.dropout import Dropout, dropout


@pytest.mark.parametrize("p", [0.1, 0.35, 0.5, 0.9])
def test_rate_and_scale(p):
    torch.manual_seed(3)
    y = dropout(torch.ones(501, 333), p)
    kept = y != 0
    n = y.numel()
    assert abs(float(kept.double().mean()) - (1 - p)) < 4 * (p * (1 - p) / n) ** 0.5
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / (1 - p)), rtol=2e-4, atol=0)
    # neighbours share 64 bits, but are independent
    both = (kept[:, :-1] & kept[:, 1:]).double().mean()
    assert abs(float(both) - (1 - p) ** 2) < 5 * (p / n) ** 0.5


def test_gradients_pass_where_numbers_do():
    torch.manual_seed(3)
    x = torch.randn(7, 5, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    assert torch.equal(x.grad, torch.where(y != 0, 2.0, 0.0))


def test_follows_the_global_seed():
    x = torch.ones(9, 11)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    masks = [dropout(x, 0.4), dropout(x, 0.4)]
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.4), masks[0])
    assert not torch.equal(*masks)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_none_or_all(p):
    x = torch.randn(3, 4)
    assert torch.equal(dropout(x, p), x * (1 - p))


def test_smallest_and_largest_rate_are_no_overflow():
    x = torch.ones(1000)
    assert bool((dropout(x, 1e-9) == 1).all())
    assert bool(torch.isfinite(dropout(x, 1 - 1e-9)).all())
    assert dropout(torch.ones(0, 4), 0.5).shape == (0, 4)


def test_module_has_no_effect_in_evaluation():
    module, x = Dropout(0.5), torch.ones(20, 20)
    assert not torch.equal(module(x), x)
    assert module.eval()(x) is x


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_keeps_the_type(dtype):
    assert dropout(torch.ones(4, 4, dtype=dtype), 0.5).dtype == dtype
