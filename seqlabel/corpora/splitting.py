"""Sets for the user's own data: by folders, by speakers, or at random with a seed."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from seqlabel.corpora.manifest import Utterance
from seqlabel.errors import InputError, some_of

SET_NAMES = ("train", "dev", "test")

ALSO_CALLED = {"training": "train", "validation": "dev", "valid": "dev", "val": "dev"}
"""Names that others give to the sets."""


def known_set(name: str) -> str:
    """The set of a name by itself, in any case: `train`, `Validation`; "" for other names."""
    name = ALSO_CALLED.get(name.lower(), name.lower())
    return name if name in SET_NAMES else ""


def set_named(name: str) -> str:
    """The set in the name of a file or folder (`cuts_train-clean.jsonl`), "" for none.

    Raises InputError for a name of two sets.
    """
    found = {known_set(word) for word in re.split(r"[^a-z]+", name.lower())}
    named = [known for known in SET_NAMES if known in found]
    if len(named) > 1:
        raise InputError(f"{name}: named after {' and '.join(named)}; name it after one set")
    return named[0] if named else ""


def sets_of_files(files: Sequence[Path], root: Path) -> dict[Path, str]:
    """The sets in the paths of files below `root`, all "" where none is named after a set.

    Raises InputError if only some are.
    """
    sets = {path: set_named(path.relative_to(root).as_posix()) for path in files}
    named = [path for path, name in sets.items() if name]
    for path, name in sets.items():
        if named and not name:
            raise InputError(
                f"{path}: in no set, although {named[0].name} is in {sets[named[0]]}; name all "
                "files or none after train, dev (validation) and test"
            )
    return sets


def left_out(files: Sequence[Path], taken: Sequence[Path]) -> list[str]:
    """A remark on files or folders that are not read because no set is in their names."""
    others = [path.name for path in files if path not in taken]
    return [f"not read, because no set is in the name: {some_of(others)}"] if others else []


def split_by_hash(
    utterances: Sequence[Utterance], dev: float, test: float, seed: int, whole_speakers: bool
) -> dict[str, list[Utterance]]:
    """Divide utterances into train, dev and test.

    dev, test: share of the utterances, 0 for none. Utterances, or with `whole_speakers` speakers,
    are taken in the order of a hash of seed and name, so that new recordings do not move others to
    another set, as long as they bring the set nearer to its share; every set gets at least one.
    Raises InputError for impossible shares and when there are too few to divide.
    """
    if min(dev, test) < 0 or dev + test >= 1:
        raise InputError(
            f"dev = {dev} and test = {test}: must not be negative, and their sum must be below 1"
        )
    groups: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        name = utterance.speaker if whole_speakers else utterance.id
        groups.setdefault(name, []).append(utterance)
    wanted = {name: share for name, share in (("test", test), ("dev", dev)) if share}
    if len(groups) <= len(wanted):
        what = "speakers" if whole_speakers else "utterances"
        raise InputError(
            f"{len(groups)} {what} cannot be divided into train and {' and '.join(wanted)}; "
            "record more, or set dev and test to 0"
        )
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    splits: dict[str, list[Utterance]] = {name: [] for name in SET_NAMES}
    for position, (name, share) in enumerate(wanted.items()):
        still_needed = len(wanted) - position  # one group for each other set and train
        missing = round(share * len(utterances))
        chosen: list[str] = []
        for group in order:
            if len(groups[group]) < 2 * missing and len(order) - len(chosen) > still_needed:
                chosen.append(group)
                missing -= len(groups[group])
        if not chosen:
            chosen = [min(order, key=lambda group: len(groups[group]))]
        splits[name] = [utterance for group in chosen for utterance in groups[group]]
        taken = set(chosen)
        order = [group for group in order if group not in taken]
    splits["train"] = [utterance for name in order for utterance in groups[name]]
    return {
        name: sorted(chosen, key=lambda utterance: utterance.id)
        for name, chosen in splits.items()
        if chosen
    }
