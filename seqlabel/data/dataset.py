"""A manifest with its features: what training and evaluation draw their batches from."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seqlabel.alphabet import Alphabet, required_frames
from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.data.batches import Batch, collate
from seqlabel.data.store import FeatureStore, build_store, open_store, read_signal, store_path
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd, Signal
from seqlabel.features.noise import add_noise
from seqlabel.features.normalisation import Statistics
from seqlabel.progress import progress_bar

Distort = Callable[[Signal, np.random.Generator], Signal]
MaskFrames = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Skipped:
    """An utterance that cannot be trained on, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Distortion:
    """What training does to an utterance before the network sees it.

    variants: stores of the same utterances at other speeds; one of them or the plain features is
    drawn with equal chance. signal: distorts the signal, whose features are then extracted anew.
    mask: distorts normalised frames (T, F). noise: standard deviation of Gaussian noise on them.
    """

    variants: Sequence[FeatureStore] = ()
    signal: Distort | None = None
    mask: MaskFrames | None = None
    noise: float = 0.0


def load_features(
    manifest: Path,
    utterances: Sequence[Utterance],
    front_end: FrontEnd,
    change: Callable[[Signal], Signal] | None = None,
    name: str = "",
) -> FeatureStore:
    """Features of a manifest's utterances, extracted now unless they lie beside it already.

    `change`, described by `name`, is applied to every signal first (a speed, for example).
    """
    title = f"{manifest.stem}{name}"
    path = store_path(
        manifest.resolve().parent / "features", title, front_end.extractor, utterances
    )
    store = open_store(path)
    if store is not None:
        return store

    def extract(utterance: Utterance) -> Frames:
        signal = read_signal(utterance, front_end.extractor)
        return front_end.extractor(change(signal) if change else signal)

    return build_store(
        path, utterances, extract, lambda items: progress_bar(items, f"features of {title}")
    )


def fit_statistics(store: FeatureStore) -> Statistics:
    """Mean and deviation of every feature over a whole training set."""
    return Statistics.fit([store.x])


