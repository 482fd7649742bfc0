"""A spectrogram as a small grey picture."""

import struct
import zlib

import numpy as np

ROWS = 80
"""Height of the picture: frequencies equally spaced on the mel scale, the highest on top."""
RANGE = 60.0
"""Decibels from white to black."""


def mel(frequency: np.ndarray | float) -> np.ndarray:
    """Mel of a frequency in Hz (O'Shaughnessy, Speech Communication, 1987)."""
    return 2595.0 * np.log10(1.0 + np.asarray(frequency) / 700.0)


def spectrogram(samples: np.ndarray, rate: int, columns: int = 800) -> np.ndarray:
    """Log-magnitude spectrogram, (ROWS, T) uint8 in 0..15: 15 is silence, 0 the loudest.

    samples: (N,); rate: Hz. 16 ms Hann windows every 5 ms, or farther apart so that T does not
    exceed `columns`; the first window is centred on the first sample. 6 dB per octave of
    pre-emphasis make fricatives visible.
    """
    window = np.hanning(round(0.016 * rate) + 2)[1:-1]
    hop = max(0.005, len(samples) / rate / columns) * rate
    sound = np.asarray(samples, np.float64)
    sound = np.append(sound[:1], np.diff(sound))
    starts = np.arange(0, max(1, len(sound)), hop).astype(np.int64)
    padded = np.concatenate([np.zeros(len(window) // 2), sound, np.zeros(len(window))])
    frames = padded[starts[:, None] + np.arange(len(window))] * window
    size = 512 if rate <= 16000 else 1024
    power = np.abs(np.fft.rfft(frames, size, axis=1)) ** 2
    # The spectrum is read off at mel-spaced frequencies: `power` is interpolated between bins.
    bins = 700.0 * (10.0 ** (np.linspace(0, mel(rate / 2), ROWS) / 2595.0) - 1.0) / rate * size
    low = np.minimum(bins.astype(np.int64), size // 2 - 1)
    share = bins - low
    level = 10.0 * np.log10(power[:, low] * (1 - share) + power[:, low + 1] * share + 1e-10)
    top = np.percentile(level, 99.8)
    grey = np.clip((top - level) / RANGE, 0.0, 1.0) * 15
    return np.round(grey).astype(np.uint8).T[::-1]


def grey_png(picture: np.ndarray) -> bytes:
    """A PNG file of a (rows, columns) uint8 array of 16 greys, 0 black and 15 white."""
    rows, columns = picture.shape
    even = np.pad(picture, ((0, 0), (0, columns % 2)))
    packed = (even[:, ::2] << 4 | even[:, 1::2]).astype(np.uint8)
    lines = np.pad(packed, ((0, 0), (1, 0)))  # each row starts with its filter, 0 for none
    header = struct.pack(">IIBBBBB", columns, rows, 4, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
