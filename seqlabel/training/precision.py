"""The precision of matrix products in LSTM layers: float32, or bfloat16 where it is faster.

"auto" measures both at the start of a run, on the layers of its network, and stores its choice in
the run directory, so that a resumed run continues in the same precision.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from seqlabel.errors import InputError
from seqlabel.lstm import LSTM, Cell
from seqlabel.lstm.cell import is_timed
from seqlabel.lstm.products import has_bf16
from seqlabel.training.distribution import Workers

log = logging.getLogger("seqlabel")

PAYS = 0.9
"""bfloat16 is chosen if a step takes at most this share of the time in float32."""
_WORK, _FRAMES = 2e10, (4, 64)  # of a measured step: operations; least and most frames
_SECONDS, _ROUNDS = 0.4, 5  # limits of the measurement, after one round of warm-up


@dataclass(frozen=True)
class Precision:
    """bf16: whether operands are rounded to bfloat16. ratio: step time over that in float32."""

    bf16: bool
    ratio: float | None = None

    def facts(self) -> dict[str, Any]:
        """The entries for the run directory."""
        return {"bf16": self.bf16, "bf16_ratio": self.ratio}

    @classmethod
    def of_run(cls, run: Any, where: str) -> "Precision":
        """The precision that the description of a run states; InputError if it states none."""
        facts = run if isinstance(run, dict) else {}
        bf16, ratio = facts.get("bf16"), facts.get("bf16_ratio")
        if not isinstance(bf16, bool) or not isinstance(ratio, float | None):
            raise InputError(
                f"{where}: does not say whether training.bf16 = 'auto' chose bfloat16; train into "
                "another --out"
            )
        return cls(bf16, ratio)


def set_precision(
    model: nn.Module,
    wanted: bool | str,
    batch: float,
    workers: Workers,
    known: Precision | None = None,
) -> Precision:
    """Set the precision of a network's LSTM layers, which must be on their device already.

    wanted: `training.bf16`. batch: typical number of sequences per batch. known: the choice of
    "auto" when the run began. Raises InputError if bfloat16 is wanted but not possible.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, LSTM)]
    if wanted == "auto":
        found = known or _choose(layers, batch, workers)
        if known:
            chosen = "bfloat16" if known.bf16 else "float32"
            log.info("training.bf16 = auto: %s, as at the start of the run", chosen)
    else:
        found = Precision(bool(wanted))
    if not found.bf16:
        return found
    if not layers:
        raise InputError("training.bf16 needs LSTM layers over frames; remove it")
    for layer in layers:
        layer.bf16 = True
        _ = layer.backend  # raises InputError if the layer cannot
    if not has_bf16():
        log.warning(
            "training.bf16: this processor has no instructions for bfloat16 (AMX, AVX-512 BF16); "
            "numbers are rounded to bfloat16 and multiplied in float32, which is no faster"
        )
    return found


def _choose(layers: Sequence[LSTM], batch: float, workers: Workers) -> Precision:
    """The choice of "auto". If there is one, the first process measures for all."""
    reason = why_float32(layers)
    if reason:
        log.info("training.bf16 = auto: float32 (%s)", reason)
        return Precision(False)
    [ratio, *_] = workers.share([measure(layers, batch)] if workers.first else [])
    bf16 = ratio <= PAYS
    log.info(
        "training.bf16 = auto: %s (a step of the LSTM layers in bfloat16 takes %.2f of the time "
        "in float32)",
        "bfloat16" if bf16 else "float32",
        ratio,
    )
    return Precision(bf16, ratio)


def why_float32(layers: Sequence[LSTM]) -> str | None:
    """The reason why only float32 comes into question, or None."""
    if not layers:
        return "there are no LSTM layers"
    if not has_bf16():
        return "this processor has no instructions for bfloat16 (AMX, AVX-512 BF16)"
    for layer in layers:
        if layer.backend != "fused":
            return "bfloat16 needs the fused loops on the CPU"
        if isinstance(layer.cell, Cell) and not (layer.cell.forget or layer.cell.coupled):
            return "a cell without forget gate accumulates rounding errors over all frames"
    return None


def measure(layers: Sequence[LSTM], batch: float) -> float:
    """Time of a training step (forward and backward) in bfloat16 over that in float32.

    A few frames are enough, since the ratio hardly depends on their number. Takes about a second,
    longer if the loops must be compiled. Does not touch torch's global random state, and leaves the
    layers as they were.
    """
    weights = sum(weight.numel() for layer in layers for weight in layer.parameters())
    least, most = _FRAMES
    size = max(1, round(batch))
    frames = min(max(int(_WORK / (6 * weights * size)), least), most)
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(size, frames, layer.input_size, generator=generator) for layer in layers]
    before = [(layer.training, layer.bf16) for layer in layers]
    best = {False: float("inf"), True: float("inf")}
    try:
        end = float("inf")
        for number in range(1 + _ROUNDS):
            for bf16 in best:
                seconds = _step(layers, inputs, bf16)
                if number:  # the first round compiles and warms up
                    best[bf16] = min(best[bf16], seconds)
            if number == 0:
                end = time.perf_counter() + _SECONDS
            elif time.perf_counter() > end:
                break
    finally:
        for layer, (training, bf16) in zip(layers, before, strict=True):
            layer.train(training)
            layer.bf16 = bf16
    return best[True] / best[False]


def _step(layers: Sequence[LSTM], inputs: Sequence[torch.Tensor], bf16: bool) -> float:
    """Seconds of one step through all layers."""
    start = time.perf_counter()
    for layer, x in zip(layers, inputs, strict=True):
        layer.eval()  # dropout would draw random numbers
        layer.bf16 = bf16
        elapsed = torch.ones(x.shape[:2]) if is_timed(layer.cell) else None
        with torch.enable_grad():
            y, _ = layer(x.requires_grad_(), elapsed=elapsed)
            torch.autograd.grad(y, [x, *layer.parameters()], torch.ones_like(y))
    return time.perf_counter() - start
