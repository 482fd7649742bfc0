"""Speed perturbation (Ko et al. 2015): speech played faster or slower, pitch included."""

from fractions import Fraction

from seqlabel.errors import InputError
from seqlabel.inputs.audio import Audio
from seqlabel.inputs.resampling import SHORT, resample

STEPS = 100
"""Steps of speed per unit."""


def check_speed(factor: float) -> None:
    """Raise InputError for a factor that `change_speed` does not have."""
    if not 0.5 <= factor <= 2 or abs(factor * STEPS - round(factor * STEPS)) > 1e-6:
        raise InputError(f"speed {factor}: must be between 0.5 and 2, in steps of {1 / STEPS}")


def change_speed(audio: Audio, factor: float) -> Audio:
    """The signal played `factor` times as fast: N samples become about N / factor.

    The samples are resampled from `factor` times the rate to the rate, so that duration, tempo and
    pitch all change. Raises InputError for factors other than 0.5, 0.51 ... 2.
    """
    check_speed(factor)
    ratio = Fraction(round(factor * STEPS), STEPS)
    if ratio == 1:
        return audio
    changed = resample(audio.samples, ratio.numerator, ratio.denominator, SHORT)
    return Audio(changed, audio.rate)
