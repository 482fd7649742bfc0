"""Augmentation of speech: another speed, a room, noise and level, new at every use."""

from dataclasses import dataclass

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.room import (
    DIRECT,
    REVERBERATION,
    SNR,
    TILT,
    convolve,
    room_response,
    tilted_noise,
)
from seqlabel.features.speed import STEPS, change_speed
from seqlabel.inputs.audio import Audio


@dataclass(frozen=True)
class SoundAugmentation:
    """Random changes of the signal of every utterance in every epoch; 0 for none.

    speed: s; the factor of speed is drawn from 1 - s ... 1 + s in steps of 0.01.
    room: probability of a room. reverberation: range of the time in which its sound decays by 60
    dB, seconds. direct: range of the level of the direct sound over the reverberation, dB.
    noise: probability of noise. snr: range of the level of the speech, pauses included, over the
    noise, dB. tilt: range of the power of the frequency with which the noise falls (0: white, 1:
    pink).
    level: greatest change of the level either way, dB.
    Ranges are drawn from uniformly. With normalise = "speaker" an utterance is normalised with the
    statistics that the speaker would have under these conditions: those of the undistorted
    signals, moved as far as the utterance's own (`Statistics.moved`). So a change of level alone
    changes nothing there.
    """

    speed: float = 0.0
    room: float = 0.0
    reverberation: tuple[float, float] = REVERBERATION
    direct: tuple[float, float] = DIRECT
    noise: float = 0.0
    snr: tuple[float, float] = SNR
    tilt: tuple[float, float] = TILT
    level: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.speed <= 0.5 or abs(self.speed * STEPS - self.steps) > 1e-6:
            raise InputError(f"speed = {self.speed}: must be from 0 to 0.5 in steps of 0.01")
        if not (0 <= self.room <= 1 and 0 <= self.noise <= 1):
            raise InputError("room and noise are probabilities: they must be from 0 to 1")
        if not 0 <= self.level <= 60:
            raise InputError(f"level = {self.level} dB: must be from 0 to 60")
        limits = {"reverberation": (0.01, 5), "direct": (-20, 60), "snr": (-20, 100),
                  "tilt": (0, 3)}  # fmt: skip
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise InputError(
                    f"{name} = [{low}, {high}]: two numbers from {least} to {most} are expected, "
                    "the lower one first"
                )

    @property
    def steps(self) -> int:
        """Steps of speed on either side of 1."""
        return round(self.speed * STEPS)

    @property
    def changes(self) -> bool:
        """Whether any signal is changed."""
        return bool(self.steps or self.room or self.noise or self.level)


def distort_sound(audio: Audio, rng: np.random.Generator, options: SoundAugmentation) -> Audio:
    """The signal faster or slower, then in a room, with noise, louder or softer.

    Only the speed changes the number of samples; the room delays nothing. A signal that is not
    changed is returned itself. The same state of `rng` gives the same samples.
    """
    factor = 1 + int(rng.integers(-options.steps, options.steps + 1)) / STEPS
    in_room, noisy = rng.random(2) < (options.room, options.noise)
    audio = change_speed(audio, factor)
    sound = audio.samples
    if in_room:
        seconds, direct = rng.uniform(*options.reverberation), rng.uniform(*options.direct)
        response = room_response(seconds, direct, audio.rate, rng)
        sound = convolve(sound, response.astype(np.float32))
    if noisy:
        snr, tilt = rng.uniform(*options.snr), rng.uniform(*options.tilt)
        sound = sound + noise_for(sound, snr, tilt, rng)
    if options.level:
        sound = sound * np.float32(10 ** (rng.uniform(-options.level, options.level) / 20))
    return audio if sound is audio.samples else Audio(sound, audio.rate)


def noise_for(sound: np.ndarray, snr: float, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """(N,) float32 noise, its power `snr` dB below that of the sound (N,)."""
    size = 1 << (len(sound) - 1).bit_length()
    noise = tilted_noise(max(size, 2), tilt, rng, np.float32)[: len(sound)]
    power = np.mean(noise**2)
    scale = np.sqrt(np.mean(sound**2) / power) if power else 0.0
    return noise * np.float32(scale * 10 ** (-snr / 20))
