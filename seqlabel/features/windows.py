"""The short-time spectrum of speech as Kaldi computes it, shared by filterbank and MFCC.

Source: Kaldi's `feature-window.cc` and `mel-computations.cc` without dither; `torchaudio.
compliance.kaldi` is the reference that the tests compare with. Here the frames go through the
Fourier transform in blocks that stay in the processor's cache, which halves the time.
"""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.inputs.audio import Audio

_BLOCK = 512  # frames; their spectra take a megabyte at 16 kHz
_EPSILON = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Windowing:
    """How a signal is cut into frames.

    rate: samples per second the signal must have. window, step: milliseconds.
    preemphasis: coefficient of the first difference. low, high: Hz, edges of the filters; a `high`
    of 0 or less counts from half the sampling rate.
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


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside; also a decorator.

    The blocks are too small to be shared: where other processes keep the cores busy, threads that
    wait for one another took ten times as long. It also makes results independent of the machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def spectra(audio: Audio, windowing: Windowing) -> Iterator[tuple[Tensor, Tensor]]:
    """Short-time spectra and log energies, block by block.

    Yields ((b, fft_samples + 2) squares of the real and the imaginary part of each frequency in
    turn, (b,) natural log of the energy of the windows before pre-emphasis, Kaldi's `raw_energy`).
    Samples count as 16-bit integers, as in Kaldi.
    Raises InputError for another rate and for a signal that is shorter than a window.
    """
    if audio.rate != windowing.rate:
        raise InputError(
            f"audio of {audio.rate} samples per second where the features expect {windowing.rate}; "
            "resample it (read_audio(path, rate=...))"
        )
    length = windowing.window_samples
    total = windowing.count(len(audio.samples))
    if not total:
        raise InputError(
            f"audio of {audio.duration * 1000:.1f} ms is shorter than a window of "
            f"{windowing.window} ms"
        )
    signal = torch.from_numpy(audio.samples * np.float32(32768))
    frames = signal.unfold(0, length, windowing.step_samples)
    shape = _povey(length)
    padded = torch.zeros(min(total, _BLOCK), windowing.fft_samples)  # zeros stay behind each window
    for start in range(0, total, _BLOCK):
        block = frames[start : start + _BLOCK]
        block = block - block.mean(dim=1, keepdim=True)
        energy = block.square().sum(dim=1).clamp_min(_EPSILON).log()
        emphasised = padded[: len(block), :length]
        torch.sub(block[:, 1:], block[:, :-1], alpha=windowing.preemphasis, out=emphasised[:, 1:])
        emphasised[:, 0] = (1 - windowing.preemphasis) * block[:, 0]
        emphasised *= shape
        spectrum = torch.view_as_real(torch.fft.rfft(padded[: len(block)]))
        yield spectrum.square_().flatten(start_dim=1), energy


@functools.cache
def _povey(length: int) -> Tensor:
    """Kaldi's own window: a Hann window to the power 0.85, zero at both ends."""
    return torch.hann_window(length, periodic=False).pow(0.85)


@functools.cache
def mel_filters(windowing: Windowing, filters: int) -> Tensor:
    """Triangular filters, equally spaced on the scale mel(f) = 1127 ln(1 + f / 700).

    Returns (fft_samples + 2, filters): each weight twice, for the real and the imaginary part.
    Raises InputError when there are so many filters that one of them catches no frequency.
    """
    bins = windowing.fft_samples // 2  # Kaldi leaves the Nyquist frequency out
    mel = _mel(np.arange(bins) * windowing.rate / windowing.fft_samples)
    edges = np.linspace(_mel(windowing.low), _mel(windowing.upper_edge), filters + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    if not weights.any(axis=0).all():
        raise InputError(
            f"{filters} mel filters are too many for a window of {windowing.window} ms: "
            f"filter {int(np.argmin(weights.any(axis=0)))} catches no frequency"
        )
    padded = np.concatenate([weights, np.zeros((1, filters))])
    return torch.from_numpy(padded.astype(np.float32)).repeat_interleave(2, dim=0)


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log(1.0 + np.asarray(frequency) / 700.0)


def log_mel(squares: Tensor, filters: Tensor) -> Tensor:
    """What `spectra` yields -> (b, filters) natural logs of the filters' energies."""
    return (squares @ filters).clamp_min_(_EPSILON).log_()


def frames_of(x: np.ndarray, windowing: Windowing) -> Frames:
    """Give feature vectors their times: a frame stands for one step about its window's centre."""
    step = windowing.step_samples / windowing.rate
    margin = (windowing.window_samples - windowing.step_samples) / 2 / windowing.rate
    return Frames(x, margin + step * np.arange(len(x)), step)
