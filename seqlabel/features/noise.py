"""Gaussian noise on the network's inputs, new at every use (Graves et al. 2006 use σ = 0.6)."""

import numpy as np


def add_noise(x: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """x (T, F), normalised frames, plus N(0, sigma²) on every value; a copy, float32."""
    return x + np.float32(sigma) * rng.standard_normal(x.shape, np.float32)
