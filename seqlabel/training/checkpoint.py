"""Checkpoints: everything a run needs to go on as if it had never stopped.

Two are kept, the last and the one before, each written whole: a run killed at any moment, or a
disk that fills up, leaves at least one that can be read.
"""

import io
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.training.distribution import Workers

log = logging.getLogger("seqlabel")

LAST, BEFORE = "last.pt", "before.pt"


@dataclass
class Progress:
    """Where a run stands.

    phase, epoch, batch: the next batch to compute, all from 0. update: updates of this phase so
    far. best: lowest dev value of the phase; best_epoch: its epoch. halvings: of the learning rate.
    stale, stale_rate: epochs without improvement, since the best and since the last halving.
    loss_sum, utterances, frames: of the running epoch. skipped: updates left out for a non-finite
    loss or gradient; skipped_in_row: without a good one between. seconds: of training so far.
    epochs_done: over all phases.
    """

    phase: int = 0
    epoch: int = 0
    batch: int = 0
    update: int = 0
    best: float = float("inf")
    best_epoch: int = -1
    halvings: int = 0
    stale: int = 0
    stale_rate: int = 0
    loss_sum: float = 0.0
    utterances: float = 0.0
    frames: float = 0.0
    skipped: int = 0
    skipped_in_row: int = 0
    seconds: float = 0.0
    epochs_done: int = 0
    finished: bool = False
    kept: list[tuple[float, int]] = field(default_factory=list)

    def summed(self, workers: Workers) -> "Progress":
        """The same with loss, utterances and frames of the running epoch over all processes."""
        loss_sum, utterances, frames = workers.sum([self.loss_sum, self.utterances, self.frames])
        return replace(self, loss_sum=loss_sum, utterances=utterances, frames=frames)


def save_checkpoint(folder: Path, state: dict[str, Any], progress: Progress) -> bool:
    """Write `state` (tensors, plain values) and progress; the last one becomes the one before.

    Returns whether it could be written; a full disk is reported and leaves both old ones whole.
    """
    buffer = io.BytesIO()
    torch.save({"progress": asdict(progress), **state}, buffer)
    fresh = folder / "fresh.pt"
    try:
        with whole_file(fresh, "wb") as stream:
            stream.write(buffer.getbuffer())
        if (folder / LAST).exists():
            (folder / LAST).replace(folder / BEFORE)
        fresh.replace(folder / LAST)
    except OSError as error:
        log.warning(
            "%s: checkpoint not written (%s); training goes on and the one before is kept",
            error.filename or folder,
            error.strerror,
        )
        return False
    return True


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], Progress] | None:
    """The newest readable checkpoint, or None where there is none at all.

    A checkpoint that cannot be read is named and the one before is taken; InputError when files
    are there but none can be read.
    """
    unreadable = []
    for name in ("fresh.pt", LAST, BEFORE):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            progress = Progress(**state.pop("progress"))
        except Exception as error:  # what a damaged pickle raises depends on where the damage is
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.warning("%s: cannot be read (%s); taking the one before", path, cause)
            unreadable.append(path)
            continue
        return state, progress
    if unreadable:
        raise InputError(
            f"{unreadable[0]}: no checkpoint can be read; train again without --resume"
        )
    return None
