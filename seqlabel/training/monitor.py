"""Progress of a run: a bar on a terminal, a line per epoch, the CSV log, TensorBoard."""

import logging
import math
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seqlabel.errors import InputError
from seqlabel.training.checkpoint import Progress
from seqlabel.training.clock import Clock
from seqlabel.training.diagnosis import explain_blanks
from seqlabel.training.evaluation import DevScore
from seqlabel.training.options import AnyPhase
from seqlabel.training.run_directory import LOG, read_log, write_log

log = logging.getLogger("seqlabel")


class Monitor:
    """Shows and records the progress of a run; only in the first process.

    metric: name of the dev error rate. board: folder of TensorBoard events, None for none.
    """

    def __init__(self, folder: Path, metric: str, speaks: bool, board: Path | None = None) -> None:
        self.path = folder / LOG
        self.metric = metric
        self.speaks = speaks
        self.padding, self._before = 0.0, 0.0  # frames of the epoch before this session
        self.rows: list[dict[str, Any]] = []
        self._bar: tqdm | None = None
        self._writer: Any = None
        if board is not None and speaks:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise InputError(
                    f"--tensorboard: {error}; pip install 'seqlabel[tensorboard]', or leave it out"
                ) from None
            self._writer = SummaryWriter(str(board))

    def resume(self, epochs_done: int) -> None:
        """Keep the log's rows of epochs that will not be repeated."""
        self.rows = read_log(self.path)[:epochs_done]

    def start_epoch(self, progress: Progress, updates: int, padding: float) -> None:
        """An epoch of `updates` updates begins, or goes on where `progress` is."""
        self.padding, self._before = padding, progress.frames
        if self.speaks and sys.stderr.isatty():
            title = f"epoch {progress.epochs_done + 1}"
            self._bar = tqdm(
                total=updates, initial=progress.batch, desc=title, leave=False, unit="update"
            )

    def update(self, progress: Progress) -> None:
        """One update is done."""
        if self._bar is not None:
            best = "" if progress.best_epoch < 0 else f"{progress.best:.4f}"
            loss = _mean_loss(progress)
            self._bar.set_postfix(loss=f"{loss:.3f}", best_dev=best, refresh=False)
            self._bar.update()

    def end_epoch(
        self,
        phase: AnyPhase,
        progress: Progress,
        score: DevScore,
        rate: float,
        clock: Clock,
    ) -> None:
        """Record an epoch; `progress` holds the sums over all processes.

        Frames per second and the seconds of the parts are those of this session, without what a
        resumed epoch had done before. The training loss is NaN if every update was skipped.
        """
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        spent = clock.take()
        busy = sum(seconds for part, seconds in spent.items() if part != "evaluate") or 1.0
        train_loss = _mean_loss(progress)
        frame_errors = score.frame_error_rate
        row = {
            "epoch": progress.epochs_done,
            "phase": phase.name,
            "minutes": f"{progress.seconds / 60:.3f}",
            "updates": progress.update,
            "learning_rate": f"{rate:.6g}",
            "train_loss": f"{train_loss:.17g}",
            "dev_loss": f"{score.loss:.17g}",
            "dev_error_rate": f"{score.error_rate:.6f}",
            "dev_frame_error_rate": "" if frame_errors is None else f"{frame_errors:.6f}",
            "labels_per_frame": (
                "" if score.labels_per_frame is None else f"{score.labels_per_frame:.4f}"
            ),
            "frames_per_second": f"{(progress.frames - self._before) / busy:.0f}",
            "padding": f"{self.padding:.4f}",
            "skipped_updates": progress.skipped,
            **{f"{part}_seconds": f"{seconds:.3f}" for part, seconds in spent.items()},
        }
        self.rows.append(row)
        if not self.speaks:
            return
        write_log(self.path, self.rows)
        mark = "*" if progress.stale == 0 else " "
        remark = ""
        if score.labels_per_frame is not None:
            remark = explain_blanks(score.labels_per_frame, progress.epochs_done)
        if frame_errors is not None:
            remark = f"frame error rate {100 * frame_errors:.2f} %"
        log.info(
            "epoch %3d%s %6.1f min  train loss %8.3f  dev loss %8.3f  dev %s %6.2f %%%s",
            progress.epochs_done,
            mark,
            progress.seconds / 60,
            train_loss,
            score.loss,
            self.metric,
            100 * score.error_rate,
            f"  ({remark})" if remark else "",
        )
        if self._writer is not None:
            self._write_board(progress, train_loss, score, rate)

    def _write_board(
        self, progress: Progress, train_loss: float, score: DevScore, rate: float
    ) -> None:
        step = progress.epochs_done
        self._writer.add_scalar("loss/train", train_loss, step)
        self._writer.add_scalar("loss/dev", score.loss, step)
        self._writer.add_scalar(f"dev/{self.metric}", score.error_rate, step)
        self._writer.add_scalar("learning_rate", rate, step)
        for name, expected, read in score.examples:
            self._writer.add_text(name, f"    {expected}\n    {read}", step)
        self._writer.flush()


def _mean_loss(progress: Progress) -> float:
    """Training loss of the epoch so far, NaN before its first update that was not skipped."""
    return progress.loss_sum / progress.utterances if progress.utterances else math.nan
