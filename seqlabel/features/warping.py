"""Random warping of log filter energies along frequency and time."""

from dataclasses import dataclass, replace

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.frames import Frames
from seqlabel.features.windows import mel_centres, mel_position

KNEE = 0.6
"""Share of the upper edge up to which frequencies are scaled: 4800 of 8000 Hz in the paper."""


@dataclass(frozen=True)
class Warping:
    """Warping of the frames of an extractor: other vocal tracts, and local changes of tempo.

    frequency: w > 0 scales the frequencies of an utterance by α, uniform in 1 ± w, as another
    length of the vocal tract would (vocal tract length perturbation, Jaitly & Hinton 2013: 0.1).
    Frequencies above `KNEE` of the upper edge are scaled less, so that the edge stays. The filters
    are not computed again: their log energies are interpolated between neighbours.
    time: W > 0 moves a frame by up to W frames, uniform, and the others in proportion to their
    distance from the ends (time warping of SpecAugment, Park et al. 2019), in utterances of more
    than 2 W frames. The times of the frames move too.
    """

    extractor: Fbank
    frequency: float = 0.0
    time: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.frequency <= 0.5:
            raise InputError(f"frequency_warp = {self.frequency}: must be from 0 to 0.5")
        if self.time < 0:
            raise InputError(f"time_warp = {self.time} frames: must not be negative")

    def __call__(self, frames: Frames, rng: np.random.Generator) -> Frames:
        """Warped frames of the same number."""
        if self.frequency:
            factor = float(rng.uniform(1 - self.frequency, 1 + self.frequency))
            frames = replace(frames, x=self.scale(frames.x, factor))
        T, W = len(frames.x), self.time
        if W > 0 and T > 2 * W:
            centre = int(rng.integers(W, T - W))
            shift = float(rng.uniform(-W, W))
            frames = bend(frames, centre, centre + shift)
        return frames

    def scale(self, x: np.ndarray, factor: float) -> np.ndarray:
        """x (T, F) of a speaker whose formants are at 1 / `factor` of the frequencies.

        Filter m gets what is found at G(centre of m), G the map of Jaitly & Hinton 2013.
        """
        options = self.extractor
        edge = options.upper_edge
        high = KNEE * edge * min(factor, 1.0)
        centres = mel_centres(options, options.filters)
        slope = (edge - high) / (edge - high / factor)
        moved = np.where(
            centres <= high / factor, factor * centres, edge - slope * (edge - centres)
        )
        position = np.clip(mel_position(options, options.filters, moved), 0, options.filters - 1)
        below = np.minimum(position.astype(np.int64), max(options.filters - 2, 0))
        share = (position - below).astype(np.float32)
        above = np.minimum(below + 1, options.filters - 1)
        parts = x.reshape(len(x), options.deltas + 1, -1)
        filters = parts[:, :, int(options.energy) :]
        scaled = (1 - share) * filters[:, :, below] + share * filters[:, :, above]
        return np.concatenate([parts[:, :, : int(options.energy)], scaled], axis=2).reshape(x.shape)


def bend(frames: Frames, before: float, after: float) -> Frames:
    """Frame `before` moves to `after`, the ends stay, linear in between; T is the same.

    Both positions lie above 0 and below T - 1.
    """
    T = len(frames.x)
    source = np.interp(np.arange(T), [0, after, T - 1], [0, before, T - 1])
    below = np.minimum(source.astype(np.int64), T - 2)
    share = source - below
    weight = share.astype(np.float32)[:, None]
    x = (1 - weight) * frames.x[below] + weight * frames.x[below + 1]
    times = (1 - share) * frames.times[below] + share * frames.times[below + 1]
    return replace(frames, x=x, times=times)
