"""Samples from a microphone, by PortAudio (the extra `listen`)."""

import logging
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np

from seqlabel.errors import InputError

log = logging.getLogger("seqlabel")


def record(rate: int, device: str | None = None) -> Iterator[np.ndarray]:
    """Blocks of samples (n,) float32 until the caller stops.

    device: number or part of a name, as listed by `python -m sounddevice`; None for the system's
    default. Raises InputError if the extra, PortAudio, or a microphone is missing.
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
        recording.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        what = "no microphone" if device is None else f"microphone {device!r}"
        cause = " ".join(str(error).split())
        raise InputError(
            f"{what}: {cause}; `python -m sounddevice` lists the microphones; or pipe samples in"
        ) from None
    try:
        while True:
            block = blocks.get()
            if lost:
                lost = False
                log.warning("samples were lost: this machine is too slow or too busy")
            yield block
    finally:
        recording.close()


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
