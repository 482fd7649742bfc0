"""Samples from a microphone, by PortAudio (the extra `listen`)."""

import logging
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np

from seqlabel.errors import InputError

log = logging.getLogger("seqlabel")

INVALID_RATE = -9997
"""PortAudio's code of an error for a rate that the device does not have."""


def record(rate: int, device: str | None = None) -> Iterator[np.ndarray]:
    """Blocks of samples (n,) float32 until the caller stops.

    device: number or part of a name, as listed by `python -m sounddevice`; None for the system's
    default. Raises InputError if the extra, PortAudio, or a microphone is missing, and for one
    that does not record at this rate.
    """
    sounddevice = _sounddevice()
    blocks: SimpleQueue[np.ndarray] = SimpleQueue()
    lost = False

    def take(samples: np.ndarray, frames: int, time: Any, status: Any) -> None:
        nonlocal lost
        lost = lost or bool(status.input_overflow)
        blocks.put(samples[:, 0].copy())

    chosen = int(device) if device is not None and device.isdecimal() else device
    try:
        recording = sounddevice.InputStream(
            samplerate=rate, channels=1, dtype="float32", device=chosen, callback=take
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        if INVALID_RATE in error.args:
            raise _unopened(rate, device, error) from None
        what = "no microphone" if device is None else f"microphone {device!r}"
        raise InputError(
            f"{what}: {_cause(error)}; `python -m sounddevice` lists the microphones; or pipe "
            "samples in"
        ) from None
    try:
        try:
            recording.start()
        except sounddevice.PortAudioError as error:
            raise _unopened(rate, device, error) from None
        while True:
            block = blocks.get()
            if lost:
                lost = False
                log.warning("samples were lost: this machine is too slow or too busy")
            yield block
    finally:
        recording.close()


def _unopened(rate: int, device: str | None, error: Exception) -> InputError:
    what = "the microphone" if device is None else f"the microphone {device!r}"
    return InputError(
        f"{what} cannot be opened at {rate} samples per second: {_cause(error)}; record with "
        "another program and pipe samples in"
    )


def _cause(error: Exception) -> str:
    """The message of an error on one line; PortAudio's has its code and the host's error."""
    return " ".join(str(error).split())


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise InputError(
            "the microphone needs sounddevice: pip install seqlabel[listen]; or pipe samples in"
        ) from None
    except OSError as error:  # the binding is installed, the library is not
        raise InputError(
            f"the microphone needs PortAudio ({error}); install it (Debian: apt install "
            "libportaudio2), or pipe samples in"
        ) from None
    return sounddevice
