"""A front end for signals in pieces; its frames equal, bit for bit, those of the whole signal.

What can stream, and what cannot:

    windows, derivatives, stacking   wait for the samples they cover (`stages.py`)
    normalise = "train", "running"   need no later frames: they stream
    normalise = "none"               streams
    normalise = "utterance", "speaker"   need all frames first: they cannot stream
    ink                              stroke by stroke if possible (`ink/strokes.py`)
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd
from seqlabel.features.ink import strokes
from seqlabel.features.mfcc import Mfcc
from seqlabel.features.normalisation import RunningStatistics
from seqlabel.features.series import SeriesRows
from seqlabel.features.stages import Chain, Deltas, Normalisation, Stacking, Stage, Windows
from seqlabel.features.windows import frames_of
from seqlabel.inputs.ink import Ink

Speech = Fbank | Mfcc


def why_not(front_end: FrontEnd) -> str | None:
    """Why a front end cannot stream, with the solution; None if it can."""
    kind = front_end.options.normalise
    if kind in ("utterance", "speaker"):
        return (
            f"front_end.normalise = {kind!r} needs all frames before the first; train with "
            "normalise = 'train' or 'running'"
        )
    if isinstance(front_end.extractor, Speech):
        return None
    if isinstance(front_end.extractor, SeriesRows):
        return "series cannot stream: use seqlabel.load(EXP).read(FILE) or seqlabel decode"
    return strokes.why_not(front_end.extractor)


def latency(front_end: FrontEnd, further: int = 0) -> float:
    """Seconds from the first sample of a frame's first window to the last sample it waits for.

    further: later frames that it also waits for. For speech only.
    """
    extractor, options = front_end.extractor, front_end.options
    assert isinstance(extractor, Speech)
    steps = options.stack - 1 + _reach(extractor) + further * options.stride
    return (extractor.window_samples + steps * extractor.step_samples) / extractor.rate


def signal_latency(front_end: FrontEnd, waits: int | None) -> float:
    """Maximum delay of outputs in seconds, see `Recognizer.latency`.

    waits: later frames that an output waits for, None for all of them.
    """
    if waits is None or why_not(front_end):
        return math.inf
    if not isinstance(front_end.extractor, Speech):
        return math.inf if waits or front_end.options.stack > 1 else 0.0
    return latency(front_end, waits)


def _reach(extractor: Speech) -> int:
    """Later frames that derivatives wait for."""
    return extractor.deltas * extractor.delta_window


class FrontEndStream:
    """A signal in pieces to the frames of a network.

    stream = FrontEndStream(front_end)
    stream.push(samples)            # speech: (n,) -> (m, F) frames; n and m may be 0
    stream.push(points, pen_up=True)  # ink: (n, 2 to 4) points of one stroke, which ends here
    stream.finish()                 # the remaining frames
    stream.times, stream.period     # of all frames so far, as in `Frames`

    Raises InputError for a front end that cannot stream.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        reason = why_not(front_end)
        if reason is not None:
            raise InputError(reason)
        self._front_end = front_end
        self._strokes: strokes.Strokes | None = None
        if not isinstance(front_end.extractor, Speech):
            self._strokes = strokes.Strokes(front_end.extractor)
        self._chain = Chain(list(_stages(front_end)))
        self._ink_times: list[float] = []
        self._ink_strokes: list[int] = []
        self._finished = False
        self.frames = 0
        """Number of frames so far."""

    def push(self, signal: Any, pen_up: bool = False) -> np.ndarray:
        """The frames (m, F) determined by n more samples or points.

        Raises InputError for unusable input, none of which is then taken.
        """
        self._check_open()
        if self._strokes is not None:
            return self._count(self._chain.push(self._of_strokes(signal, pen_up)))
        if pen_up:
            raise InputError("pen_up is for ink; this front end reads speech")
        try:
            samples = np.asarray(signal)
        except (TypeError, ValueError):
            raise InputError("audio: samples are not an array of numbers (n,)") from None
        return self._count(self._chain.push(samples))

    def finish(self) -> np.ndarray:
        """The remaining frames. Raises InputError if the signal has no frame."""
        self._check_open()
        last = [] if self._strokes is None else [self.push((), pen_up=True)]
        self._finished = True
        last.append(self._count(self._chain.finish()))
        if not self.frames:
            what = "no points were pushed"
            if self._strokes is None:
                what = "the signal is shorter than a window of the features"
            raise InputError(f"{what}: no frames")
        return np.concatenate(last)

    @property
    def times(self) -> np.ndarray:
        """(T,) seconds at which the frames so far start."""
        stride = self._front_end.options.stride
        if self._strokes is not None:
            return np.array(self._ink_times)[::stride][: self.frames]
        return self._empty(self.frames * stride).times[::stride]

    @property
    def period(self) -> float:
        """Seconds from one frame to the next; for ink, so far."""
        stride = self._front_end.options.stride
        if self._strokes is None:
            return self._empty(0).period * stride
        times = self._ink_times
        return float((times[-1] - times[0]) / max(len(times) - 1, 1)) * stride

    @property
    def strokes(self) -> np.ndarray | None:
        """(T,) int32 strokes of the frames so far, None for speech."""
        if self._strokes is None:
            return None
        stride = self._front_end.options.stride
        return np.array(self._ink_strokes, np.int32)[::stride][: self.frames]

    @property
    def ink(self) -> Ink | None:
        """The strokes that have ended, as `Frames.ink`; None for speech and before the first."""
        return None if self._strokes is None else self._strokes.ink

    def _of_strokes(self, points: Any, pen_up: bool) -> np.ndarray:
        assert self._strokes is not None
        new = self._strokes.push(points, pen_up)
        if new is None:
            return np.zeros((0, self._front_end.extractor.dim), np.float32)
        assert new.strokes is not None
        self._ink_times += new.times.tolist()
        self._ink_strokes += new.strokes.tolist()
        return new.x

    def _empty(self, frames: int) -> Frames:
        return frames_of(np.zeros((frames, 0), np.float32), self._front_end.extractor)

    def _count(self, frames: np.ndarray) -> np.ndarray:
        self.frames += len(frames)
        return frames

    def _check_open(self) -> None:
        if self._finished:
            raise InputError("the stream is finished; start another one")


def _stages(front_end: FrontEnd) -> Iterator[Stage]:
    """The stages for samples, or for the features of strokes."""
    extractor, options = front_end.extractor, front_end.options
    if isinstance(extractor, Speech):
        windows = Windows(extractor)
        yield windows
        if _reach(extractor):
            yield Deltas(windows.dim, extractor.deltas, extractor.delta_window)
    if options.needs_statistics:
        statistics = front_end.statistics
        if statistics is None:
            raise InputError(f"normalise = {options.normalise!r}, but the model has no statistics")
        running = options.normalise == "running"
        yield Normalisation(extractor.dim, RunningStatistics(statistics) if running else statistics)
    if options.stack > 1 or not isinstance(extractor, Speech):
        yield Stacking(extractor.dim, options.stack, options.stride)
