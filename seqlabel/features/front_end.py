"""The front end of a model: extractor, normalisation, frame stacking, in this order."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from seqlabel.config import as_table, build, did_you_mean
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.normalisation import RunningStatistics, Statistics
from seqlabel.features.stacking import stack_frames
from seqlabel.features.table import FEATURES
from seqlabel.files import read_json
from seqlabel.inputs import Audio, Image, Ink, Series

log = logging.getLogger("seqlabel")

Signal = Audio | Ink | Image | Series
Count = TypeVar("Count", int, np.ndarray)


@dataclass(frozen=True)
class FrontEndOptions:
    """What happens to the extracted frames.

    normalise: subtract the mean and divide by the standard deviation of each feature over the
    training set ("train", the statistics belong to the model), over the frames so far with the
    training set's statistics for a start ("running"), over the "speaker"'s frames in the set at
    hand, over the "utterance", or not at all ("none").
    stack: frames joined into one; stride: frames between the starts of two joined ones.
    """

    normalise: Literal["train", "running", "speaker", "utterance", "none"] = "train"
    stack: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.stack:
            raise InputError(f"stride {self.stride} must lie between 1 and stack ({self.stack})")

    @property
    def needs_statistics(self) -> bool:
        """Whether normalisation takes the statistics of the training set."""
        return self.normalise in ("train", "running")


def make_extractor(table: Mapping[str, Any]) -> Any:
    """An extractor from `{"kind": ..., options}`; InputError for unknown kinds and options."""
    options = dict(table)
    kind = options.pop("kind", None)
    if kind not in FEATURES:
        raise InputError(f"features.kind = {kind!r}{did_you_mean(str(kind), list(FEATURES))}")
    return build(FEATURES[kind], options, "features")


def at_corpus_rate(table: Mapping[str, Any], corpus: Path) -> dict[str, Any]:
    """A configuration table of speech features with the sampling rate of a prepared corpus.

    A table that states its rate, or is of ink, comes back as it is; so does one for a corpus whose
    files differ, with a notice. corpus: the folder that holds corpus.json.
    """
    extractor = make_extractor(table)
    facts = corpus / "corpus.json"
    if not hasattr(extractor, "rate") or "rate" in table or not facts.is_file():
        return dict(table)
    found = read_json(facts)
    rate = found.get("rate") if isinstance(found, dict) else None
    if rate is None:
        log.warning(
            "%s: recordings of several sampling rates are read at %d; features.rate in the "
            "configuration chooses another",
            corpus, extractor.rate,
        )  # fmt: skip
        return dict(table)
    if type(rate) is not int or rate < 1:
        raise InputError(f"{facts}: rate is {rate!r}; run seqlabel prepare again")
    return {**table, "rate": rate}


def extractor_table(extractor: Any) -> dict[str, Any]:
    """The configuration table that `make_extractor` turns into this extractor."""
    kind = next(kind for kind, cls in FEATURES.items() if type(extractor) is cls)
    return {"kind": kind, **as_table(extractor)}


@dataclass(frozen=True)
class FrontEnd:
    """Signals to the frames a network sees.

    extractor: signal -> Frames with F features. statistics: of the training set, needed where
    `options.needs_statistics`.
    """

    extractor: Any
    options: FrontEndOptions
    statistics: Statistics | None = None

    @property
    def dim(self) -> int:
        """Features of a frame after stacking."""
        return self.extractor.dim * self.options.stack

    def frame_count(self, frames: Count) -> Count:
        """Frames left of `frames` extracted ones after stacking: a number, or an array of them."""
        return -(-frames // self.options.stride)

    def normalise(self, x: np.ndarray, own: Statistics | None = None) -> np.ndarray:
        """Normalise extracted features (T, F); `own` are the speaker's statistics if they apply."""
        kind = self.options.normalise
        if kind == "none":
            return x
        if self.options.needs_statistics:
            if self.statistics is None:
                raise InputError(f"normalise = {kind!r}, but the model has no statistics yet")
            if kind == "running":
                return RunningStatistics(self.statistics).apply(x)
            return self.statistics.apply(x)
        return (own or Statistics.fit([x])).apply(x)

    def stack(self, frames: Frames) -> Frames:
        """Join neighbouring frames."""
        if self.options.stack == 1:
            return frames
        return stack_frames(frames, self.options.stack, self.options.stride)

    def finish(self, frames: Frames, own: Statistics | None = None) -> Frames:
        """Extracted frames, normalised and joined: as the network sees them."""
        return self.stack(replace(frames, x=self.normalise(frames.x, own)))
