"""Weights in 8 bits: a quarter of the size on disk; computation stays in float32.

Each row of a matrix (the weights of one unit) has its own scale, which maps its largest weight to
±127; vectors are unchanged. A weight w is stored as round(w / scale).
"""

from collections.abc import Mapping

import numpy as np

SCALE = ".scale"
"""Ending of the name of the array of scales."""


def quantise(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Matrices (R, C) as int8, each with its scales (R,) float32 beside it; the rest unchanged."""
    kept: dict[str, np.ndarray] = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            kept[name] = weight
            continue
        rows = weight.reshape(len(weight), -1)
        scale = np.abs(rows).max(axis=1).astype(np.float32) / np.float32(127)
        scale[scale == 0] = 1.0
        kept[name] = np.rint(rows / scale[:, None]).astype(np.int8).reshape(weight.shape)
        kept[name + SCALE] = scale
    return kept


def restore(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights in float32 from the output of `quantise`; other arrays are unchanged.

    Raises ValueError for scales that do not fit their array.
    """
    weights: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in arrays:
            continue
        scale = arrays.get(name + SCALE)
        if scale is None:
            weights[name] = array
        elif array.dtype != np.int8 or not array.ndim or scale.shape != (len(array),):
            raise ValueError(f"{name}: the scales do not fit the weights")
        else:
            weights[name] = array * scale.reshape(-1, *[1] * (array.ndim - 1))
    return weights
