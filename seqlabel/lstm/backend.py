"""Which of the ways to compute a layer is taken: the choice, its reasons, its report.

    reference   plain torch operations, everywhere and for everything (`reference.py`)
    fused       CPU, float32, one autograd function per layer (`fused.py`)

Every way is a function with the signature of `reference.run_layer`.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import torch

from seqlabel.errors import InputError
from seqlabel.lstm import fused, reference
from seqlabel.lstm.cell import AnyCell

Backend = Literal["reference", "fused"]


def choose(
    wanted: str, cell: AnyCell, device: torch.device, dtype: torch.dtype, bf16: bool
) -> Backend:
    """The backend that computes a cell on a device: the one wanted, or for "auto" the fastest.

    Raises InputError, with the reason, if the one wanted cannot.
    """
    if wanted == "auto":
        if bf16 and (reason := _why_not_fused(cell, device, dtype, bf16)):
            raise InputError(
                f"bf16=True is an option of the fused backend, which {reason}: drop it"
            )
        return "reference" if _why_not_fused(cell, device, dtype, bf16) else "fused"
    if wanted not in get_args(Backend):
        raise InputError(f"backend={wanted!r} is not one of auto, {', '.join(get_args(Backend))}")
    if wanted == "fused" and (reason := _why_not_fused(cell, device, dtype, bf16)):
        raise InputError(f"backend='fused' {reason}: use backend='auto'")
    return wanted  # type: ignore[return-value]


def runner(backend: Backend, bf16: bool) -> Callable:
    """The function that computes a layer."""
    return partial(fused.run_layer, bf16=bf16) if backend == "fused" else reference.run_layer


def _why_not_fused(
    cell: AnyCell, device: torch.device, dtype: torch.dtype, bf16: bool
) -> str | None:
    if device.type != "cpu":
        return f"runs on the CPU, the weights are on {device}"
    if dtype != torch.float32:
        return f"computes in float32, the weights are {dtype}"
    return fused.why_not(cell, bf16)
