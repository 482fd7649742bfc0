"""Long signals in overlapping windows: memory bounded by a batch of windows, whatever the length.

A network that streams carries its states along instead (`seqlabel.forward`).
A bidirectional network needs some context on either side of a frame, not the whole signal.
Neighbouring windows overlap and are joined in the middle of their overlap, at the frame where both
agree with the highest probability, preferably on blanks. A label on one side of it in one window is
there in the other too, so that no label is lost or doubled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.normalisation import Statistics
from seqlabel.features.stream import FrontEndStream, why_not
from seqlabel.inputs.recording import Recording

SECONDS = 60.0
"""Seconds of speech in a window."""
OVERLAP = 4.0
"""Seconds that a window shares with the next; at least one second of context on either side."""
FRAMES = 4000
"""Frames of ink in a window; their durations differ."""
BATCH = 12_000
"""Frames computed together."""
BLOCK = 20.0
"""Seconds of a recording in memory at a time."""
NEIGHBOURHOOD = 0.1
"""Share of the overlap over which agreement is averaged."""

Compute = Callable[[Sequence[Frames]], Iterable[np.ndarray]]
"""Frames of windows -> (T', N) outputs of each."""


@dataclass(frozen=True)
class Plan:
    """Windows of `size` input frames, `step` apart; `every` frames become one output."""

    size: int
    step: int
    every: int

    @classmethod
    def of(cls, period: float, speech: bool, every: int) -> "Plan":
        """The windows for frames of `period` seconds and a network that joins `every` of them."""
        size = round(SECONDS / period) if speech and period > 0 else FRAMES
        overlap = round(OVERLAP / period) if speech and period > 0 else FRAMES // 15
        overlap = -(-overlap // every) * every
        size = max(-(-size // every) * every, 2 * overlap)
        return cls(size, size - overlap, every)

    def needed(self, frames: int) -> bool:
        """Whether a signal of so many frames is cut into windows; one slightly over a window is
        not.
        """
        return frames > self.size + self.step // 2

    def windows(self, pieces: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """(first frame, frames (size, F)) of each window; the last one may be shorter or longer."""
        held, first = np.zeros((0, 0), np.float32), 0
        for piece in pieces:
            held = np.concatenate([held, piece]) if held.size else piece
            while self.needed(len(held)):
                yield first, held[: self.size]
                held, first = held[self.step :], first + self.step
        if len(held):
            yield first, held


def run_windows(
    pieces: Iterable[np.ndarray], plan: Plan, frames_of: Callable[[int, np.ndarray], Frames],
    compute: Compute, labels: int,
) -> np.ndarray:  # fmt: skip
    """The outputs (T', N) of a long signal whose frames (n, F) come in pieces.

    frames_of: (first frame, x) -> the frames of a window. labels: K, the log-probabilities
    among the N, the blank's first; 0 if the outputs are not log-probabilities.
    """
    batch: list[tuple[int, Frames]] = []
    joined: list[np.ndarray] = []
    last = 0  # output frame at which the last array of `joined` begins

    def flush() -> None:
        nonlocal last
        for (first, _), output in zip(batch, compute([f for _, f in batch]), strict=True):
            start = first // plan.every
            if joined:
                before = joined[-1]
                seam = start - last + find_seam(before[start - last :], output, labels)
                joined[-1] = before[:seam].copy()
                output = output[last + seam - start :]
                start = last + seam
            joined.append(output)
            last = start
        batch.clear()

    room = max(1, BATCH // plan.size)
    for first, x in plan.windows(pieces):
        batch.append((first, frames_of(first, x)))
        if len(batch) == room:
            flush()
    if batch:
        flush()
    return np.concatenate(joined)


def find_seam(before: np.ndarray, after: np.ndarray, labels: int) -> int:
    """The frame of an overlap (V, N) where the next window takes over: 0 < n < V.

    before: the end of one window, after: the beginning of the next, which may be longer. Only the
    middle half is considered, where both have context.
    """
    V = min(len(before), len(after))
    first, last = V // 4, max(V // 4 + 1, 3 * V // 4)
    if not labels or V < 8:
        return V // 2
    p, q = (np.exp(part[:V, :labels].astype(np.float64)) for part in (before, after))
    score = np.minimum(p, q).sum(axis=1) + np.minimum(p[:, 0], q[:, 0])
    reach = max(1, int(V * NEIGHBOURHOOD / 2))
    sums = np.concatenate([[0.0], np.cumsum(score)])
    places = np.arange(first, last)
    mean = (sums[np.minimum(places + reach, V)] - sums[places - reach]) / (2 * reach)
    # a seam is between two frames, both of which should be blanks
    edge = np.minimum(p[:, 0], q[:, 0])
    return int(places[np.argmax(mean + np.minimum(edge[places - 1], edge[places]))])


def recording_pieces(
    recording: Recording, first: int, last: int, front_end: FrontEnd, own: Statistics | None
) -> Iterator[np.ndarray]:
    """The frames (n, F) of samples first ... last - 1 of a recording.

    They equal those of the whole. If the front end needs statistics of the utterance and `own` is
    not given, these take a separate pass over the recording.
    """
    if why_not(front_end) is not None:
        options = front_end.options
        if own is None:
            bare = FrontEnd(front_end.extractor, FrontEndOptions(normalise="none"))
            own = Statistics.fit(recording_pieces(recording, first, last, bare, None))
        known = FrontEndOptions("train", options.stack, options.stride)
        front_end = FrontEnd(front_end.extractor, known, own)
    stream = FrontEndStream(front_end)
    step = round(BLOCK * recording.rate)
    for start in range(first, last, step):
        yield stream.push(recording.read(start, min(start + step, last)))
    yield stream.finish()
