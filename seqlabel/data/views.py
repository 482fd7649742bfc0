"""The frames of utterances: plain, or distorted for training, in one view or several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqlabel.data.index import Utterances
from seqlabel.data.signals import KeptSignals, read_signal, signal_kind
from seqlabel.data.speakers import SpeakerStatistics
from seqlabel.data.store import FeatureStore
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd, Signal
from seqlabel.features.noise import add_noise
from seqlabel.inputs.audio import Audio

Distort = Callable[[Signal, np.random.Generator], Signal]
WarpFrames = Callable[[Frames, np.random.Generator], Frames]
MaskFrames = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Distortion:
    """Augmentation of an utterance in training.

    variants: (speed, store) of the same utterances at other speeds; one of them or the plain
    features is drawn with equal chance. signal: distorts the signal, whose features are then
    extracted anew, unless it is returned as it was; that of speech stands for other conditions of
    recording, which a speaker's statistics share (`Statistics.moved`). warp: moves what normalised
    frames contain, not their number. mask: distorts normalised frames (T, F). noise: standard
    deviation of Gaussian noise on them. subsample: frames per output of the network; if a
    distortion would leave fewer than the labels need, the utterance is not distorted.
    """

    variants: Sequence[tuple[float, FeatureStore]] = ()
    signal: Distort | None = None
    warp: WarpFrames | None = None
    mask: MaskFrames | None = None
    noise: float = 0.0
    subsample: int = 1


class Views:
    """Frames of the utterances of a manifest by their number in it.

    needed: the frames that the labels of an utterance need.
    """

    def __init__(
        self,
        utterances: Utterances,
        store: FeatureStore,
        front_end: FrontEnd,
        needed: Callable[[int], int],
    ) -> None:
        self.utterances, self.store, self.front_end = utterances, store, front_end
        self.needed = needed
        self._own: SpeakerStatistics | None = None
        if front_end.options.normalise == "speaker":
            self._own = SpeakerStatistics(store, utterances.speakers)
        self._signal = KeptSignals(
            lambda number: read_signal(utterances[number], front_end.extractor)
        )

    def of(
        self,
        number: int,
        distortion: Distortion,
        rng: np.random.Generator | None = None,
        second: np.random.Generator | None = None,
        plain: bool = False,
    ) -> list[Frames]:
        """Frames of an utterance after stacking, distorted if `rng` is given.

        second: draws masks and noise of a second view. plain: last come the frames without any.
        What changes the positions of frames is drawn once, so that the views stay aligned.
        """
        frames = self._normalised(number, distortion, rng)
        views = [self._masked(frames, distortion, rng)]
        if second is not None:
            views.append(self._masked(frames, distortion, second))
        if plain:
            views.append(self._masked(frames, distortion, None))
        return views

    def _normalised(
        self, number: int, distortion: Distortion, rng: np.random.Generator | None
    ) -> Frames:
        """Frames of an utterance before stacking, in positions that `rng` draws."""
        own = None if self._own is None else self._own[number]
        frames = None if rng is None else self._distorted(number, distortion, rng)
        if frames is None:
            frames = self._stored(number, distortion, rng)
        elif own is not None and signal_kind(self.front_end.extractor) == "speech":
            own = own.moved(self.store[number], frames.x)
        frames = replace(frames, x=self.front_end.normalise(frames.x, own))
        if rng is not None and distortion.warp is not None:
            frames = distortion.warp(frames, rng)
        return frames

    def _masked(
        self, frames: Frames, distortion: Distortion, rng: np.random.Generator | None
    ) -> Frames:
        """Normalised frames after masks, stacking and noise."""
        x = frames.x
        if rng is not None and distortion.mask is not None:
            x = distortion.mask(x, rng)
        stacked = self.front_end.stack(replace(frames, x=x))
        if rng is not None and distortion.noise:
            stacked = replace(stacked, x=add_noise(stacked.x, distortion.noise, rng))
        return stacked

    def _distorted(
        self, number: int, distortion: Distortion, rng: np.random.Generator
    ) -> Frames | None:
        """Features of the distorted signal, None if it is not distorted or gets too short.

        The times of speech are those of the utterance at its own speed.
        """
        if distortion.signal is None:
            return None
        signal = self._signal(number)
        try:
            changed = distortion.signal(signal, rng)
            if changed is signal:
                return None
            frames: Frames = self.front_end.extractor(changed)
        except InputError as error:
            source = self.utterances[number].source
            raise InputError(f"{source}, distorted for training: {error}") from None
        if not self._long_enough(number, distortion, len(frames)):
            return None
        if isinstance(signal, Audio) and isinstance(changed, Audio):
            return _at_speed(frames, signal.duration / changed.duration)
        return frames

    def _stored(
        self, number: int, distortion: Distortion, rng: np.random.Generator | None
    ) -> Frames:
        """Features of the store, or those at another speed that `rng` draws."""
        if rng is not None and distortion.variants:
            choice = int(rng.integers(len(distortion.variants) + 1))
            if choice:
                speed, variant = distortion.variants[choice - 1]
                if self._long_enough(number, distortion, variant.frame_count(number)):
                    return _at_speed(variant.frames(number), speed)
        return self.store.frames(number)

    def _long_enough(self, number: int, distortion: Distortion, frames: int) -> bool:
        left = -(-self.front_end.frame_count(frames) // distortion.subsample)
        return left >= self.needed(number)


def _at_speed(frames: Frames, speed: float) -> Frames:
    """Frames of an utterance that is played `speed` times as fast, with the times of its own."""
    return replace(frames, times=frames.times * speed, period=frames.period * speed)
