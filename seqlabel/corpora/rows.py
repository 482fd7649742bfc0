"""Rows of lists, completed to the utterances of a manifest.

A row has the keys of a manifest, of which only `source` and one of `text` and `labels` are needed,
and `set` (train, dev or test). A series does without both: its values may be what is predicted.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlabel.config import did_you_mean
from seqlabel.corpora.labelling import labels_of_text
from seqlabel.corpora.manifest import Kind, Utterance, utterance_from
from seqlabel.corpora.own_data import (
    Measure,
    Options,
    check_labels,
    clean_text,
    divide,
    kind_of,
    prepared_own_data,
    utterance_id,
)
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.corpora.splitting import SET_NAMES, known_set
from seqlabel.errors import InputError
from seqlabel.inputs.audio import AudioHeader
from seqlabel.inputs.recording import check_stretch
from seqlabel.progress import progress_bar

OVERSHOOT = 0.5
"""Seconds by which a segment may end after its recording; it is then cut, as in Kaldi."""


@dataclass(frozen=True)
class Row:
    """A line of a list.

    where: beginning of its messages. folder: of relative sources. segment: beginning of messages
    about start, end and channel, if another line gives these. fault: why the line has no values.
    """

    where: str
    folder: Path
    values: Mapping[str, Any]
    segment: str = ""
    fault: str = ""

    @classmethod
    def made(cls, where: str, make: Callable[[], "Row"]) -> "Row":
        """The row of `make`, or one with its InputError, which may be left out with that row."""
        try:
            return make()
        except InputError as error:
            return cls(where, Path(), {}, fault=str(error))


def prepared_rows(corpus: str, rows: Iterable[Row], options: Options, source: Path) -> Prepared:
    """Complete the rows and divide them into their sets, or at random.

    Raises InputError naming the row for unknown keys, missing files, ids that occur twice, and
    segments and channels outside the recording; naming `source` if there is no row.
    """
    skip = SkipBad(options.skip_bad)
    sets: dict[str, str] = {}
    completion = Completion(options)

    def read(row: Row) -> Utterance:
        if row.fault:
            raise InputError(row.fault)
        values = dict(row.values)
        given = values.pop("set", "")
        known = known_set(str(given))
        if given and not known:
            raise InputError(f"{row.where}: set {given!r}{did_you_mean(str(given), SET_NAMES)}")
        utterance = completion(values, row.folder, row.where, row.segment)
        if utterance.id in sets:
            raise InputError(f"{row.where}: id {utterance.id!r} occurs twice; change one")
        sets[utterance.id] = known
        return utterance

    named = ((row.where, row) for row in progress_bar(rows, "reading"))
    utterances = skip.read_all(named, read, source)
    if not utterances:
        raise InputError(f"{source}: no recordings in the list")
    kinds = {utterance.kind for utterance in utterances}
    if len(kinds) > 1:
        raise InputError(f"{source}: {' and '.join(sorted(kinds))}; make a manifest of each")
    splits = divide(utterances, [sets[u.id] for u in utterances], options)
    kind: Kind = utterances[0].kind if utterances else "speech"
    found = prepared_own_data(corpus, kind, options, splits, skip.reasons, completion.measure.rates)
    if not completion.cut:
        return found
    note = (
        f"{len(completion.cut)} segments end up to {OVERSHOOT} s after their recording and are "
        f"cut there, first {completion.cut[0]}"
    )
    return found.noting(note)


@dataclass
class Completion:
    """Makes an utterance of the values of a row; cut: ids of those that ended too late."""

    options: Options
    cut: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.measure = Measure(self.options)
        self._last: tuple[Path, AudioHeader] | None = None  # segments of a file follow each other

    def __call__(
        self, row: Mapping[str, Any], folder: Path, where: str, segment: str = ""
    ) -> Utterance:
        options = self.options
        if not isinstance(row.get("source"), str) or not row["source"]:
            raise InputError(f"{where}: key source is missing: the file of its signal")
        source = folder / row["source"]
        kind = row.get("kind", options.kind if options.kind != "any" else kind_of(source))
        if kind is None:
            raise InputError(
                f"{where}: {source.name} may be speech, ink, an image or a series; add the key kind"
            )
        if "labels" not in row:
            text = row.get("text")
            if isinstance(text, str):
                text = clean_text(text)
                row = {
                    **row,
                    "text": text,
                    "labels": list(labels_of_text(text, options.unit, where)),
                }
            else:  # an error below, if it is there
                row = {**row, "labels": []}
        name = utterance_id(Path(row["source"]), Path(Path(row["source"]).anchor))
        utterance = utterance_from({"id": name, **row, "kind": kind}, folder, where, segment)
        named = utterance.labels or utterance.text is not None
        if not named and utterance.target is None and kind != "series":
            raise InputError(f"{where}: neither text nor labels; add one of them")
        check_labels(utterance.labels, options.unit, where)
        if kind != "speech":
            seconds = self.measure.seconds(source, kind)
            return dataclasses.replace(utterance, duration=seconds)
        return self._measured(utterance, segment or where)

    def _measured(self, utterance: Utterance, where: str) -> Utterance:
        """The utterance with its duration; its segment and channel are checked."""
        if self._last is None or self._last[0] != utterance.source:
            self._last = utterance.source, self.measure.header(utterance.source)
        header = self._last[1]
        channel, end = utterance.channel, utterance.end
        if channel is None and header.channels > 1:
            raise InputError(
                f"{where}: {utterance.source} has {header.channels} channels; add channel, from 0, "
                "or make it mono (ffmpeg -i IN -ac 1 OUT)"
            )
        if channel is not None and channel >= header.channels:
            raise InputError(
                f"{where}: channel {channel} of {utterance.source}, which has {header.channels}, "
                "counted from 0"
            )
        if header.duration < end <= header.duration + OVERSHOOT:
            if end - header.duration > 0.001:
                self.cut.append(utterance.id)
            end = header.duration
        check_stretch(utterance.start, end, header.duration, f"{where}: {utterance.source}")
        duration = (end or header.duration) - utterance.start
        return dataclasses.replace(utterance, duration=duration, end=end)


def resolve(name: str, folder: Path) -> str:
    """The path of a file in a list, relative to the list's folder, or as it is.

    Lists of other tools have paths relative to the folder where the tool ran: the first of the
    list's folder, its parents and the working folder that has the file is used.
    """
    if os.path.isabs(name):
        return name
    for place in (folder, *folder.resolve().parents, Path.cwd()):
        try:
            if (place / name).is_file():
                return str((place / name).resolve())
        except (OSError, ValueError):  # a name that no file can have
            break
    return name
