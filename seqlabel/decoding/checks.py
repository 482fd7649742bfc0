"""What every decoder asks of its input, with errors that name the utterance and the cause."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqlabel.errors import InputError

SUM_TOLERANCE = 0.01
"""How far a frame's probabilities may sum from one: bfloat16 log-probabilities stay within it."""


def as_array(value: Any) -> np.ndarray:
    """An array of anything array-like; tensors of any device and precision included.

    Floating point comes back as native float32 or float64, which the compiled searches read.
    """
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach()
        if value.dtype.is_floating_point and value.dtype.itemsize < 4:
            value = value.float()  # NumPy knows no bfloat16
        value = value.cpu().numpy()
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return value
    return value.astype(np.float32 if value.dtype.itemsize <= 4 else np.float64, copy=False)


def check_batch(log_probs: Any, lengths: Any, K: int) -> tuple[np.ndarray, np.ndarray]:
    """Check shapes and types of a batch; the values of a frame are `frame_probabilities`' task.

    log_probs: (B, T, K) natural log-probabilities, floating point; lengths: (B,) integers, 1..T.
    Returns both as arrays, log_probs in C order, lengths as int64. Raises InputError.
    """
    log_probs, lengths = as_array(log_probs), as_array(lengths)
    if log_probs.ndim != 3:
        hint = "; give one utterance as log_probs[None]" if log_probs.ndim == 2 else ""
        raise InputError(f"log_probs has shape {log_probs.shape}, expected (B, T, K){hint}")
    check_frames(log_probs, K)
    B, T, _ = log_probs.shape
    if B == 0:
        raise InputError("log_probs holds no utterance (B = 0); skip the empty batch")
    if T == 0:
        raise InputError("log_probs holds no frame (T = 0); leave out utterances without frames")
    if lengths.shape != (B,):
        raise InputError(f"lengths has shape {lengths.shape}, expected ({B},) for {B} utterances")
    if lengths.dtype.kind not in "iu":
        raise InputError(f"lengths has type {lengths.dtype}, integers are expected")
    for b in np.flatnonzero((lengths < 1) | (lengths > T)):
        raise InputError(
            f"utterance {b}: length {lengths[b]} is not within 1..{T}, the frames of log_probs"
        )
    return np.ascontiguousarray(log_probs), np.ascontiguousarray(lengths, np.int64)


def check_frames(log_probs: np.ndarray, K: int) -> None:
    """Check type and label count of (..., T, K) log-probabilities; raises InputError."""
    if log_probs.dtype.kind != "f":
        raise InputError(f"log_probs has type {log_probs.dtype}, floating point is expected")
    if log_probs.shape[-1] != K:
        raise InputError(
            f"log_probs has {log_probs.shape[-1]} labels, the alphabet {K} with the blank; "
            f"use the alphabet that the model was trained with"
        )


def check_chunk(chunk: np.ndarray, K: int) -> None:
    """Check the shape of a chunk (T, K), T from 0 on; raises InputError."""
    if chunk.ndim != 2:
        raise InputError(f"the chunk has shape {chunk.shape}, expected (T, K)")
    check_frames(chunk, K)


def frame_probabilities(
    log_probs: np.ndarray, name: str, out: np.ndarray | None = None
) -> np.ndarray:
    """Probabilities, float64 (T, K), of the log-probabilities (T, K) of one utterance.

    A frame of -inf only is let through: it says that nothing is possible. Any other frame must
    sum to one within SUM_TOLERANCE. Raises InputError that tells NaN, logits, probabilities and
    positive values apart; `name` names the utterance in it. `out` receives the probabilities.
    """
    with np.errstate(over="ignore"):
        probabilities = np.exp(log_probs, out=out, dtype=np.float64)
        sums = np.einsum("tk->t", probabilities)  # a third of the time of .sum(axis=1)
    wrong = ~(np.abs(sums - 1.0) <= SUM_TOLERANCE)
    if wrong.any():
        wrong &= ~np.isneginf(log_probs).all(axis=1)
    if wrong.any():
        t = int(np.argmax(wrong))
        raise InputError(f"{name}, frame {t}: {_cause(log_probs[t], sums[t])}")
    return probabilities


def batch_probabilities(
    log_probs: np.ndarray,
    lengths: np.ndarray,
    numbers: Sequence[int],
    out: np.ndarray,
    odd: Callable[[np.ndarray, np.ndarray], list[int]] | None = None,
) -> np.ndarray:
    """`frame_probabilities` of utterances (B, T, K), of which frames behind the lengths go unread.

    numbers: of the utterances, (B,), by which errors name them. out: (B, T, K) float64, receives
    the probabilities. odd: what does for `odd_utterances`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        np.exp(log_probs, out=out, dtype=np.float64)
    for b in (odd or odd_utterances)(out, lengths):
        frame_probabilities(log_probs[b, : lengths[b]], f"utterance {numbers[b]}")
    return out


def odd_utterances(probs: np.ndarray, lengths: np.ndarray) -> list[int]:
    """Those with a frame that does not sum to one within SUM_TOLERANCE; probs: (B, T, K)."""
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = ~(np.abs(np.einsum("btk->bt", probs) - 1.0) <= SUM_TOLERANCE)
    wrong &= np.arange(wrong.shape[1]) < lengths[:, None]
    return np.flatnonzero(wrong.any(axis=1)).tolist()


def _cause(frame: np.ndarray, total: float) -> str:
    if np.isnan(frame).any():
        return "log_probs is NaN; look for the cause in the model or its input"
    if np.isposinf(frame).any():
        return "log_probs is +inf; look for the cause in the model or its input"
    if (frame >= 0).all() and abs(frame.sum() - 1.0) <= SUM_TOLERANCE:
        return "these are probabilities, log-probabilities are expected; take the logarithm"
    if frame.max() > SUM_TOLERANCE:
        return (
            f"log_probs is positive ({frame.max():.4g}), so no log-probability; "
            f"apply log_softmax to logits"
        )
    return (
        f"probabilities sum to {total:.4g}, not 1; are these logits? apply log_softmax, "
        f"with the natural logarithm"
    )


def check_n_best(n_best: Any) -> int:
    """The number of labellings asked for; InputError unless it is an integer of at least 1."""
    return positive_integer("n_best", n_best)


def positive_integer(name: str, value: Any) -> int:
    """The option `name` as an int, of any type of integer; InputError unless it is at least 1."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} is {value!r}; it must be a whole number") from None
    if number < 1:
        raise InputError(f"{name} is {number}; it must be at least 1")
    return number


def real_number(name: str, value: Any) -> float:
    """The option `name` as a float, of any type of number; InputError for anything else."""
    try:
        if hasattr(value, "__float__") or hasattr(value, "__index__"):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name} is {value!r}; it must be a number")
