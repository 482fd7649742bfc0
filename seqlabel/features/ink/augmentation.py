"""Augmentation: random distortion of ink."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.ink.skew import rotate
from seqlabel.features.ink.slant import shear
from seqlabel.inputs.ink import Ink


@dataclass(frozen=True)
class Augmentation:
    """Limits of random changes of ink; 0 for none. Angles are in degrees.

    rotation, shear: greatest angle either way, uniform. scale: greatest |ln| of the factors of x
    and y, drawn one by one. speed: greatest |ln| of a factor of time.
    jitter: standard deviation of a smooth disturbance along the strokes. offset: standard
    deviation of a shift of each whole stroke. Both count in mean sizes of a stroke.
    drop: probability that a point goes missing; the ends of a stroke stay.
    """

    rotation: float = 3.0
    shear: float = 10.0
    scale: float = 0.15
    speed: float = 0.2
    jitter: float = 0.015
    offset: float = 0.03
    drop: float = 0.05

    def __post_init__(self) -> None:
        angles = self.rotation, self.shear
        rest = self.scale, self.speed, self.jitter, self.offset
        within = all(0 <= angle < 80 for angle in angles) and all(0 <= v <= 5 for v in rest)
        if not within or not 0 <= self.drop < 1:
            raise InputError(
                "ink augmentation: angles must be from 0 to below 80, drop below 1, all others "
                "from 0 to 5"
            )


def augment(ink: Ink, rng: np.random.Generator, options: Augmentation) -> Ink:
    """A distorted copy of ink: the same number and order of strokes, with times that never
    decrease.

    The same state of `rng` gives the same copy.
    """
    angles = np.radians(rng.uniform(-1, 1, 2) * [options.rotation, options.shear])
    factors = np.exp(rng.uniform(-1, 1, 3) * [options.scale, options.scale, options.speed])
    low, high = ink.boxes
    size = (high - low).max(axis=1).mean()
    points = ink.points.copy()
    points[:, :2] += options.jitter * size * smooth_noise(len(ink), rng)
    shifts = options.offset * size * rng.standard_normal(low.shape)
    points[:, :2] += shifts[ink.stroke_numbers]
    if ink.timed:
        points[:, 2] = points[0, 2] + factors[2] * (points[:, 2] - points[0, 2])
    changed = _drop(ink.with_points(points), rng, options.drop)
    return rotate(shear(changed.transformed(np.diag(factors[:2])), angles[1]), angles[0])


def smooth_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) Gaussian noise of variance 1 whose neighbours are alike over five points."""
    noise = rng.standard_normal((count + 4, 2)).cumsum(axis=0)
    window = noise[4:] - np.concatenate([np.zeros((1, 2)), noise[: count - 1]])
    return window / np.sqrt(5)


def _drop(ink: Ink, rng: np.random.Generator, probability: float) -> Ink:
    kept = rng.random(len(ink)) >= probability
    kept[ink.offsets[:-1]] = kept[ink.offsets[1:] - 1] = True
    offsets = np.concatenate([[0], np.cumsum(kept)])[ink.offsets]
    return ink.with_points(ink.points[kept], offsets)
