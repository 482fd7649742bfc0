"""Input noise: its statistics, and that every use draws anew."""

import numpy as np

from seqlabel.features.noise import add_noise


def test_noise_is_gaussian_with_the_given_deviation_and_independent():
    x = np.full((2000, 26), 3.0, np.float32)
    noise = (add_noise(x, 0.6, np.random.default_rng(0)) - x).astype(np.float64)
    n = noise.size
    assert abs(noise.mean()) < 4 * 0.6 / n**0.5
    assert abs(noise.std() / 0.6 - 1) < 4 / (2 * n) ** 0.5
    assert abs((np.abs(noise) < 0.6).mean() - 0.6827) < 0.01
    neighbours = [noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1]]
    for product in neighbours:
        assert abs(product.mean()) < 4 * 0.36 / product.size**0.5


def test_every_use_draws_anew_and_leaves_the_frames_alone():
    x, rng = np.zeros((5, 3), np.float32), np.random.default_rng(0)
    first, second = add_noise(x, 0.6, rng), add_noise(x, 0.6, rng)
    assert first.dtype == np.float32
    assert not (first == second).any()
    assert not x.any()
