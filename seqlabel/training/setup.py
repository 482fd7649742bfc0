"""Preparation of a run: datasets, front end, augmentation, network."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.data.dataset import Dataset, Skipped, load_features
from seqlabel.data.faults import UNSEGMENTED
from seqlabel.data.values import ValueTargets
from seqlabel.data.views import Distortion
from seqlabel.errors import InputError, some_of
from seqlabel.features.front_end import FrontEnd, Signal, make_extractor
from seqlabel.features.image import distort_image
from seqlabel.features.ink import augment
from seqlabel.features.sound import distort_sound
from seqlabel.features.speed import change_speed
from seqlabel.inputs import Audio, Image, Ink
from seqlabel.models.criteria import has_levels, value_options
from seqlabel.models.model import Model
from seqlabel.pretrained import resolve
from seqlabel.scoring.protocols import get_protocol
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.initial import joined_alphabet

log = logging.getLogger("seqlabel")


def load_datasets(
    experiment: Experiment, data: Path, workers: Workers
) -> tuple[FrontEnd, Dataset, Dataset]:
    """The front end with its statistics, the training set with its distortions, the dev set.

    With several processes the first one extracts missing features, and the others wait.
    """
    with _first_extracts(workers):
        front_end, train, wanted = _load_training_set(experiment, data)
        path = _manifest(data, "dev")
        dev = Dataset.read(path, train.alphabet, front_end, unseen=True, **wanted)
    return front_end, train, dev


def load_training_set(
    experiment: Experiment, data: Path, workers: Workers
) -> tuple[FrontEnd, Dataset]:
    """As `load_datasets`, for data without a dev set."""
    with _first_extracts(workers):
        front_end, train, _ = _load_training_set(experiment, data)
    return front_end, train


@contextmanager
def _first_extracts(workers: Workers) -> Iterator[None]:
    if not workers.first:
        workers.barrier()
    yield
    if workers.first:
        workers.barrier()


def _manifest(data: Path, name: str) -> Path:
    path = data / f"{name}.jsonl"
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; training needs the sets train and dev: prepare the corpus with "
            "both"
        )
    return path


def _load_training_set(
    experiment: Experiment, data: Path
) -> tuple[FrontEnd, Dataset, dict[str, Any]]:
    """The front end, the training set, and the options with which other sets are read."""
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; run seqlabel prepare first")
    path = _manifest(data, "train")
    alphabet = Alphabet.load(data / "alphabet.json")
    if not has_levels(experiment.criterion):
        alphabet = alphabet.alone
    elif not alphabet.levels:
        log.warning("%s: no levels below the labels; criterion.kind = 'levels' is 'ctc' here", data)
    if experiment.keep_labels:
        alphabet = joined_alphabet(alphabet, resolve(experiment.initial))
    experiment = experiment.for_corpus(data)
    protocol = get_protocol(experiment.training.protocol)
    if lacking := protocol.lacking(alphabet.symbols):
        raise InputError(
            f"{data}: training.protocol = {protocol.name!r} does not know the label "
            f"{lacking[0]!r}; take 'plain'"
        )
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
    framewise = experiment.criterion.get("kind") == "framewise"
    wanted: dict[str, Any] = {
        "frame_targets": framewise,
        "elapsed": experiment.model.timed,
        "values": value_targets(experiment.criterion),
    }
    train = Dataset.read(path, alphabet, front_end, **wanted)
    if experiment.front_end.needs_statistics:
        front_end = replace(front_end, statistics=train.store.statistics())
    distortion = make_distortion(experiment, train)
    train = Dataset(train.utterances, train.store, alphabet, front_end, distortion, **wanted)
    return front_end, train, wanted


def value_targets(criterion: Mapping[str, Any]) -> ValueTargets | None:
    """Source of the target values of a criterion, None for criteria of labels."""
    options = value_options(criterion)
    if options is None:
        return None
    size = options.size if options.target == "file" else 0
    return ValueTargets(options.target, size, options.ahead)


def make_distortion(experiment: Experiment, plain: Dataset) -> Distortion:
    """The configuration's augmentation of the utterances of `plain`."""
    options = experiment.augmentation
    kinds = set(plain.utterances.kinds)
    if options.speeds and kinds != {"speech"}:
        raise InputError("augmentation.speeds is for speech; use augmentation.ink for ink")
    warping = options.warping(plain.front_end.extractor)
    moving = options.speeds or warping or options.distortion() or options.image_distortion()
    if plain.values is not None and (moving or options.sound_distortion()):
        raise InputError(
            "augmentation: speeds, warps, ink, image and sound change the positions of frames, so "
            "that a regression can use masks and input_noise only"
        )
    variants = []
    for speed in options.speeds:

        def play(signal: Signal, speed: float = speed) -> Signal:
            assert isinstance(signal, Audio)
            return change_speed(signal, speed)

        name = f"-speed{speed:g}"
        variants.append((speed, load_features(plain.utterances, plain.front_end, play, name)))
    mask = options.masks(1 + getattr(plain.front_end.extractor, "deltas", 0))
    ink_options, distort = options.distortion(), None
    if ink_options is not None:
        if kinds != {"ink"}:
            raise InputError("augmentation.ink is for ink; use augmentation.speeds for speech")
        if plain.frame_targets and ink_options.speed:
            raise InputError(
                "augmentation.ink: speed changes the times of frames, not of their labels; "
                "set speed = 0 for framewise training"
            )

        def distort(signal: Signal, rng: np.random.Generator) -> Signal:
            assert isinstance(signal, Ink)
            return augment(signal, rng, ink_options)

    image_options = options.image_distortion()
    if image_options is not None:
        if kinds != {"image"}:
            raise InputError("augmentation.image is for images; leave it out")
        if plain.frame_targets and image_options.moves_columns:
            raise InputError(
                "augmentation.image: slant, rotation, width and waves move columns, but not their "
                "labels; set them to 0 for framewise training"
            )

        def distort(signal: Signal, rng: np.random.Generator) -> Signal:
            assert isinstance(signal, Image)
            return distort_image(signal, rng, image_options)

    sound_options = options.sound_distortion()
    if sound_options is not None:
        if kinds != {"speech"}:
            raise InputError("augmentation.sound is for speech; leave it out")

        def distort(signal: Signal, rng: np.random.Generator) -> Signal:
            assert isinstance(signal, Audio)
            return distort_sound(signal, rng, sound_options)

    return Distortion(variants, distort, warping, mask, subsample=experiment.model.reduction)


