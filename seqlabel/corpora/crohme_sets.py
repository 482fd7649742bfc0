"""The sets of CROHME and MathWriting: their folders in the layout of every year."""

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from seqlabel.errors import InputError

TRAIN_2013 = ("TrainINKML",)
TEST_2013 = ("TestINKMLGT",)
TEST_2014 = ("TestEM2014GT", "TestEM2014GT_INKMLs")
TEST_2016 = ("TEST2016_INKML_GT", "CROHME2016_test")
TEST_2019 = ("Test2019_GT", "TestSet2019_GT", "TestSet2019", "CROHME2019_test")

Kinds = Mapping[str, tuple[tuple[str, ...], ...]]

OFFICIAL: Mapping[str, Kinds] = MappingProxyType(
    {
        "2013": {"train": (TRAIN_2013,), "test": (TEST_2013,)},
        "2014": {"train": (TRAIN_2013,), "dev": (TEST_2013,), "test": (TEST_2014,)},
        "2016": {"train": (TRAIN_2013,), "dev": (TEST_2014,), "test": (TEST_2016,)},
        "2019": {
            "train": (("MainTask_formula/train/INKMLs", "train/INKMLs"),),
            "dev": (TEST_2014,),
            "test": (TEST_2019,),
        },
        "2023": {
            "train": (("INKML/train/CROHME2019",), ("INKML/train/CROHME2023_train",)),
            "dev": (("INKML/val/CROHME2016_test",), ("INKML/val/CROHME2023_val",)),
            "test": (("INKML/test/CROHME2023_test",),),
        },
        "mathwriting": {"train": (("train",),), "dev": (("valid",),), "test": (("test",),)},
    }
)
"""Protocol -> set -> its folders, each with the names that distributions give it.

2013: Mouchère et al., ICDAR 2013. 2014: ICFHR 2014, tuned on the test set of 2013. 2016: ICFHR
2016, tuned on that of 2014. 2019: Mahdavi et al., ICDAR 2019; its training folder holds the test
sets of 2012 and 2013 too. 2023: Xie et al., ICDAR 2023. mathwriting: Gervais et al. 2024.
"""

DEEPEST = 7
"""Levels below the given folder that are searched."""


@dataclass(frozen=True)
class ChosenSet:
    """A set and its folders."""

    name: str
    folders: tuple[Path, ...]

    def files(self) -> Iterator[tuple[str, Path]]:
        """(utterance id, file) of every InkML file, sorted within each folder."""
        for folder in self.folders:
            prefix = self.name if len(self.folders) == 1 else f"{self.name}/{folder.name}"
            for path in sorted(folder.rglob("*.inkml")):
                yield f"{prefix}/{path.relative_to(folder).with_suffix('').as_posix()}", path


def choose_sets(
    source: Path, protocol: str, chosen: Mapping[str, Sequence[str]]
) -> tuple[list[ChosenSet], list[str]]:
    """The sets of a corpus below `source`, and a remark for each missing official one.

    protocol: a year of `OFFICIAL`. chosen: set -> years (their official set of that kind) and
    folders, below `source` or absolute, instead of the protocol's folders. Several test sets are
    called `test_2014`, `test_2016` and so on.
    Raises InputError for folders that are missing, ambiguous or in two sets, and if nothing is left
    for training.
    """
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; where is CROHME (TrainINKML/ ...)?")
    tree = _Tree(source)
    sets: list[ChosenSet] = []
    remarks = []
    for kind in ("train", "dev", "test"):
        own = chosen.get(kind, ())
        if own:
            found = [(entry, tree.entry(entry, kind)) for entry in own]
            if kind == "test" and len(found) > 1:
                sets += [ChosenSet(name_of_test_set(entry), folders) for entry, folders in found]
            else:
                sets.append(ChosenSet(kind, tuple(f for _, folders in found for f in folders)))
            continue
        names = OFFICIAL[protocol].get(kind, ())
        folders = tuple(tree.find(alternatives) for alternatives in names)
        there = tuple(folder for folder in folders if folder is not None)
        remarks += [
            f"no folder {names[n][0]}, which belongs to the set {kind} of {protocol}"
            for n, folder in enumerate(folders)
            if folder is None
        ]
        if there:
            sets.append(ChosenSet(kind, there))
    if not any(one.name == "train" for one in sets):
        expected = OFFICIAL[protocol]["train"][0][0]
        raise InputError(
            f"{source}: not a CROHME folder ({expected}/ is missing); name its folder, another "
            "protocol, or your own folders (--set 'train=[\"FOLDER\"]')"
        )
    _check(sets, source)
    return sets, remarks


def _check(sets: Sequence[ChosenSet], source: Path) -> None:
    owned = [(folder.resolve(), one.name) for one in sets for folder in one.folders]
    for (first, owner), (second, other) in itertools.combinations(owned, 2):
        if first.is_relative_to(second) or second.is_relative_to(first):
            inner = max(first, second, key=lambda path: len(path.parts))
            raise InputError(
                f"{source}: {inner.name} is in both {owner} and {other}; choose others for "
                "one of them"
            )
    names = [one.name for one in sets]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{source}: two test sets are called {name}; rename a folder")


class _Tree:
    """Searches the folders below one."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.levels: list[list[Path]] = [[source]]
        for _ in range(DEEPEST):
            below = []
            for folder in self.levels[-1]:
                with os.scandir(folder) as entries:
                    below += [Path(e.path) for e in entries if e.is_dir() and e.name[0] != "."]
            self.levels.append(sorted(below))

    def find(self, alternatives: Sequence[str]) -> Path | None:
        """The folder whose path ends with one of the alternatives, in any case, nearest first."""
        for level in self.levels:
            for name in alternatives:
                parts = Path(name.lower()).parts
                found = [p for p in level if Path(str(p).lower()).parts[-len(parts) :] == parts]
                if len(found) > 1:
                    raise InputError(
                        f"{self.source}: {name} occurs more than once ({found[0]}, {found[1]}); "
                        "name one of them"
                    )
                if found:
                    return found[0]
        return None

    def entry(self, entry: str, kind: str) -> tuple[Path, ...]:
        """The folders of a year's official set, or the given folder."""
        if entry in OFFICIAL:
            names = OFFICIAL[entry].get(kind, ())
            folders = [self.find(alternatives) for alternatives in names]
            missing = [name[0] for name, f in zip(names, folders, strict=True) if f is None]
            if missing or not names:
                raise InputError(
                    f"{self.source}: no folder {missing[0] if missing else ''}, the set {kind} of "
                    f"{entry}; name the folder that you have"
                )
            return tuple(folder for folder in folders if folder is not None)
        folder = self.source / entry
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder for the set {kind}; name one, or a year of "
                f"{', '.join(OFFICIAL)}"
            )
        return (folder,)


def name_of_test_set(entry: str) -> str:
    """The name that one of several test sets has: `2014` -> `test_2014`."""
    return "test_" + re.sub(r"\W+", "_", Path(entry).name)
