"""A recording that is read in segments, at any rate, in memory bounded by the segment."""

import logging
import math
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from seqlabel.errors import InputError
from seqlabel.inputs import sphere
from seqlabel.inputs.containers import for_soundfile, sphere_header, unreadable
from seqlabel.inputs.resampling import filter_length, resample_stretch

log = logging.getLogger("seqlabel")

_MOST_PHASES = 2000
"""Maximum samples per period of the two rates in resampling: the phases of its filter."""

_MOST_TAPS = 1 << 22
"""Maximum taps of all its phases; a header could state millions of samples per second."""

_BLOCK = 1 << 20
"""Values read at a time, because a damaged header may state more than there is."""

_MOST_SAMPLES = 1 << 30
"""Read at once, 4 GB: 18 hours at 16 kHz. Silence in FLAC takes a thousandth of it on disk."""

_resampled: set[tuple[int, int]] = set()


class Recording:
    """Samples of one channel of a file; rate: after resampling, if another one is requested.

    with Recording("a.flac", rate=16000) as recording:
        recording.read(0, 16000)        # the first second

    Arguments and errors as of `seqlabel.inputs.audio.read_audio`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: int | None = None,
        channel: int | None = None,
        resample: bool = True,
    ) -> None:
        self.path = Path(path)
        self._open = ExitStack()
        self._sphere = sphere_header(self.path)
        self._stream: soundfile.SoundFile | None = None
        self._at = 0  # the sample that the stream reads next
        if self._sphere is not None:
            self.found, channels = self._sphere.rate, self._sphere.channels
            self.frames = self._sphere.frames
        else:
            try:
                source = self._open.enter_context(for_soundfile(self.path))
                self._stream = self._open.enter_context(soundfile.SoundFile(source))
            except (soundfile.SoundFileError, RuntimeError) as error:
                self._open.close()
                raise unreadable(self.path, error) from None
            self.found, channels = self._stream.samplerate, self._stream.channels
            self.frames = self._stream.frames
        try:
            self._channel = _channel(channel, channels, self.path)
            self.rate = self.found if rate is None else rate
            self._check_rate(resample)
        except InputError:
            self._open.close()
            raise

    def __enter__(self) -> "Recording":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def __len__(self) -> int:
        """Samples at `rate`."""
        return -(-self.frames * self.rate // self.found)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.found

    def stretch(self, start: float, end: float = 0.0) -> tuple[int, int]:
        """First and last (exclusive) sample from `start` to `end` seconds, 0 for the end.

        Raises InputError for a segment that is empty, reversed or not within the recording.
        """
        check_stretch(start, end, self.duration, str(self.path))
        last = len(self) if not end else min(round(end * self.rate), len(self))
        first = round(start * self.rate)
        if first >= last and start:
            raise InputError(f"{self.path}: no sample from {start:g} to {end:g} s")
        return first, last

    def read(self, first: int, last: int) -> np.ndarray:
        """Samples first ... last - 1, (n,) float32: those of the whole recording, bit for bit."""
        if self.rate == self.found:
            return self._read(first, last)
        rates = self.found, self.rate
        return resample_stretch(self._read, self.frames, *rates, first, last)

    def _read(self, first: int, last: int) -> np.ndarray:
        """Samples of the file as it is."""
        if self._sphere is not None:
            raw = sphere.read_sphere_samples(self.path, self._sphere, first, last)
            extremes = self._sphere.extremes
            if (first, last) == (0, self.frames) and len(raw) and extremes is not None:
                found = int(raw.min()), int(raw.max())
                if found != extremes:
                    log.warning(
                        "%s: samples from %d to %d, but the header says %d to %d; is the copy "
                        "damaged?",
                        self.path, *found, *extremes,
                    )  # fmt: skip
            return raw[:, self._channel].astype(np.float32) / 32768
        assert self._stream is not None
        parts, wanted = [np.zeros(0, np.float32)], last - first
        if wanted > _MOST_SAMPLES:
            raise InputError(
                f"{self.path}: {wanted} samples are more than can be read at once "
                f"({_MOST_SAMPLES}); split it"
            )
        block = max(1, _BLOCK // self._stream.channels)
        try:
            self._go_to(first, block)
            while wanted > 0:
                part = self._stream.read(min(wanted, block), dtype="float32", always_2d=True)
                if not len(part):
                    raise InputError(
                        f"{self.path}: truncated after {last - wanted} of {self.frames} samples; "
                        "get a complete copy"
                    )
                parts.append(part[:, self._channel].copy())
                wanted -= len(part)
                self._at += len(part)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise unreadable(self.path, error) from None
        return np.concatenate(parts)

    def _go_to(self, first: int, block: int) -> None:
        """Let the stream read from a sample on; formats like GSM only go forwards."""
        assert self._stream is not None
        if first != self._at and self._stream.seekable():
            self._at = self._stream.seek(first)
        if first < self._at:
            raise InputError(
                f"{self.path}: can only be read from the start to the end; convert it "
                "(ffmpeg -i IN OUT.wav)"
            )
        while self._at < first:
            passed = len(self._stream.read(min(first - self._at, block), always_2d=True))
            if not passed:
                raise InputError(
                    f"{self.path}: truncated after {self._at} of {self.frames} samples; get a "
                    "complete copy"
                )
            self._at += passed

    def _check_rate(self, resample: bool) -> None:
        """Raise InputError for rates that must not or cannot be converted."""
        found, wanted = self.found, self.rate
        if found == wanted:
            return
        if not resample:
            raise InputError(
                f"{self.path}: {found} samples per second, but {wanted} are expected; convert it "
                f"(ffmpeg -i IN -ar {wanted} OUT) or allow resampling"
            )
        check_rates(found, wanted, str(self.path))
        if (found, wanted) not in _resampled:
            _resampled.add((found, wanted))
            log.warning(
                "%s: resampled from %d to %d samples per second, like all files of that rate",
                self.path, found, wanted,
            )  # fmt: skip


def check_rates(found: int, wanted: int, where: str) -> None:
    """Raise InputError for two rates between which a conversion would need large filters."""
    phases = wanted // math.gcd(found, wanted)
    if phases > _MOST_PHASES or phases * filter_length(found, wanted) > _MOST_TAPS:
        raise InputError(
            f"{where}: {found} samples per second have no large common factor with {wanted}, or "
            f"differ too much; convert it (ffmpeg -i IN -ar {wanted} OUT)"
        )


def check_stretch(start: float, end: float, duration: float, where: str) -> None:
    """Raise InputError unless `start` to `end` seconds (0: all) lie within `duration`."""
    if not 0 <= start < duration and (start or end):
        raise InputError(
            f"{where}: the segment begins at {start:g} s, but the recording ends at "
            f"{duration:.6g} s"
        )
    if end and end <= start:
        raise InputError(f"{where}: the segment ends at {end:g} s, before its start {start:g} s")
    if end > duration + TOLERANCE:
        raise InputError(
            f"{where}: the segment ends at {end:g} s, but the recording at {duration:.6g} s"
        )


TOLERANCE = 1e-3
"""Seconds by which a segment may end after its recording: times are rounded to milliseconds."""


def _channel(wanted: int | None, channels: int, path: Path) -> int:
    if wanted is None and channels > 1:
        raise InputError(
            f"{path}: {channels} channels; make it mono (ffmpeg -i IN -ac 1 OUT) or choose one "
            "with read_audio(path, channel=0), or channel in the manifest"
        )
    if not 0 <= (wanted or 0) < channels:
        raise InputError(f"{path}: no channel {wanted}; the file has {channels}, counted from 0")
    return wanted or 0
