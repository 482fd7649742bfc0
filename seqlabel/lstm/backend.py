"""Choice of the backend of a layer.

    reference   plain torch operations, everywhere and for everything (`reference.py`)
    fused       CPU, float32, one autograd function per layer (`fused.py`)
    library     torch's own LSTM, cuDNN on a GPU: the plain cell (`library.py`)
    triton      GPU, most LSTM cells, the gates of a step as one kernel (`triton_layer.py`)

Every backend is a function with the signature of `reference.run_layer`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import torch

from seqlabel.errors import InputError
from seqlabel.lstm import fused, library, reference, triton_layer
from seqlabel.lstm.cell import AnyCell
from seqlabel.lstm.options import Recurrence

Backend = Literal["reference", "fused", "library", "triton"]


class Task(NamedTuple):
    """A layer to be computed: cell, device, and number type."""

    cell: AnyCell
    device: torch.device
    dtype: torch.dtype
    bf16: bool = False
    how: Recurrence = Recurrence()
    recurrent_dropout: float = 0.0


def choose(wanted: str, task: Task) -> Backend:
    """The backend for a task: the requested one, or for "auto" the fastest possible one.

    Raises InputError, with the reason, if the requested one is not possible.
    """
    if wanted not in ("auto", *get_args(Backend)):
        raise InputError(f"backend={wanted!r} is not one of auto, {', '.join(get_args(Backend))}")
    why_not = {"fused": _why_not_fused, "library": _why_not_library, "triton": _why_not_triton}
    if wanted != "auto":
        if wanted in why_not and (reason := why_not[wanted](task)):
            raise InputError(f"backend={wanted!r} {reason}: use backend='auto'")
        return wanted  # type: ignore[return-value]
    if (not_fused := _why_not_fused(task)) is None:
        return "fused"
    if task.bf16:
        raise InputError(f"bf16=True needs the fused backend, which {not_fused}: leave it out")
    if task.device.type == "cuda":
        if _why_not_library(task) is None:
            return "library"
        if _why_not_triton(task) is None:
            return "triton"
    return "reference"


def runner(backend: Backend, bf16: bool) -> Callable[..., Any]:
    """The function that computes a layer."""
    if backend == "fused":
        return partial(fused.run_layer, bf16=bf16)
    if backend == "triton":
        return triton_layer.run_layer
    return library.run_layer if backend == "library" else reference.run_layer


def _why_not_fused(task: Task) -> str | None:
    if task.device.type != "cpu":
        return f"runs on the CPU, the weights are on {task.device}"
    if task.dtype != torch.float32:
        return f"computes in float32, the weights are {task.dtype}"
    return fused.why_not(task.cell)


def _why_not_library(task: Task) -> str | None:
    if task.bf16:
        return "has no bf16=True; use torch.autocast there"
    return library.why_not(task.cell, task.how, task.recurrent_dropout)


def _why_not_triton(task: Task) -> str | None:
    if task.bf16:
        return "has no bf16=True; use torch.autocast there"
    return triton_layer.why_not(task.cell, task.device, task.dtype)
