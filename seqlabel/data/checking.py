"""Checks of a prepared corpus before training."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.alphabet import Alphabet, required_frames
from seqlabel.corpora.manifest import Kind, Utterance, read_manifest
from seqlabel.corpora.prepared import (
    shared_speakers,
    text_remarks,
    unseen_labels,
    unseen_remarks,
)
from seqlabel.data.faults import UNSEGMENTED, level_fault
from seqlabel.data.signals import read_signal
from seqlabel.data.values import ValueTargets
from seqlabel.errors import InputError
from seqlabel.inputs import Audio
from seqlabel.progress import progress_bar

_SILENT = 1e-4
"""Audio whose samples all lie within this (three steps of 16 bits) holds no speech."""

_CLOSE = 1e-6
"""Seconds by which times may differ; a manifest rounds durations to microseconds."""

TRAINED = ("train", "dev")
"""The sets that a training uses."""


@dataclass(frozen=True)
class Problem:
    """A problem of an utterance, or of a whole set (then `id` is empty)."""

    set: str
    id: str
    reason: str


def read_sets(data: Path) -> tuple[Alphabet, dict[str, list[Utterance]]]:
    """Alphabet and sets of a prepared folder; InputError for other folders."""
    if not (data / "alphabet.json").is_file():
        raise InputError(
            f"{data}: not prepared data (alphabet.json is missing); run seqlabel prepare"
        )
    paths = sorted(data.glob("*.jsonl"), key=lambda path: (path.stem != "train", path.stem))
    splits = {path.stem: read_manifest(path) for path in paths}
    if not splits:
        raise InputError(f"{data}: no manifests (.jsonl); run seqlabel prepare again")
    return Alphabet.load(data / "alphabet.json"), splits


def find_problems(
    alphabet: Alphabet,
    splits: Mapping[str, Sequence[Utterance]],
    extractors: Mapping[Kind, Any],
    reduction: int = 1,
    framewise: bool = False,
) -> Iterator[Problem]:
    """Read every signal, compute its features, and yield all problems for training.

    extractors: feature extractor for each kind of signal. reduction: extracted frames per
    output of the network. framewise: whether training is. Problems are signals that cannot be
    read, silent audio, no or unknown labels, fewer frames than CTC needs for the labels, features
    that are no numbers, targets that do not fit the frames, hand labels that differ from the labels
    or leave the signal, words outside it, an id in two sets; in the sets train and dev also levels
    without labels, with unknown ones or with too many, and for framewise training the lack of hand
    labels. Unknown labels outside the training set are no problem, but a remark (`find_remarks`).
    """
    home: dict[str, str] = {}
    for name, utterances in splits.items():
        if not utterances:
            yield Problem(name, "", "the set is empty")
        for utterance in progress_bar(utterances, f"checking {name}"):
            if home.setdefault(utterance.id, name) != name:
                yield Problem(name, utterance.id, f"the id also occurs in {home[utterance.id]}")
            unknown = [label for label in utterance.labels if label not in alphabet]
            if unknown and name == "train":
                yield Problem(name, utterance.id, f"symbol {unknown[0]!r} is not in the alphabet")
            levels = alphabet.levels if name in TRAINED else ()
            for reason in _faults(utterance, extractors[utterance.kind], reduction, levels):
                yield Problem(name, utterance.id, reason)
            if framewise and name in TRAINED and not utterance.segments:
                yield Problem(name, utterance.id, UNSEGMENTED)


def find_remarks(alphabet: Alphabet, splits: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """Remarks: what is not an error but matters for the interpretation of results."""
    train = splits.get("train", [])
    known_texts = {utterance.labels for utterance in train if utterance.labels}
    known = Counter(label for utterance in train for label in utterance.labels)
    remarks = []
    for name, utterances in splits.items():
        if name == "train" or not utterances:
            continue
        copies = sum(utterance.labels in known_texts for utterance in utterances)
        if copies:
            remarks.append(
                f"{name}: {copies} of {len(utterances)} label sequences also occur in train"
            )
        labels = {k for utterance in utterances for k in utterance.labels if k in alphabet}
        rare = sorted(labels - known.keys())
        if rare and train:
            remarks.append(f"{name}: no training example of {' '.join(rare)}")
    unseen = {name: unseen_labels(us, alphabet) for name, us in splits.items() if name != "train"}
    return [
        *remarks,
        *shared_speakers(splits),
        *text_remarks(splits),
        *unseen_remarks({name: counts for name, counts in unseen.items() if counts}),
    ]


def _has_values(utterance: Utterance) -> bool:
    return utterance.target is not None or utterance.kind == "series"


def _faults(
    utterance: Utterance,
    extractor: Any,
    reduction: int,
    levels: Sequence[tuple[str, Alphabet]],
) -> Iterator[str]:
    if not utterance.labels and utterance.text is None and not _has_values(utterance):
        yield "no labels"
    if utterance.segments:
        if tuple(segment.label for segment in utterance.segments) != utterance.labels:
            yield "hand labels and labels differ"
        timed = utterance.kind != "image"
        if timed and utterance.segments[-1].end > utterance.duration + _CLOSE:
            yield "hand labels end after the signal"
    if utterance.kind != "image":
        for word in utterance.words:
            if not -_CLOSE <= word.start <= word.end <= utterance.duration + _CLOSE:
                yield (
                    f"word {word.label!r} from {word.start:g} to {word.end:g} s, but the signal "
                    f"from 0 to {utterance.duration:g} s"
                )
                break
    try:
        signal = read_signal(utterance, extractor)
        frames = extractor(signal)
    except InputError as error:
        yield str(error)
        return
    if isinstance(signal, Audio) and np.abs(signal.samples).max() < _SILENT:
        yield "silent audio"
    if not np.isfinite(frames.x).all():
        yield "features that are NaN or infinite"
    if utterance.target is not None:
        try:
            ValueTargets("file").of(utterance, frames.x)
        except InputError as error:
            yield str(error).removeprefix(f"{utterance.id}: ")
    reduced, needed = -(-len(frames.x) // reduction), required_frames(utterance.labels)
    if reduced < needed:
        yield f"{reduced} frames, its labels need {needed}"
    for level, below in levels:
        if reason := level_fault(utterance, level, below, reduced):
            yield reason
