"""Weights of epochs, kept in files until the end of their phase (`phases.N.average`)."""

from collections.abc import Collection
from pathlib import Path

from seqlabel.training.checkpoint import Progress
from seqlabel.training.run_directory import CHECKPOINTS


def snapshot(folder: Path, phase: int, epoch: int) -> Path:
    """The file, in a model directory, with the weights after an epoch; both count from 0."""
    return folder / CHECKPOINTS / f"phase{phase}-epoch{epoch}.safetensors"


def snapshots_of(folder: Path, progress: Progress) -> set[Path]:
    """The files that a run needs to go on from `progress`."""
    if progress.finished:
        return set()
    return {snapshot(folder, progress.phase, epoch) for _, epoch in progress.kept}


def all_snapshots(folder: Path) -> set[Path]:
    """The snapshots in a model directory."""
    return set((folder / CHECKPOINTS).glob("phase*-epoch*.safetensors"))


def remove_snapshots(folder: Path, needed: Collection[Path]) -> None:
    """Remove all snapshots of a run but those that are `needed`."""
    for path in all_snapshots(folder).difference(needed):
        path.unlink(missing_ok=True)
