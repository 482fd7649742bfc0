"""The way from captured ink to normal ink, with the options that all ink features share."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.ink.cleaning import remove_duplicates, remove_outliers
from seqlabel.features.ink.delayed import delayed_strokes
from seqlabel.features.ink.resampling import UNTIMED_RATE, resample_distance, resample_time
from seqlabel.features.ink.size import scale_to_corpus, scale_to_height, scale_to_strokes
from seqlabel.features.ink.skew import correct_skew
from seqlabel.features.ink.slant import correct_slant
from seqlabel.features.ink.smoothing import smooth
from seqlabel.features.ink.width import scale_width
from seqlabel.inputs.ink import Ink

SIZES: dict[str, Callable[[Ink], Ink] | None] = {
    "corpus": scale_to_corpus,
    "height": scale_to_height,
    "strokes": scale_to_strokes,
    "none": None,
}


@dataclass(frozen=True)
class Writing:
    """Ink on its way to normal form.

    ink: the strokes that are left. numbers: (strokes,) int32, their numbers in the captured ink.
    delayed: the strokes that were taken out, in the same coordinates.
    """

    ink: Ink
    numbers: np.ndarray
    delayed: tuple[np.ndarray, ...] = ()

    @property
    def hats(self) -> np.ndarray:
        """(strokes taken out, 2) left and right end of each."""
        ends = [(stroke[:, 0].min(), stroke[:, 0].max()) for stroke in self.delayed]
        return np.array(ends).reshape(-1, 2)


@dataclass(frozen=True)
class InkFrontEnd:
    """Options of normalisation, in the order of the steps (Liwicki & Bunke; Graves et al. 2009).

    times: use the times of the points; False for corpora where they are wrong or mostly missing.
    clean: remove repeated points and outliers. skew: level the line of writing. slant: shear it
    upright. size: scale to the height of the "corpus" (a small x), to the whole "height", to the
    mean size of "strokes" (formulas; with it, skew, slant, width and delayed should be False, which
    are for lines of text), or "none". width: stretch letters to a common mean width. smoothing:
    standard deviation of a Gaussian along the strokes, in the unit that `size` makes 1 (0: none),
    for ink from coarse grids. delayed: take out dots and bars written afterwards.
    resampling: points at equal "distance" (`spacing`, in the unit that `size` makes 1), at equal
    "time" (`interval`, seconds), or "none"; within strokes only.
    """

    times: bool = True
    clean: bool = True
    skew: bool = True
    slant: bool = False
    size: Literal["corpus", "height", "strokes", "none"] = "corpus"
    width: bool = False
    smoothing: float = 0.0
    delayed: bool = False
    resampling: Literal["distance", "time", "none"] = "distance"
    spacing: float = 0.2
    interval: float = 0.03

    def __post_init__(self) -> None:
        if not (self.spacing > 0 and self.interval > 0):
            raise InputError(
                f"spacing {self.spacing} and interval {self.interval}: both must be positive"
            )
        if not 0 <= self.smoothing < math.inf:
            raise InputError(f"smoothing {self.smoothing}: a finite length from 0 on is expected")

    def steps(self, ink: Ink) -> Iterator[tuple[str, Writing]]:
        """Yield (name, writing) as captured and after each step in turn, resampling excepted."""
        captured = ink if self.times else ink.untimed()
        writing = Writing(captured, np.arange(len(ink.strokes), dtype=np.int32))
        yield "as captured", writing
        for name, function in (
            ("duplicates and outliers removed", clean if self.clean else None),
            ("skew corrected", correct_skew if self.skew else None),
            ("slant corrected", correct_slant if self.slant else None),
            ("size normalised", SIZES[self.size]),
            ("width normalised", scale_width if self.width else None),
            ("smoothed", partial(smooth, deviation=self.smoothing) if self.smoothing else None),
        ):
            if function is not None:
                writing = replace(writing, ink=function(writing.ink))
                yield name, writing
        if self.delayed:
            writing = _without_delayed(writing)
            yield "delayed strokes removed", writing

    def prepare(self, ink: Ink) -> Writing:
        """The writing after the last step before resampling."""
        *_, (_, writing) = self.steps(ink)
        return writing

    def resample(self, writing: Writing) -> Writing:
        """The writing resampled as the options say."""
        if self.resampling == "distance":
            return replace(writing, ink=resample_distance(writing.ink, self.spacing))
        if self.resampling == "time":
            return replace(writing, ink=resample_time(writing.ink, self.interval))
        return writing

    def normalise(self, ink: Ink) -> Writing:
        """The writing after all steps."""
        return self.resample(self.prepare(ink))


def clean(ink: Ink) -> Ink:
    """Ink without repeated points and outliers."""
    return remove_outliers(remove_duplicates(ink))


def _without_delayed(writing: Writing) -> Writing:
    ink = writing.ink
    late = delayed_strokes(ink)
    if not late.any():
        return writing
    kept = [stroke for stroke, out in zip(ink.strokes, late, strict=True) if not out]
    taken = tuple(stroke for stroke, out in zip(ink.strokes, late, strict=True) if out)
    return Writing(Ink(kept, ink.unit, ink.timed), writing.numbers[~late], taken)


def frames_of(x: np.ndarray, writing: Writing) -> Frames:
    """Frames of features (N, F), one for each point of the writing."""
    ink = writing.ink
    times = seconds(ink)
    period = float((times[-1] - times[0]) / max(len(times) - 1, 1))
    strokes = writing.numbers[ink.stroke_numbers]
    return Frames(x.astype(np.float32), times, period, strokes)


def seconds(ink: Ink) -> np.ndarray:
    """(N,) seconds from the first point on; untimed ink counts `UNTIMED_RATE` points a second."""
    return (ink.t - ink.t[0]) / (1.0 if ink.timed else UNTIMED_RATE)


def on_the_clock(ink: Ink) -> Ink:
    """The same ink with the times that its frames have: seconds from the first point on."""
    points = ink.points.copy()
    points[:, 2] = seconds(ink)
    return ink.with_points(points)
