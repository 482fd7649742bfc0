"""The way from captured ink to normal ink, with the options that all ink features share."""

from collections.abc import Iterator
from dataclasses import dataclass
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
from seqlabel.inputs.ink import Ink

SIZES = {"corpus": scale_to_corpus, "height": scale_to_height, "strokes": scale_to_strokes}


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

    clean: remove repeated points and outliers. skew: level the line of writing. slant: shear it
    upright. size: scale to the height of the "corpus" (a small x), to the whole "height", to the
    mean size of "strokes" (formulas), or "none". delayed: take out dots and bars written
    afterwards.
    resampling: points at equal "distance" (`spacing`, in the unit that `size` makes 1), at equal
    "time" (`interval`, seconds), or "none"; within strokes only.
    """

    clean: bool = True
    skew: bool = True
    slant: bool = False
    size: Literal["corpus", "height", "strokes", "none"] = "corpus"
    delayed: bool = False
    resampling: Literal["distance", "time", "none"] = "distance"
    spacing: float = 0.2
    interval: float = 0.03

    def __post_init__(self) -> None:
        if not (self.spacing > 0 and self.interval > 0):
            raise InputError(
                f"spacing {self.spacing} and interval {self.interval}: both must be positive"
            )

    def steps(self, ink: Ink) -> Iterator[tuple[str, Writing]]:
        """Yield (name of the step, writing after it) for captured ink and each step in turn."""
        numbers = np.arange(len(ink.strokes), dtype=np.int32)
        delayed: tuple[np.ndarray, ...] = ()
        yield "as captured", Writing(ink, numbers)
        if self.clean:
            ink = remove_outliers(remove_duplicates(ink))
            yield "clean", Writing(ink, numbers)
        if self.skew:
            ink = correct_skew(ink)
            yield "skew", Writing(ink, numbers)
        if self.slant:
            ink = correct_slant(ink)
            yield "slant", Writing(ink, numbers)
        if self.size != "none":
            ink = SIZES[self.size](ink)
            yield "size", Writing(ink, numbers)
        if self.delayed:
            late = delayed_strokes(ink)
            delayed = tuple(s for s, out in zip(ink.strokes, late, strict=True) if out)
            kept = [s for s, out in zip(ink.strokes, late, strict=True) if not out]
            ink, numbers = Ink(kept, ink.unit, ink.timed), numbers[~late]
            yield "delayed strokes", Writing(ink, numbers, delayed)
        if self.resampling == "distance":
            yield "resampling", Writing(resample_distance(ink, self.spacing), numbers, delayed)
        elif self.resampling == "time":
            yield "resampling", Writing(resample_time(ink, self.interval), numbers, delayed)

    def normalise(self, ink: Ink) -> Writing:
        """The writing after the last step."""
        *_, (_, writing) = self.steps(ink)
        return writing


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
