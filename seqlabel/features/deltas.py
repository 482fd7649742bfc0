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
    check_deltas(order, window)
    x = np.asarray(x, dtype=np.float32)
    frames = len(x)
    if not frames:
        return np.zeros((0, (order + 1) * x.shape[1]), dtype=np.float32)
    taps = delta_filters(order, window)
    reach = order * window
    padded = np.concatenate([x[:1]] * reach + [x] + [x[-1:]] * reach)
    parts = [x]
    for row in taps[1:].astype(np.float32):
        delta = np.zeros_like(x)
        for first, tap in enumerate(row):
            if tap:
                delta += tap * padded[first : first + frames]
        parts.append(delta)
    return np.concatenate(parts, axis=1)


def delta_filters(order: int, window: int) -> np.ndarray:
    """(order + 1, 2 order window + 1): the filter of each derivative, that of order 0 first."""
    steps = np.arange(-window, window + 1)
    regression = steps / np.sum(steps**2)
    taps, rows = np.ones(1), []
    for n in range(order + 1):
        rows.append(np.pad(taps, (order - n) * window))
        taps = np.convolve(taps, regression)
    return np.array(rows)


def check_deltas(order: int, window: int) -> None:
    """Raise InputError for unreasonable options."""
    if not 0 <= order <= 8 or not 1 <= window <= 1000:
        raise InputError(
            f"deltas of order {order} with window {window}; they must be at least 0 and 1, and at "
            "most 8 and 1000"
        )