class Dataset:
    """N utterances, their features and their targets.

    lengths: frames of each utterance as the network gets them (after stacking).
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        store: FeatureStore,
        alphabet: Alphabet,
        front_end: FrontEnd,
        distortion: Distortion | None = None,
        frame_targets: bool = False,
    ) -> None:
        self.utterances = list(utterances)
        self.store = store
        self.alphabet = alphabet
        self.front_end = front_end
        self.distortion = distortion or Distortion()
        self.frame_targets = frame_targets
        self.targets = [alphabet.encode(u.labels, u.id) for u in self.utterances]
        self.lengths = [front_end.frame_count(frames) for frames in store.lengths]
        self._own = self._speaker_statistics()
        self._signals: list[Signal] = []
        if self.distortion.signal is not None:
            bar = progress_bar(self.utterances, "reading signals")
            self._signals = [read_signal(utterance, front_end.extractor) for utterance in bar]

    @classmethod
    def read(
        cls, manifest: Path, alphabet: Alphabet, front_end: FrontEnd, frame_targets: bool = False
    ) -> "Dataset":
        """The dataset of a manifest, undistorted; InputError where it is empty."""
        utterances = read_manifest(manifest)
        if not utterances:
            raise InputError(f"{manifest}: no utterances; run seqlabel prepare again")
        store = load_features(manifest, utterances, front_end)
        return cls(utterances, store, alphabet, front_end, frame_targets=frame_targets)

    def __len__(self) -> int:
        return len(self.utterances)

    def subset(self, keep: Sequence[int]) -> "Dataset":
        """The dataset of some of the utterances, in the given order."""
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.utterances = [self.utterances[n] for n in keep]
        part.targets = [self.targets[n] for n in keep]
        part.lengths = [self.lengths[n] for n in keep]
        part._own = [self._own[n] for n in keep]
        part._signals = [self._signals[n] for n in keep] if self._signals else []
        part.store = self.store.subset(keep)
        variants = [store.subset(keep) for store in self.distortion.variants]
        part.distortion = replace(self.distortion, variants=variants)
        return part

    def batch(
        self, chosen: Sequence[int], seed: Sequence[int] | None = None, weight: float = 1.0
    ) -> Batch:
        """The batch of the chosen utterances, distorted where `seed` is given.

        An utterance's distortion depends on the seed and its number alone, not on its batch mates.
        """
        rngs = [None if seed is None else np.random.default_rng([*seed, n]) for n in chosen]
        frames = [self.frames(n, rng) for n, rng in zip(chosen, rngs, strict=True)]
        return collate(
            [f.x for f in frames],
            [self.targets[n] for n in chosen],
            [self.utterances[n].id for n in chosen],
            [self.frame_labels(n, f) for n, f in zip(chosen, frames, strict=True)]
            if self.frame_targets
            else None,
            weight,
        )

    def frames(self, n: int, rng: np.random.Generator | None = None) -> Frames:
        """Frames of utterance n as the network gets them, distorted where `rng` is given."""
        frames = self._extracted(n, rng)
        x = self.front_end.normalise(frames.x, self._own[n])
        if rng is not None and self.distortion.mask is not None:
            x = self.distortion.mask(x, rng)
        stacked = self.front_end.stack(replace(frames, x=x))
        if rng is not None and self.distortion.noise:
            stacked = replace(stacked, x=add_noise(stacked.x, self.distortion.noise, rng))
        return stacked

    def _extracted(self, n: int, rng: np.random.Generator | None) -> Frames:
        if rng is not None and self._signals and self.distortion.signal is not None:
            changed = self.front_end.extractor(self.distortion.signal(self._signals[n], rng))
            if self._long_enough(n, len(changed.x)):
                return changed
        store = self.store
        if rng is not None and self.distortion.variants:
            choice = int(rng.integers(len(self.distortion.variants) + 1))
            if choice:
                variant = self.distortion.variants[choice - 1]
                if self._long_enough(n, variant.frame_count(n)):
                    store = variant
        return store.frames(n)

    def _long_enough(self, n: int, frames: int) -> bool:
        return self.front_end.frame_count(frames) >= required_frames(self.targets[n])

    def frame_labels(self, n: int, frames: Frames) -> np.ndarray:
        """(T,) label index of the hand segment around the middle of each frame, -1 for none."""
        utterance = self.utterances[n]
        labels = np.full(len(frames.x), -1, dtype=np.int64)
        middle = frames.times + frames.period / 2
        for segment in utterance.segments:
            inside = (middle >= segment.start) & (middle < segment.end)
            labels[inside] = self.alphabet.encode([segment.label], utterance.id)[0]
        return labels

    def unusable(
        self, output_length: Callable[[int], int] = lambda frames: frames
    ) -> list[Skipped]:
        """Utterances without labels, or with fewer frames than CTC needs for labels and repeats.

        output_length: frames that the encoder makes of a number of frames.
        """
        skipped = []
        for utterance, length, target in zip(
            self.utterances, self.lengths, self.targets, strict=True
        ):
            frames, needed = output_length(length), required_frames(target)
            if not target:
                skipped.append(Skipped(utterance.id, "no labels"))
            elif frames < needed:
                skipped.append(Skipped(utterance.id, f"{frames} frames, its labels need {needed}"))
        return skipped

    def _speaker_statistics(self) -> list[Statistics | None]:
        if self.front_end.options.normalise != "speaker":
            return [None] * len(self.utterances)
        members: dict[str, list[int]] = defaultdict(list)
        for n, utterance in enumerate(self.utterances):
            members[utterance.speaker or f" {utterance.id}"].append(n)
        own: list[Statistics | None] = [None] * len(self.utterances)
        for numbers in members.values():
            statistics = Statistics.fit([self.store[n] for n in numbers])
            for n in numbers:
                own[n] = statistics
        return own
