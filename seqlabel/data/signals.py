"""The signals of utterances, read from their files and cached if they are needed again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np

from seqlabel.corpora.manifest import Kind, Utterance
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import Signal
from seqlabel.features.image import ImageColumns
from seqlabel.features.ink.normalisation import on_the_clock
from seqlabel.features.series import SeriesRows
from seqlabel.inputs import Image, Ink, Series, read_audio, read_image, read_ink, read_series
from seqlabel.inputs.audio import Audio
from seqlabel.inputs.reading import naming

Kept = TypeVar("Kept", bound=Signal | np.ndarray)

KEPT_BYTES = 2 << 30
"""Bytes of signals kept in memory if they are distorted in each epoch: 140,000 lines of ink."""


def read_signal(utterance: Utterance, extractor: Any) -> Signal:
    """The signal of an utterance for an extractor; InputError names the file.

    Audio comes at the extractor's `rate`, ink without times where its `times` is False.
    """
    wanted = signal_kind(extractor)
    if utterance.kind != wanted:
        raise InputError(
            f"{utterance.id}: {utterance.kind}, but the features of this model or configuration "
            f"are of {wanted}; use one for {utterance.kind}"
        )
    if wanted == "speech":
        return read_audio(
            utterance.source,
            extractor.rate or None,
            utterance.channel,
            start=utterance.start,
            end=utterance.end,
        )
    if wanted == "image":
        return read_image(utterance.source)
    if wanted == "series":
        return read_series(utterance.source)
    return read_ink(utterance.source, extractor.times)


def plain_features(utterance: Utterance) -> dict[str, Any]:
    """The table of features for an utterance where no configuration says which."""
    kind = {"speech": "fbank", "ink": "ink_delta", "image": "image", "series": "series"}
    size = {"size": read_series(utterance.source).size} if utterance.kind == "series" else {}
    return {"kind": kind[utterance.kind], **size}


def extract(
    utterance: Utterance, extractor: Any, change: Callable[[Signal], Signal] | None = None
) -> Frames:
    """The features of an utterance's signal after `change`.

    Raises InputError naming the file.
    """
    signal = read_signal(utterance, extractor)
    with naming(utterance.source):
        return frames_of_signal(change(signal) if change else signal, extractor)


def frames_of_signal(signal: Signal, extractor: Any) -> Frames:
    """The features of a signal; those of ink include the ink, with their clock."""
    frames: Frames = extractor(signal)
    if isinstance(signal, Ink):
        frames = replace(frames, ink=on_the_clock(signal if extractor.times else signal.untimed()))
    return frames


def signal_kind(extractor: Any) -> Kind:
    """The kind of signal that an extractor takes."""
    if isinstance(extractor, ImageColumns):
        return "image"
    if isinstance(extractor, SeriesRows):
        return "series"
    return "speech" if hasattr(extractor, "rate") else "ink"


class KeptSignals(Generic[Kept]):
    """Signals or arrays by number: the first `limit` bytes read once, the others each time.

    Signals are never evicted: epochs use every signal once in any order, so that the most recent
    ones are not those used next.
    """

    def __init__(self, read: Callable[[int], Kept], limit: int = KEPT_BYTES) -> None:
        self._read = read
        self._left = limit
        self._kept: dict[int, Kept] = {}

    def __call__(self, number: int) -> Kept:
        """The signal of a number."""
        signal = self._kept.get(number)
        if signal is None:
            signal = self._read(number)
            size = _values(signal).nbytes
            if size <= self._left:
                self._left -= size
                self._kept[number] = signal
        return signal


def _values(signal: Signal | np.ndarray) -> np.ndarray:
    if isinstance(signal, np.ndarray):
        return signal
    if isinstance(signal, Audio):
        return signal.samples
    if isinstance(signal, Series):
        return signal.values
    return signal.pixels if isinstance(signal, Image) else signal.points