def leave_out(dataset: Dataset, model: Model, name: str) -> tuple[Dataset, list[Skipped]]:
    """The utterances that can be used for training; the others are named in the log."""
    skipped = _unusable(dataset, model)
    if not skipped:
        return dataset, skipped
    log.warning(
        "%s: %d of %d utterances left out: %s", name, len(skipped), len(dataset), _named(skipped)
    )
    keep = np.delete(np.arange(len(dataset)), [entry.number for entry in skipped])
    if not len(keep):
        advice = "" if skipped[0].reason == UNSEGMENTED else "; use less stacking or subsampling"
        raise InputError(f"{name}: no utterances left for training: {_named(skipped[:1])}{advice}")
    return dataset.subset(keep), skipped


def name_unusable(dataset: Dataset, model: Model, name: str) -> None:
    """Name in the log the utterances that are scored but may have no loss.

    Raises InputError if no frame has a target where training is framewise.
    """
    found = _unusable(dataset, model)
    if dataset.frame_targets and not any(map(dataset.segmented, range(len(dataset)))):
        raise InputError(f"{name}: no frames to score: {_named(found[:1])}")
    if found:
        log.warning(
            "%s: %d of %d utterances have no loss: %s; they count in the error rate only",
            name,
            len(found),
            len(dataset),
            _named(found),
        )


def _unusable(dataset: Dataset, model: Model) -> list[Skipped]:
    return dataset.unusable(
        lambda frames: model.encoder.output_lengths(torch.from_numpy(frames)).numpy()
    )


def _named(skipped: Sequence[Skipped]) -> str:
    return some_of([f"{entry.id} ({entry.reason})" for entry in skipped])
