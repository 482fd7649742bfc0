"""Speed perturbation (Ko et al. 2015): speech played faster or slower, pitch included."""

from fractions import Fraction

from seqlabel.errors import InputError
from seqlabel.inputs.audio import Audio
from seqlabel.inputs.resampling import SHORT, resample


def check_speed(factor: float) -> None:
    """Raise InputError for a factor outside the range of `change_speed`."""
    if not 0.5 <= factor <= 2:
        raise InputError(f"speed {factor}: must be between 0.5 and 2")


def change_speed(audio: Audio, factor: float) -> Audio:
    """The signal played `factor` times as fast: N samples become about N / factor.

    The samples are resampled from `factor` times the rate to the rate, a factor of up to two
    decimals, so that duration, tempo and pitch all change. Raises InputError for factors outside
    0.5..2.
    """
    check_speed(factor)
    ratio = Fraction(round(factor * 100), 100)
    if ratio == 1:
        return audio
    changed = resample(audio.samples, ratio.numerator, ratio.denominator, SHORT)
    return Audio(changed, audio.rate)
