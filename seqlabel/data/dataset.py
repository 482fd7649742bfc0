"""A manifest with its features, the source of batches for training and evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlabel.alphabet import BLANK, Alphabet, required_frames
from seqlabel.corpora.manifest import Utterance
from seqlabel.data.faults import UNSEGMENTED, level_fault
from seqlabel.data.index import Utterances, open_utterances
from seqlabel.data.signals import KeptSignals, extract
from seqlabel.data.store import FeatureStore, build_store, open_store, store_path
from seqlabel.data.tensors import Batch, collate
from seqlabel.data.values import ValueTargets, value_statistics
from seqlabel.data.views import Distortion, Views
from seqlabel.errors import InputError
from seqlabel.features.frames import Frames, heights_of
from seqlabel.features.front_end import FrontEnd, Signal
from seqlabel.files import taking_turns
from seqlabel.progress import progress_bar


@dataclass(frozen=True)
class Skipped:
    """An utterance that cannot be trained on, its number in the dataset, and why."""

    number: int
    id: str
    reason: str


def load_features(
    utterances: Utterances,
    front_end: FrontEnd,
    change: Callable[[Signal], Signal] | None = None,
    name: str = "",
) -> FeatureStore:
    """Features of a manifest's utterances, extracted unless they are stored beside it.

    Where another process is extracting features for the same folder, its end is awaited first.
    `change`, described by `name`, is applied to every signal first (a speed, for example).
    """
    title = f"{utterances.path.stem}{name}"
    folder = utterances.path.resolve().parent / "features"
    path = store_path(folder, title, front_end.extractor, utterances)
    store = open_store(path)
    if store is not None:
        return store
    with taking_turns(folder, f"waiting for features of {title} that another run extracts"):
        return open_store(path) or build_store(
            path,
            progress_bar(utterances, f"features of {title}"),
            lambda utterance: extract(utterance, front_end.extractor, change),
        )


class Dataset:
    """N utterances, their features and their targets.

    frame_targets, elapsed: whether batches have `frame_labels`, and times in `elapsed`.
    values: where those of `Batch.values` come from; None for none.
    lengths: (N,) frames of each utterance after stacking.
    targets: alphabet indices of the utterances of the whole manifest. With `unseen`, labels
    that are not in the alphabet are 0; without it they raise InputError.
    """

    def __init__(
        self,
        utterances: Utterances,
        store: FeatureStore,
        alphabet: Alphabet,
        front_end: FrontEnd,
        distortion: Distortion | None = None,
        frame_targets: bool = False,
        unseen: bool = False,
        elapsed: bool = False,
        values: ValueTargets | None = None,
    ) -> None:
        self.utterances = utterances
        self.store = store
        self.alphabet = alphabet
        self.front_end = front_end
        self.distortion = distortion or Distortion()
        self.frame_targets, self.elapsed, self.values = frame_targets, elapsed, values
        self.targets = utterances.encoded(alphabet, unseen)
        self.lengths: np.ndarray = front_end.frame_count(store.lengths)
        self._chosen: np.ndarray | None = None  # numbers in the manifest, None for all in order
        self._source = Views(utterances, store, front_end, self._needed)
        self._values = KeptSignals(self._values_of)

    @classmethod
    def read(
        cls,
        manifest: Path,
        alphabet: Alphabet,
        front_end: FrontEnd,
        frame_targets: bool = False,
        unseen: bool = False,
        elapsed: bool = False,
        values: ValueTargets | None = None,
    ) -> "Dataset":
        """The dataset of a manifest, without augmentation; InputError if it is empty."""
        utterances = open_utterances(manifest)
        if not len(utterances):
            raise InputError(f"{manifest}: no utterances; run seqlabel prepare again")
        store = load_features(utterances, front_end)
        return cls(
            utterances, store, alphabet, front_end, None, frame_targets, unseen, elapsed, values
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def subset(self, keep: np.ndarray) -> "Dataset":
        """The dataset of some of the utterances, in the given order."""
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.lengths = self.lengths[keep]
        part._chosen = keep if self._chosen is None else self._chosen[keep]
        return part

    def _number(self, n: int) -> int:
        """Number of utterance n in the manifest and in the stores."""
        return n if self._chosen is None else int(self._chosen[n])

    def utterance(self, n: int) -> Utterance:
        """Utterance n, read from its line of the manifest."""
        return self.utterances[self._number(n)]

    def target(self, n: int) -> list[int]:
        """Alphabet indices of the labels of utterance n."""
        return self.targets[self._number(n)]

    def spelled(self, n: int) -> bool:
        """Whether the alphabet has all labels of utterance n."""
        return BLANK not in self.target(n)

    def batch(
        self,
        chosen: Sequence[int],
        seed: Sequence[int] | None = None,
        weight: float = 1.0,
        second: bool = False,
        plain: bool = False,
    ) -> Batch:
        """The batch of the chosen utterances, distorted if `seed` is given.

        An utterance's distortion depends only on the seed and its number, not on the batch.
        second, plain: with `Batch.second`, for which a seed is needed, and `Batch.plain`.
        """
        views = [self._views(n, seed, second, plain) for n in chosen]
        frames = [first for first, *_ in views]
        utterances = [self.utterance(n) for n in chosen]
        return collate(
            [f.x for f in frames],
            [self.target(n) for n in chosen],
            [utterance.id for utterance in utterances],
            [self._frame_labels(u, f) for u, f in zip(utterances, frames, strict=True)]
            if self.frame_targets
            else None,
            weight,
            [f.times for f in frames] if self.elapsed else None,
            [
                [[*map(alphabet.find, u.levels.get(name, ()))] for u in utterances]
                for name, alphabet in self.alphabet.levels
            ],
            heights_of(frames),
            None if self.values is None else [self.values_of(n) for n in chosen],
            [others[0].x for _, *others in views] if second else None,
            [others[-1].x for _, *others in views] if plain else None,
        )

    def values_of(self, n: int) -> np.ndarray:
        """(T, D) values to be predicted of the frames of utterance n, NaN where not known.

        They are those of the undistorted signal.
        """
        return self._values(self._number(n))

    def value_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation (D,) of the values to be predicted."""
        return value_statistics(self.values_of(n) for n in range(len(self)))

    def _values_of(self, number: int) -> np.ndarray:
        assert self.values is not None
        frames = self.front_end.stack(self.store.frames(number))
        stride = self.front_end.options.stride
        return self.values.of(self.utterances[number], frames.x, stride)

    def frames(self, n: int, rng: np.random.Generator | None = None) -> Frames:
        """Frames of utterance n after stacking, distorted if `rng` is given."""
        return self._source.of(self._number(n), self.distortion, rng)[0]

    def _views(self, n: int, seed: Sequence[int] | None, second: bool, plain: bool) -> list[Frames]:
        """Frames of utterance n; where wanted a second view, and last the plain frames."""
        rng = None if seed is None else np.random.default_rng([*seed, n])
        other = None
        if second:
            assert seed is not None
            other = np.random.default_rng([*seed, n, 1])
        return self._source.of(self._number(n), self.distortion, rng, other, plain)

    def _needed(self, number: int) -> int:
        """Frames that CTC needs for the labels of an utterance and those of its levels."""
        needed = int(self.utterances.needed[number])
        if self.alphabet.levels:
            levels = self.utterances[number].levels
            below = (required_frames(levels.get(name, ())) for name, _ in self.alphabet.levels)
            needed = max(needed, *below)
        return needed

    def segmented(self, n: int) -> bool:
        """Whether the middle of a frame of utterance n lies in a hand segment."""
        utterance = self.utterance(n)
        if not utterance.segments:
            return False
        frames = self.front_end.stack(self.store.frames(self._number(n)))
        return bool((self._frame_labels(utterance, frames) != -1).any())

    def _frame_labels(self, utterance: Utterance, frames: Frames) -> np.ndarray:
        """(T,) label index of the hand segment around the middle of each frame, -1 for none."""
        labels = np.full(len(frames.x), -1, dtype=np.int64)
        middle = frames.times + frames.period / 2
        for segment in utterance.segments:
            if segment.label in self.alphabet:
                inside = (middle >= segment.start) & (middle < segment.end)
                labels[inside] = self.alphabet.encode([segment.label], utterance.id)[0]
        return labels

    def unusable(
        self, output_lengths: Callable[[np.ndarray], np.ndarray] = lambda frames: frames
    ) -> list[Skipped]:
        """Where values are to be predicted: utterances of which none is known. Otherwise:
        utterances without labels, with a label that the alphabet lacks, or with fewer frames
        than CTC needs for labels and repeats; the same of every level that the alphabet has; where
        frames have targets, utterances without a frame in a hand segment.

        output_lengths: numbers of frames (N,) -> numbers of outputs of the encoder.
        """
        if self.values is not None:
            return [
                Skipped(n, self.utterance(n).id, f"no known target in {self.lengths[n]} frames")
                for n in range(len(self))
                if not np.isfinite(self.values_of(n)).any()
            ]
        frames, needed = output_lengths(self.lengths), self.utterances.needed
        if self._chosen is not None:
            needed = needed[self._chosen]
        reasons: dict[int, str] = {}
        for n in np.flatnonzero((frames < needed) | (needed == 0)).tolist():
            short = f"{frames[n]} frames, its labels need {needed[n]}"
            reasons[n] = short if needed[n] else "no labels"
        for n in range(len(self)) if self.targets.lacking else ():
            lacking = [k for k in self.utterance(n).labels if k not in self.alphabet]
            if lacking:
                reasons.setdefault(n, f"symbol {lacking[0]!r} is not in the alphabet")
        for n in range(len(self)) if self.alphabet.levels else ():
            for name, alphabet in self.alphabet.levels:
                reason = level_fault(self.utterance(n), name, alphabet, int(frames[n]))
                if reason:
                    reasons.setdefault(n, reason)
        for n in range(len(self)) if self.frame_targets else ():
            if n not in reasons and not self.segmented(n):
                reasons[n] = UNSEGMENTED
        return [Skipped(n, self.utterance(n).id, reasons[n]) for n in sorted(reasons)]
