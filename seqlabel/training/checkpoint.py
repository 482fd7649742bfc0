"""Checkpoints: the complete state of a run, so that it continues as if it had not stopped.

The last two are kept, each written whole, so that at least one is readable after a run was killed
or the disk was full.
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
    """The position of a run.

    phase, epoch, batch: the next batch to compute, all from 0. update: updates of this phase so
    far. best: lowest dev value of the phase; best_epoch: its epoch. halvings: of the learning rate.
    stale, stale_rate: epochs without improvement, since the best and since the last halving.
    loss_sum, utterances, frames: of the running epoch. skipped: updates skipped for a non-finite
    loss or gradient; skipped_in_row: of these, since the last good one. seconds: of training so
    far. epochs_done: over all phases.
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
    """Write `state` (tensors, plain values) and progress; the last one becomes the previous one.

    Returns whether it could be written; a full disk is reported and leaves both old ones intact.
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
            "%s: checkpoint not written (%s); training continues, the previous one is kept",
            error.filename or folder,
            error.strerror,
        )
        return False
    return True


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], Progress] | None:
    """The newest readable checkpoint, or None if there is none.

    If a checkpoint cannot be read, it is named in the log and the previous one is used; InputError
    if none of them can be read.
    """
    unreadable = []
    for name in ("fresh.pt", LAST, BEFORE):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            progress = Progress(**state.pop("progress"))
        except Exception as error:  # the exception depends on where a pickle is damaged
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.warning("%s: cannot be read (%s); using the previous one", path, cause)
            unreadable.append(path)
            continue
        return state, progress
    if unreadable:
        raise InputError(
            f"{unreadable[0]}: no checkpoint can be read; train again without --resume"
        )
    return None
