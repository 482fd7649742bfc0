"""The learning rate of every update, a function of the phase and the dev results."""

import math

from seqlabel.training.options import Phase


def learning_rate(phase: Phase, update: int, updates_per_epoch: int, halvings: int) -> float:
    """Rate of update `update` (from 0) of a phase.

    Linear warm-up over `phase.warmup` updates; then constant, halved `halvings` times, or falling
    to `final_rate` of the peak along a line or half a cosine over the phase's epochs.
    """
    peak = phase.learning_rate
    if update < phase.warmup:
        return peak * (update + 1) / phase.warmup
    if phase.decay == "halving":
        return peak * 0.5**halvings
    if phase.decay == "constant":
        return peak
    total = max(1, phase.epochs * updates_per_epoch - phase.warmup)
    done = min(1.0, (update - phase.warmup) / total)
    fall = done if phase.decay == "linear" else (1 - math.cos(math.pi * done)) / 2
    return peak * (1 - (1 - phase.final_rate) * fall)
