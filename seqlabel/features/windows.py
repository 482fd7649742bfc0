"""The short-time spectrum of speech as Kaldi computes it, shared by filterbank and MFCC.

Source: Kaldi's `feature-window.cc` and `mel-computations.cc` without dither; `torchaudio.
compliance.kaldi` is the reference that the tests compare with. Here the frames go through the
Fourier transform in blocks that stay in the processor's cache. A frame's features depend only on
its own samples, bit for bit, in a block of any size.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.inputs.audio import Audio

LONGEST_WINDOW = 1 << 16  # samples

_BLOCK = 128  # frames; with their spectra they take a megabyte at 16 kHz
EPSILON = float(np.finfo(np.float32).eps)
_INTEGER_SCALE = 32768.0  # Kaldi's samples are 16-bit integers


@dataclass(frozen=True)
class Windowing:
    """How a signal is cut into frames.

    rate: samples per second of the signal; in a configuration by default that of the corpus.
    window, step: milliseconds. preemphasis: coefficient of the first difference. low, high: Hz,
    edges of the filters; a `high` of 0 or less is relative to half the sampling rate.
    """

    rate: int = 16000
    window: float = 25.0
    step: float = 10.0
    preemphasis: float = 0.97
    low: float = 20.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if self.rate < 1 or self.window <= 0 or self.step <= 0:
            raise InputError("rate, window and step must be positive")
        if not max(self.window, self.step) * self.rate / 1000 < LONGEST_WINDOW:
            raise InputError(
                f"a window of {self.window} ms every {self.step} ms at rate {self.rate}: windows "
                f"and steps of {LONGEST_WINDOW} samples are too long for frames of speech"
            )
        if self.window_samples < 2 or self.step_samples < 1:
            raise InputError(
                f"a window of {self.window} ms every {self.step} ms is less than a sample"
            )
        if not 0 <= self.low < self.upper_edge <= self.rate / 2:
            raise InputError(
                f"filters from {self.low} to {self.upper_edge} Hz leave 0 to {self.rate / 2} Hz"
            )

    @property
    def window_samples(self) -> int:
        """Samples in a window."""
        return int(self.rate * self.window / 1000)

    @property
    def step_samples(self) -> int:
        """Samples from one frame to the next."""
        return int(self.rate * self.step / 1000)

    @property
    def fft_samples(self) -> int:
        """Length of the transform: the next power of two."""
        return 1 << (self.window_samples - 1).bit_length()

    @property
    def upper_edge(self) -> float:
        """Upper edge of the last filter in Hz."""
        return self.high if self.high > 0 else self.rate / 2 + self.high

    def count(self, samples: int) -> int:
        """T for a signal of so many samples: whole windows only (Kaldi's `snip_edges`)."""
        return max(0, (samples - self.window_samples) // self.step_samples + 1)


class MelFilters(NamedTuple):
    """Filter m weighs counts[m] frequencies from first[m] on with as many of the weights."""

    first: np.ndarray
    counts: np.ndarray
    weights: np.ndarray


def log_mel(audio: Audio, windowing: Windowing, filters: int) -> tuple[np.ndarray, np.ndarray]:
    """Log filter energies and log energies of the frames of a signal.

    Returns (T, filters) float32 natural logs of the mel filters' energies and (T,) float32 natural
    logs of the energies of the windows before pre-emphasis, Kaldi's `raw_energy`. Samples count as
    16-bit integers, as in Kaldi.
    Raises InputError for another rate and for a signal that is shorter than a window.
    """
    from seqlabel.features import spectrum_kernel  # numba, when it is needed

    total = count_frames(audio, windowing)
    bank, shape = mel_filters(windowing, filters), scaled_povey(windowing.window_samples)
    logs, energy = np.empty((total, filters), np.float32), np.empty(total)
    block = min(total, _BLOCK)
    padded = np.zeros((block, windowing.fft_samples))  # zeros stay behind each window
    spectrum = np.empty((block, windowing.fft_samples // 2 + 1), np.complex128)
    for start in range(0, total, block):
        end = min(start + block, total)
        count = end - start
        spectrum_kernel.cut_windows(
            audio.samples, start * windowing.step_samples, windowing.step_samples, shape,
            windowing.preemphasis, padded[:count], energy[start:end],
        )  # fmt: skip
        np.fft.rfft(padded[:count], out=spectrum[:count])
        parts = spectrum[:count].view(np.float64)
        spectrum_kernel.sum_filters(parts, *bank, EPSILON, logs[start:end])
    np.log(logs, out=logs)
    energy = np.maximum(energy * _INTEGER_SCALE**2, EPSILON)
    return logs, np.log(energy.astype(np.float32))


def count_frames(audio: Audio, windowing: Windowing) -> int:
    """T of a signal; InputError for another rate and for less than a window."""
    if audio.rate != windowing.rate:
        raise InputError(
            f"audio of {audio.rate} samples per second, but the features need {windowing.rate}; "
            "resample it (Audio.at_rate)"
        )
    total = windowing.count(len(audio.samples))
    if not total:
        raise InputError(
            f"audio of {audio.duration * 1000:.1f} ms is shorter than a window of "
            f"{windowing.window} ms"
        )
    return total


@functools.cache
def scaled_povey(length: int) -> np.ndarray:
    """Kaldi's own window, a Hann window to the power 0.85, times 32768; zero at both ends."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))
    return _INTEGER_SCALE * hann**0.85


@functools.cache
def mel_filters(windowing: Windowing, filters: int) -> MelFilters:
    """Triangular filters, equally spaced on the scale mel(f) = 1127 ln(1 + f / 700).

    Raises InputError if there are so many filters that one of them contains no frequency.
    """
    if filters > windowing.fft_samples // 2:
        raise InputError(
            f"{filters} mel filters are too many for a window of {windowing.window} ms, which has "
            f"{windowing.fft_samples // 2} frequencies"
        )
    weights = filter_matrix(windowing, filters)
    caught = weights > 0
    if not caught.any(axis=0).all():
        raise InputError(
            f"{filters} mel filters are too many for a window of {windowing.window} ms: "
            f"filter {int(np.argmin(caught.any(axis=0)))} contains no frequency"
        )
    return MelFilters(caught.argmax(axis=0), caught.sum(axis=0), weights.T[caught.T])


def filter_matrix(windowing: Windowing, filters: int) -> np.ndarray:
    """(fft_samples / 2, filters) weights; Kaldi leaves the Nyquist frequency out."""
    bins = windowing.fft_samples // 2
    mel = _mel(np.arange(bins) * windowing.rate / windowing.fft_samples)
    edges = _mel_edges(windowing, filters)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


def mel_centres(windowing: Windowing, filters: int) -> np.ndarray:
    """(filters,) centres of the filters in Hz."""
    return 700.0 * np.expm1(_mel_edges(windowing, filters)[1:-1] / 1127.0)


def mel_position(windowing: Windowing, filters: int, frequency: np.ndarray) -> np.ndarray:
    """Where frequencies in Hz lie among the filters: m at the centre of filter m."""
    edges = _mel_edges(windowing, filters)
    return (_mel(frequency) - edges[1]) / (edges[1] - edges[0])


def _mel_edges(windowing: Windowing, filters: int) -> np.ndarray:
    """(filters + 2,) on the mel scale: filter m from edge m to edge m + 2."""
    return np.linspace(_mel(windowing.low), _mel(windowing.upper_edge), filters + 2)


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log(1.0 + np.asarray(frequency) / 700.0)


def frames_of(x: np.ndarray, windowing: Windowing) -> Frames:
    """Add times to feature vectors: a frame represents one step around its window's centre."""
    step = windowing.step_samples / windowing.rate
    margin = (windowing.window_samples - windowing.step_samples) / 2 / windowing.rate
    return Frames(x, margin + step * np.arange(len(x)), step)
