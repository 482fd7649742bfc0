"""A recording of clean speech: a room's reverberation, a microphone's noise and level."""

from dataclasses import dataclass

import numpy as np


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
        reverberation=float(rng.uniform(0.1, 0.4)),
        direct=float(rng.uniform(6, 20)),
        noise=float(rng.uniform(20, 40)),
        tilt=float(rng.uniform(0.3, 1.2)),
        level=float(rng.uniform(3, 18)),
    )


def record(speech: np.ndarray, rate: int, room: Room, rng: np.random.Generator) -> np.ndarray:
    """(N,) speech as (N,) int16 samples of its recording; nothing moves in time."""
    tail = int(room.reverberation * rate)
    times = np.arange(1, tail + 1) / rate
    response = rng.standard_normal(tail) * 10 ** (-3 * times / room.reverberation)
    response *= 10 ** (-room.direct / 20) / np.sqrt(np.sum(response**2))
    size = 1 << (len(speech) + tail).bit_length()  # a power of two, with room for the tail
    spectrum = np.fft.rfft(speech, size) * np.fft.rfft(np.concatenate([[1.0], response]), size)
    sound = np.fft.irfft(spectrum, size)[: len(speech)]
    noise = _noise(len(speech), room.tilt, rng)
    sound = sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-room.noise / 20)
    peak = 32767 * 10 ** (-room.level / 20)
    return np.round(sound * peak / np.abs(sound).max()).astype(np.int16)


def _noise(count: int, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit power whose density falls with frequency to the power of `tilt`."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), len(spectrum) / 100) ** (tilt / 2)
    noise = np.fft.irfft(spectrum, count)
    return noise / np.sqrt(np.mean(noise**2))
