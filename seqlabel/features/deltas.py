"""Time derivatives of features, estimated by regression over neighbouring frames."""

import numpy as np

from seqlabel.errors import InputError


def add_deltas(x: np.ndarray, order: int = 2, window: int = 2) -> np.ndarray:
    """Append the first `order` derivatives: (T, F) -> (T, (order + 1) F) float32.

    The derivative of frame t is sum_j j x[t + j] / sum_j j^2 over -window <= j <= window, and the
    next order applies the same to the result. As in Kaldi (`add-deltas`, feature-functions.cc) the
    regressions of all orders are first combined into one filter, which then runs over frames
    repeated at both ends; deltas of deltas with repeated *deltas* would differ there.
    """
    if order < 0 or window < 1:
        raise InputError(f"deltas of order {order} with window {window}; 0 and 1 are the least")
    x = np.asarray(x, dtype=np.float32)
    frames = len(x)
    if not frames:
        return np.zeros((0, (order + 1) * x.shape[1]), dtype=np.float32)
    steps = np.arange(-window, window + 1)
    regression = steps / np.sum(steps**2)
    reach = order * window
    padded = np.concatenate([x[:1]] * reach + [x] + [x[-1:]] * reach)
    parts = [x]
    taps = np.ones(1)
    for _ in range(order):
        taps = np.convolve(taps, regression)
        half = len(taps) // 2
        delta = np.zeros_like(x)
        for offset, tap in zip(range(-half, half + 1), taps.astype(np.float32), strict=True):
            if tap:
                delta += tap * padded[reach + offset : reach + offset + frames]
        parts.append(delta)
    return np.concatenate(parts, axis=1)
