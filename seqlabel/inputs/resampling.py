"""Samples at another rate: band-limited sinc interpolation with a window.

Files are resampled with the filter "kaiser_best" of resampy, as torchaudio computes it
(`functional.resample` with `sinc_interp_kaiser`). Libraries with other filters change the uppermost
mel filters by up to several nats. The short filter is the default of `functional.resample`.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ZEROS = 64
"""Zero crossings of the sinc of `KAISER_BEST` on either side."""
ROLLOFF = 0.9475937167399596
"""Edge of its pass band over the lower of the two Nyquist frequencies."""
BETA = 14.769656459379492
"""Shape of its Kaiser window."""


class Filter(NamedTuple):
    """A windowed sinc: zero crossings on either side, edge of the pass band over the lower of the
    two Nyquist frequencies, and beta of a Kaiser window (None for a Hann window).
    """

    zeros: int
    rolloff: float
    beta: float | None = None


KAISER_BEST = Filter(ZEROS, ROLLOFF, BETA)
SHORT = Filter(6, 0.99)
"""For changing the speed of speech: several times as fast, with more aliasing at the band edge."""

LANES = 32
"""Taps are padded to multiples of this with zeros, for the kernel's vector loop."""


class Phases(NamedTuple):
    """The filters of the output samples 0 ... P - 1; those of n + P are the same, further on.

    first: (P,) input sample at which each filter begins, counted from input sample 0.
    taps: (P, W) float32.
    """

    first: np.ndarray
    taps: np.ndarray


def resample(
    samples: np.ndarray, found: int, wanted: int, filter: Filter = KAISER_BEST
) -> np.ndarray:
    """(N,) float32 samples at rate `found` -> (ceil(N wanted / found),) at rate `wanted`.

    Beyond both ends the signal is zero. Each output sample depends only on the inputs within its
    filter, bit for bit.
    """
    from seqlabel.inputs.resampling_kernel import interpolate  # numba, which few readers need

    divisor = math.gcd(found, wanted)
    old, new = found // divisor, wanted // divisor
    phases = _phases(old, new, filter)
    width = phases.taps.shape[1]
    before = -int(phases.first[0])
    padded = np.zeros(before + len(samples) + width, np.float32)
    padded[before : before + len(samples)] = samples
    out = np.empty(-(-len(samples) * new // old), np.float32)
    interpolate(padded, phases.first + before, phases.taps, old, out)
    return out


def resample_stretch(
    read: Callable[[int, int], np.ndarray],
    total: int,
    found: int,
    wanted: int,
    first: int,
    last: int,
) -> np.ndarray:
    """Output samples first ... last - 1 of `resample`, from only the inputs that they need.

    read: (first, last) -> input samples; total: their number.
    """
    divisor = math.gcd(found, wanted)
    old, new = found // divisor, wanted // divisor
    starts, width = _phases(old, new, KAISER_BEST).first, filter_length(old, new)
    before = -(-max(0, -int(starts.min())) // old)  # whole periods, so that the phases stay
    period = max(0, first // new - before)
    end = (max(last - 1, 0) // new) * old + int(starts.max()) + width
    samples = read(period * old, min(max(end, period * old), total))
    return resample(samples, found, wanted)[first - period * new : last - period * new]


def filter_length(found: int, wanted: int, filter: Filter = KAISER_BEST) -> int:
    """Input samples that an output sample is made of."""
    return -(-(2 * _reach(found, wanted, filter) + 2) // LANES) * LANES


def _reach(found: int, wanted: int, filter: Filter) -> int:
    """Input samples on either side of an output sample."""
    return math.ceil(filter.zeros * found / (min(found, wanted) * filter.rolloff))


@functools.lru_cache(maxsize=8)
def _phases(old: int, new: int, filter: Filter) -> Phases:
    """The filters between two rates without a common factor."""
    zeros, rolloff, beta = filter
    lower = min(old, new) * rolloff  # of the filter's sinc, in the unit of the rates
    places = np.arange(new)[:, None] * old / new  # of the output samples, in input samples
    first = np.floor(places).astype(np.int64) - _reach(old, new, filter)
    width = filter_length(old, new, filter)
    distance = first + np.arange(width) - places
    t = np.clip(distance * (lower / old), -zeros, zeros)
    if beta is None:
        window = np.cos(np.pi / 2 * t / zeros) ** 2
    else:
        window = np.i0(beta * np.sqrt(1 - (t / zeros) ** 2)) / np.i0(beta)
    taps = np.sinc(t) * window * (lower / old)
    return Phases(first[:, 0], taps.astype(np.float32))
