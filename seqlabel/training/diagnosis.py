"""Diagnosis of failing trainings."""

import logging
from collections.abc import Sequence

from seqlabel.errors import InputError, some_of
from seqlabel.training.checkpoint import Progress

log = logging.getLogger("seqlabel")


class Diverged(InputError):
    """Losses or gradients are no longer finite: this configuration does not train on this data."""


def skip_update(
    progress: Progress,
    culprits: Sequence[str],
    present: Sequence[str],
    gradient_norm: float,
    limit: int,
) -> None:
    """Count an update that is skipped for a non-finite loss or gradient, and name its utterances.

    culprits: ids of those without a finite loss. present: ids of all in the update.

    Raises Diverged with a diagnosis after `limit` skipped updates in a row.
    """
    progress.skipped += 1
    progress.skipped_in_row += 1
    names = list(culprits or present)
    shown = some_of(names)
    what = "loss" if culprits else f"gradient (norm {gradient_norm:g})"
    log.warning("update skipped: %s is not finite in %s", what, shown)
    if progress.skipped_in_row < limit:
        return
    if culprits:
        advice = "check these utterances with seqlabel check: NaN samples, or too many labels"
    else:
        advice = "lower learning_rate, or set clip_norm; the weights have diverged"
    raise Diverged(f"training: {limit} updates in a row were not finite, last in {shown}; {advice}")


def explain_blanks(labels_per_frame: float, epoch: int) -> str:
    """A remark for a model that outputs hardly anything but blanks."""
    if labels_per_frame > 0.005:
        return ""
    found = "blanks only" if labels_per_frame == 0 else "hardly anything but blanks"
    if epoch < 10:
        return f"{found} so far; with CTC this is usual in the first epochs"
    return (
        f"still {found}: try a higher learning_rate, normalised features, or check that the "
        "labels match the signals"
    )
