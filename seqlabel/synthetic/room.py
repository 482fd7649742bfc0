"""A recording of clean speech: a room's reverberation, a microphone's noise and level."""

from dataclasses import dataclass

import numpy as np

from seqlabel.features.room import (
    DIRECT,
    REVERBERATION,
    SNR,
    TILT,
    convolve,
    room_response,
    tilted_noise,
)


@dataclass(frozen=True)
class Room:
    """reverberation: time in seconds in which the sound decays by 60 dB. direct: level of the
    direct sound over the reverberation, dB. noise: level of the speech over the noise, dB.
    tilt: 0 for white noise, 1 for pink. level: loudest sample, dB below full scale.
    """

    reverberation: float
    direct: float
    noise: float
    tilt: float
    level: float


def random_room(rng: np.random.Generator) -> Room:
    """Anything from a studio to a living room."""
    return Room(
        reverberation=float(rng.uniform(*REVERBERATION)),
        direct=float(rng.uniform(*DIRECT)),
        noise=float(rng.uniform(*SNR)),
        tilt=float(rng.uniform(*TILT)),
        level=float(rng.uniform(3, 18)),
    )


def record(speech: np.ndarray, rate: int, room: Room, rng: np.random.Generator) -> np.ndarray:
    """(N,) speech as (N,) int16 samples of its recording; nothing moves in time."""
    sound = convolve(speech, room_response(room.reverberation, room.direct, rate, rng))
    noise = tilted_noise(len(speech), room.tilt, rng)
    sound = sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-room.noise / 20)
    peak = 32767 * 10 ** (-room.level / 20)
    return np.round(sound * peak / np.abs(sound).max()).astype(np.int16)
