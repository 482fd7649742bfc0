"""Grouping of utterances into batches."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from seqlabel.errors import InputError


@dataclass(frozen=True)
class BatchOptions:
    """How utterances are grouped.

    frames: maximum number of frames in a batch with padding. utterances: maximum number of these.
    pool: batches whose utterances are sorted by length together; a small pool is more
    random, a large one needs less padding.
    """

    frames: int = 6000
    utterances: int = 64
    pool: int = 24

    def __post_init__(self) -> None:
        for value in (self.frames, self.utterances, self.pool):
            if not 1 <= value < 2**31:
                raise InputError("frames, utterances and pool must be between 1 and 2^31")

    def usual_size(self, lengths: np.ndarray) -> float:
        """Utterances in a batch of those of mean length."""
        mean = max(1.0, float(lengths.mean())) if len(lengths) else 1.0
        return min(self.utterances, self.frames / mean)


@dataclass(frozen=True, eq=False)
class BatchPlan(Sequence[list[int]]):
    """M batches of utterance numbers.

    order: (N,) the utterances. starts, ends: (M,) where each batch is in it, longest utterance
    first.
    """

    order: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, n: int) -> list[int]: ...
    @overload
    def __getitem__(self, n: slice) -> "BatchPlan": ...
    def __getitem__(self, n: int | slice) -> "list[int] | BatchPlan":
        if isinstance(n, slice):
            return BatchPlan(self.order, self.starts[n], self.ends[n])
        return self.order[self.starts[n] : self.ends[n]].tolist()

    @property
    def sizes(self) -> np.ndarray:
        """(M,) utterances of each batch."""
        return self.ends - self.starts


def make_batches(
    lengths: Sequence[int] | np.ndarray, options: BatchOptions, rng: np.random.Generator | None
) -> BatchPlan:
    """Group utterances 0..N-1 of `lengths` frames into batches within the frame budget.

    With `rng` the utterances are shuffled, sorted by length within pools of `options.pool` batches,
    cut into batches, and the batches shuffled; without it the order is by length, the longest
    first (for decoding). An utterance longer than the budget is a batch of its own.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if rng is None:
        order = np.argsort(-sizes, kind="stable")
        return _plan(order, _cut(sizes[order], options))
    order = rng.permutation(len(sizes))
    pool = max(1, round(options.pool * options.usual_size(sizes)))
    starts = array("q")
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part[:] = part[np.argsort(-sizes[part], kind="stable")]
        starts.extend(start + first for first in _cut(sizes[part], options))
    plan = _plan(order, starts)
    chosen = rng.permutation(len(plan))
    return BatchPlan(order, plan.starts[chosen], plan.ends[chosen])


def _plan(order: np.ndarray, starts: Sequence[int]) -> BatchPlan:
    """The batches that begin at `starts` in `order`, without gaps."""
    borders = np.append(np.array(starts, dtype=np.int64), len(order))
    return BatchPlan(order, borders[:-1], borders[1:])


def _cut(sizes: np.ndarray, options: BatchOptions) -> list[int]:
    """Where batches begin when utterances sorted from long to short are cut within the budget.

    The first utterance of a batch is its longest and determines how many fit.
    """
    room = np.minimum(options.utterances, options.frames // np.maximum(sizes, 1))
    steps = np.maximum(room, 1).tolist()
    starts, start = [], 0
    while start < len(steps):
        starts.append(start)
        start += steps[start]
    return starts


def padding_share(batches: BatchPlan, lengths: Sequence[int] | np.ndarray) -> float:
    """Share of the batches' frames that is padding."""
    if not len(batches):
        return 0.0
    sizes = np.asarray(lengths, dtype=np.int64)[batches.order]
    sums = np.concatenate([[0], np.cumsum(sizes)])
    total = int((sizes[batches.starts] * batches.sizes).sum())
    held = int((sums[batches.ends] - sums[batches.starts]).sum())
    return 1.0 - held / total if total else 0.0


def shard(batch: Sequence[int], rank: int, world: int) -> tuple[list[int], float]:
    """The part of a batch that one of `world` processes computes, and the weight of its loss.

    The parts of all ranks make up the batch, so that `world` processes do the same updates as one.
    A rank without a part computes the first utterance with weight 0, because every rank must take
    part in the all-reduce.
    """
    part = list(batch[rank::world])
    return (part, 1.0) if part else ([batch[0]], 0.0)


def elapsed_times(times: Sequence[np.ndarray], ids: Sequence[str] = ()) -> np.ndarray:
    """B arrays (T_b,) of times in seconds -> (B, T) float32, from the previous frame to each frame.

    0 for the first frame and in the padding. Raises InputError for times that are NaN or decrease,
    with the id of the utterance where `ids` are given.
    """
    elapsed = np.zeros((len(times), max(map(len, times))), np.float32)
    for b, (row, seconds) in enumerate(zip(elapsed, times, strict=True)):
        passed = np.diff(seconds)
        wrong = np.flatnonzero(~(passed >= 0) | ~np.isfinite(passed))
        if len(wrong):
            frame = int(wrong[0]) + 1
            raise InputError(
                f"{f'{ids[b]}: ' if ids else ''}frame {frame} has the time {seconds[frame]:g} s "
                f"after {seconds[frame - 1]:g} s: correct the times, or use a cell without decay"
            )
        row[1 : len(seconds)] = passed
    return elapsed
