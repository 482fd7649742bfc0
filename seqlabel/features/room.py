"""Speech in a room: reverberation, and noise whose spectrum is tilted."""

import numpy as np

REVERBERATION = (0.1, 0.4)
"""From a studio to a living room: seconds in which the sound decays by 60 dB."""
DIRECT = (6.0, 20.0)
"""Level of the direct sound over the reverberation in dB, of a microphone that is not far away."""
SNR = (20.0, 40.0)
"""Level of the speech over the noise in dB, likewise."""
TILT = (0.3, 1.2)
"""Tilt of the noise: 0 is white, 1 pink."""


def room_response(
    reverberation: float, direct: float, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """(1 + R,) float64 impulse response of a room, R samples of reverberation after the direct
    sound.

    The direct sound is sample 0 with amplitude 1, so that nothing moves in time; the reverberation
    is Gaussian noise that decays by 60 dB in `reverberation` seconds, `direct` dB below it (the
    model of Polack 1988, without a gap between both).
    """
    tail = max(1, int(reverberation * rate))
    times = np.arange(1, tail + 1) / rate
    response = rng.standard_normal(tail) * 10 ** (-3 * times / reverberation)
    response *= 10 ** (-direct / 20) / np.sqrt(np.sum(response**2))
    return np.concatenate([[1.0], response])


def convolve(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The first N samples of the convolution of a sound (N,) with a response.

    Computed by a Fourier transform in the precision of the arguments.
    """
    total = len(sound) + len(response) - 1
    size = 1 << total.bit_length()  # a power of two, with room for the tail
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(sound)]


def tilted_noise(
    count: int, tilt: float, rng: np.random.Generator, dtype: type[np.floating] = np.float64
) -> np.ndarray:
    """(count,) noise of unit power whose density falls with frequency to the power of `tilt`.

    Below a hundredth of half the sampling rate the density is constant. dtype: float32 or float64.
    A power of two is several times as fast as other counts.
    """
    spectrum = np.fft.rfft(rng.standard_normal(count, dtype=dtype))
    bins = np.arange(len(spectrum), dtype=dtype)
    spectrum /= np.maximum(bins, len(spectrum) / 100) ** (tilt / 2)
    noise = np.fft.irfft(spectrum, count)
    return noise / np.sqrt(np.mean(noise**2))
