"""The slow twin of every search: all paths, one by one."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

Paths = Callable[[np.ndarray], dict[tuple[int, ...], float]]


@pytest.fixture(scope="session")
def all_labellings() -> Paths:
    """(T, K) probabilities -> the probability of every labelling, summed over its paths."""

    def enumerate_paths(probs: np.ndarray) -> dict[tuple[int, ...], float]:
        T, K = probs.shape
        totals: dict[tuple[int, ...], float] = defaultdict(float)
        for path in itertools.product(range(K), repeat=T):
            labelling = tuple(k for k, _ in itertools.groupby(path) if k)
            totals[labelling] += math.prod(probs[t, k] for t, k in enumerate(path))
        return dict(totals)

    return enumerate_paths


@pytest.fixture(scope="session")
def random_probs() -> Callable[[np.random.Generator, int, int], np.ndarray]:
    """Frames from flat to peaky, some labels impossible."""

    def draw(rng: np.random.Generator, T: int, K: int) -> np.ndarray:
        probs = rng.dirichlet(np.full(K, rng.choice([0.1, 0.5, 1.0, 5.0])), T) + 1e-9
        if rng.random() < 0.2:
            probs[rng.random((T, K)) < 0.2] = 0.0
            probs[probs.sum(axis=1) == 0] = 1.0
        return probs / probs.sum(axis=1, keepdims=True)

    return draw


@pytest.fixture(autouse=True)
def compiled_kernels(monkeypatch) -> None:
    """Decoders wait for their kernels: what is tested does not depend on how fast they compile."""
    monkeypatch.setattr("seqlabel.decoding.background.on_disk", lambda kernel: True)
    monkeypatch.setattr("seqlabel.decoding.background.FROM_DISK", 600.0)
