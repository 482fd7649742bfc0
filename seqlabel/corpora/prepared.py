"""A prepared corpus: manifests of its sets, the alphabet, and a description."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from seqlabel.alphabet import UNITS, Alphabet, name_counts
from seqlabel.corpora.manifest import Kind, Utterance, write_manifest
from seqlabel.errors import InputError
from seqlabel.files import fingerprint, read_json, write_json

Item = TypeVar("Item")


@dataclass
class SkipBad:
    """Handling of unusable utterances: the first one is an error, or all are noted by name.

    skip_bad: whether to continue. reasons: id -> why it was left out.
    """

    skip_bad: bool = False
    reasons: dict[str, str] = field(default_factory=dict)

    def read_each(
        self, items: Iterable[tuple[str, Item]], read: Callable[[Item], Utterance]
    ) -> Iterator[Utterance]:
        """Yield `read(item)` of each (name, item); InputErrors are raised, or noted and skipped."""
        for name, item in items:
            try:
                yield read(item)
            except InputError as error:
                if not self.skip_bad:
                    raise InputError(
                        f"{error} (--set skip_bad=true leaves such files out)"
                    ) from None
                self.reasons[name] = str(error)

    def read_all(
        self,
        items: Iterable[tuple[str, Item]],
        read: Callable[[Item], Utterance],
        source: str | os.PathLike[str],
    ) -> list[Utterance]:
        """All that `read_each` yields; InputError if it leaves out every one, naming `source`."""
        found = list(self.read_each(items, read))
        if self.reasons and not found:
            raise InputError(
                f"{os.fspath(source)}: none of {len(self.reasons)} can be used, the first since "
                f"{next(iter(self.reasons.values()))}"
            )
        return found


@dataclass(frozen=True)
class Prepared:
    """What a reader makes of a corpus on disk.

    corpus: name of the reader. kind: speech, ink or image. splits: set name -> utterances.
    alphabet: holds every training label. Labels of other sets that it lacks are kept: they are
    counted in `unseen`, and scored as errors, since models of this alphabet cannot output them.
    skipped: id -> reason of what was left out. notes: remarks that belong in a report.
    rate: samples per second of the audio, None for ink or if files differ.
    """

    corpus: str
    kind: Kind
    alphabet: Alphabet
    splits: Mapping[str, Sequence[Utterance]]
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rate: int | None = None

    def __post_init__(self) -> None:
        if not self.splits.get("train"):
            raise InputError(f"{self.corpus}: no training utterances are left")
        seen: set[str] = set()
        for name, utterances in self.splits.items():
            for utterance in utterances:
                if utterance.id in seen:
                    raise InputError(f"{self.corpus}: id {utterance.id!r} occurs twice ({name})")
                seen.add(utterance.id)
                if name == "train":
                    self.alphabet.encode(utterance.labels, utterance.id)
                    for level, alphabet in self.alphabet.levels:
                        alphabet.encode(utterance.levels[level], utterance.id)

    def noting(self, *notes: str) -> "Prepared":
        """The same with further remarks."""
        return replace(self, notes=(*self.notes, *notes))

    @property
    def unseen(self) -> dict[str, dict[str, int]]:
        """Set -> labels that the alphabet lacks, with their counts; only sets that have some."""
        found = {name: unseen_labels(u, self.alphabet) for name, u in self.splits.items()}
        return {name: counts for name, counts in found.items() if counts}

    def save(self, out: str | os.PathLike[str]) -> None:
        """Write OUT/{train,dev,test,...}.jsonl, alphabet.json and, last, corpus.json."""
        out = Path(out)
        for name in _sets_of(out / "corpus.json") - set(self.splits):
            (out / f"{name}.jsonl").unlink(missing_ok=True)
        for name, utterances in self.splits.items():
            write_manifest(out / f"{name}.jsonl", utterances)
        self.alphabet.save(out / "alphabet.json")
        write_json(out / "corpus.json", self.facts())

    def facts(self) -> dict[str, Any]:
        """What corpus.json holds: sizes of the sets, what was skipped, a fingerprint of it all."""
        return {
            "corpus": self.corpus,
            "kind": self.kind,
            "unit": self.alphabet.unit,
            "rate": self.rate,
            "counts": {name: counts(utterances) for name, utterances in self.splits.items()},
            "skipped": [{"id": name, "reason": reason} for name, reason in self.skipped.items()],
            "unseen": self.unseen,
            "notes": [*self.notes, *text_remarks(self.splits), *unseen_remarks(self.unseen)],
            "fingerprint": fingerprint(
                f"{name} {utterance.id} {' '.join(utterance.labels)}"
                for name, utterances in self.splits.items()
                for utterance in utterances
            ),
        }


def counts(utterances: Sequence[Utterance]) -> dict[str, Any]:
    """Size of a set: utterances, named speakers, minutes and labels."""
    return {
        "utterances": len(utterances),
        "speakers": len({utterance.speaker for utterance in utterances} - {""}),
        "minutes": round(sum(utterance.duration for utterance in utterances) / 60, 3),
        "labels": sum(len(utterance.labels) for utterance in utterances),
    }


def _sets_of(facts: Path) -> set[str]:
    """Names of the sets of an earlier preparation in the same folder."""
    found = read_json(facts) if facts.is_file() else {}
    counts = found.get("counts") if isinstance(found, dict) else None
    return {name for name in counts if name.isidentifier()} if isinstance(counts, dict) else set()


def shared_speakers(splits: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """One remark for each named speaker who occurs in two sets."""
    home: dict[str, str] = {}
    remarks = []
    for name, utterances in splits.items():
        for speaker in sorted({utterance.speaker for utterance in utterances} - {""}):
            if home.setdefault(speaker, name) != name:
                remarks.append(f"speaker {speaker} is both in {home[speaker]} and in {name}")
    return remarks


def alphabet_of(splits: Mapping[str, Sequence[Utterance]], unit: str) -> Alphabet:
    """The alphabet of the training labels, in code point order, and those of their levels.

    The levels have the order and the names that the first utterance gives them. Raises InputError
    for an utterance that lacks one.
    """
    train = splits.get("train", ())
    symbols = {label for utterance in train for label in utterance.labels}
    if not symbols:
        raise InputError("training set: no utterance with labels; is its list empty?")
    levels = []
    for name in train[0].levels if train else ():
        for utterance in (u for utterances in splits.values() for u in utterances):
            if name not in utterance.levels:
                raise InputError(
                    f"{utterance.id}: no labels of the level {name!r}, although others have them"
                )
        below = sorted({label for utterance in train for label in utterance.levels[name]})
        levels.append((name, Alphabet(below, name if name in UNITS else "symbol")))
    return Alphabet(sorted(symbols), unit, levels)


def unseen_labels(utterances: Iterable[Utterance], alphabet: Alphabet) -> dict[str, int]:
    """Labels that an alphabet lacks with their counts, most frequent first."""
    found = Counter(k for utterance in utterances for k in utterance.labels if k not in alphabet)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def unseen_remarks(unseen: Mapping[str, Mapping[str, int]]) -> list[str]:
    """One remark for each set with labels that are not in the alphabet."""
    return [
        f"{name}: {sum(counts.values())} labels are of symbols that do not occur in training and "
        f"are scored as errors: {name_counts(counts)}"
        for name, counts in unseen.items()
    ]


def text_remarks(splits: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """One remark for each set with utterances in which nothing is said or written."""
    empty = {
        name: [u.id for u in us if u.text == "" and not u.labels] for name, us in splits.items()
    }
    return [
        f"{name}: {len(ids)} of {len(splits[name])} transcripts are empty, first {ids[0]}"
        for name, ids in empty.items()
        if ids
    ]


def common_rate(rates: Iterable[int]) -> int | None:
    """The common rate of all files, None if they differ."""
    found = Counter(rates)
    return next(iter(found)) if len(found) == 1 else None
