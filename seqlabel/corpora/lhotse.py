"""Lhotse's manifests: cuts, or recordings with their supervisions, as .jsonl or .jsonl.gz.

SRC is a file of cuts, or a folder with files of cuts, or of recordings and supervisions, with
their set in the name (cuts_train.jsonl.gz, librispeech_recordings_dev.jsonl.gz). A cut with a
single supervision is one utterance; several supervisions are one utterance each. Mixed cuts, and
recordings with transforms or that are not files, are errors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seqlabel.corpora.own_data import Options
from seqlabel.corpora.prepared import Prepared
from seqlabel.corpora.rows import Row, prepared_rows, resolve
from seqlabel.corpora.splitting import set_named
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl

__all__ = ["Options", "prepare"]

SUFFIXES = (".jsonl", ".jsonl.gz")

TAGS = {"sex": "gender", "language": "language"}
"""Tag of a manifest -> key of a supervision."""


def prepare(source: Path, options: Options) -> Prepared:
    """The supervisions of all cuts; raises InputError naming file and line."""
    if not source.is_dir():
        return prepared_rows("lhotse", _rows_of_cuts(source, ""), options, source)
    files = sorted(path for suffix in SUFFIXES for path in source.glob(f"*{suffix}"))
    cuts = [path for path in files if "cuts" in path.name]
    if cuts:
        rows = (row for path in cuts for row in _rows_of_cuts(path, set_named(path.name)))
        return prepared_rows("lhotse", rows, options, source)
    pairs = [
        (path, path.with_name(path.name.replace("recordings", "supervisions")))
        for path in files
        if "recordings" in path.name
    ]
    if not pairs:
        raise InputError(f"{source}: no file named cuts or recordings ({', '.join(SUFFIXES)})")
    rows = (row for pair in pairs for row in _rows_of_pair(*pair, set_named(pair[0].name)))
    return prepared_rows("lhotse", rows, options, source)


@dataclass(frozen=True)
class _Piece:
    """A supervision and the stretch of a recording that it transcribes, in seconds.

    zero: time in the recording from which the alignment counts. channel: in lhotse's numbers.
    path: the list, for relative sources. where: beginning of messages.
    """

    recording: Mapping[str, Any]
    supervision: Mapping[str, Any]
    start: float
    end: float
    zero: float
    channel: Any
    id: Any
    set: str
    path: Path
    where: str

    def row(self) -> Row:
        """The keys of a manifest; raises InputError for what a manifest cannot express."""
        source, held = _source(self.recording, self.where)
        row: dict[str, Any] = {
            "id": self.id,
            "kind": "speech",
            "source": resolve(source, self.path.parent),
            "text": _text(self.supervision, "text", self.where),
            "set": self.set,
        }
        whole = _number(self.recording, "duration", self.where, 0.0)
        if self.start != 0 or abs(self.end - whole) >= 1e-3:
            row |= {"start": self.start, "end": self.end}
        channel = self._channel(source, held)
        if channel is not None:
            row["channel"] = channel
        if isinstance(self.supervision.get("speaker"), str):
            row["speaker"] = self.supervision["speaker"]
        tags = {key: self.supervision.get(name) for key, name in TAGS.items()}
        row["tags"] = {tag: value for tag, value in tags.items() if isinstance(value, str)}
        alignment = self.supervision.get("alignment")
        if isinstance(alignment, dict) and isinstance(alignment.get("word"), list):
            row["words"] = self._words(alignment["word"])
        return Row(self.where, self.path.resolve().parent, row)

    def _channel(self, source: str, held: list[Any]) -> int | None:
        """The position of the channel in the file, None for a file of one."""
        channel = self.channel
        if isinstance(channel, list) and len(channel) == 1:
            channel = channel[0]
        if isinstance(channel, list):
            raise InputError(f"{self.where}: channels {channel}; choose one channel")
        if channel is not None and channel not in held:
            raise InputError(
                f"{self.where}: channel {str(channel)[:40]} of {source}, whose channels are "
                f"{str(held)[1:-1][:40]}; correct the cut, or the recording"
            )
        return held.index(channel) if len(held) > 1 and channel is not None else None

    def _words(self, items: list[Any]) -> list[list[Any]]:
        """[word, start, end] of items (symbol, start, duration, score), from the piece's start.

        Rounded to 8 places, as lhotse's own times are.
        """
        shift = self.zero - self.start
        try:
            return [
                [item[0], round(item[1] + shift, 8), round(item[1] + item[2] + shift, 8)]
                for item in items
            ]
        except (TypeError, LookupError, OverflowError):
            raise InputError(
                f"{self.where}: alignment.word is not a list of [symbol, start, duration]"
            ) from None


def _rows_of_cuts(path: Path, name: str) -> Iterator[Row]:
    for number, cut in read_jsonl(path):
        where = f"{path}:{number}"
        try:
            pieces = list(_pieces_of_cut(cut, path, name, where))
        except InputError as error:
            yield Row(where, Path(), {}, fault=str(error))
            continue
        for piece in pieces:
            yield Row.made(where, piece.row)


def _pieces_of_cut(cut: Mapping[str, Any], path: Path, name: str, where: str) -> Iterator[_Piece]:
    """The supervisions of a cut; their times, and those of alignments, count from its start."""
    kind = cut.get("type", "MonoCut")
    if "tracks" in cut or kind == "MixedCut":
        raise InputError(
            f"{where}: a mixed cut; save it with CutSet.save_audios, and use the cuts of the result"
        )
    if kind not in ("MonoCut", "MultiCut"):
        raise InputError(f"{where}: type {kind!r} is not a cut of a recording; leave it out")
    recording = cut.get("recording")
    if not isinstance(recording, dict):
        raise InputError(f"{where}: a cut without recording; add it in lhotse")
    zero = _number(cut, "start", where, 0.0)
    duration = _number(cut, "duration", where)
    supervisions = cut.get("supervisions")
    if not isinstance(supervisions, list) or not supervisions:
        raise InputError(f"{where}: a cut without supervisions, so its text is not known")
    for supervision in supervisions:
        if not isinstance(supervision, dict):
            raise InputError(f"{where}: a supervision that is not an object")
        start, length, key = zero, duration, cut.get("id")
        if len(supervisions) > 1:
            start = zero + _number(supervision, "start", where, 0.0)
            length = _number(supervision, "duration", where)
            key = supervision.get("id")
        channel = cut.get("channel")
        if not isinstance(channel, int):  # none, or those of a MultiCut
            channel = supervision.get("channel", channel)
        yield _Piece(
            recording,
            supervision,
            start,
            start + length,
            zero=zero,
            channel=channel,
            id=key,
            set=name,
            path=path,
            where=where,
        )


def _rows_of_pair(recordings: Path, supervisions: Path, name: str) -> Iterator[Row]:
    known = {
        _text(recording, "id", f"{recordings}:{number}"): recording
        for number, recording in read_jsonl(recordings)
    }

    def make(supervision: Mapping[str, Any], where: str) -> Row:
        """Times of a supervision, and those of its alignment, count from the recording's start."""
        recording = known.get(_text(supervision, "recording_id", where))
        if recording is None:
            raise InputError(
                f"{where}: {supervision['recording_id']} is not in {recordings.name}; "
                "lhotse.qa.fix_manifests removes these"
            )
        start, length = (_number(supervision, key, where) for key in ("start", "duration"))
        return _Piece(
            recording,
            supervision,
            start,
            start + length,
            zero=0.0,
            channel=supervision.get("channel"),
            id=supervision.get("id"),
            set=name,
            path=supervisions,
            where=where,
        ).row()

    for number, supervision in read_jsonl(supervisions):
        where = f"{supervisions}:{number}"
        yield Row.made(where, partial(make, supervision, where))


def _source(recording: Mapping[str, Any], where: str) -> tuple[str, list[Any]]:
    """The file of a recording, and its channel numbers in lhotse."""
    if recording.get("transforms"):
        raise InputError(
            f"{where}: a recording with transforms ({str(recording['transforms'])[:60]}); write "
            "the result with CutSet.save_audios, and use the cuts of that"
        )
    sources = recording.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise InputError(f"{where}: a recording with several files or none; make one file of it")
    kind, channels = sources[0].get("type"), sources[0].get("channels")
    if kind != "file":
        raise InputError(f"{where}: a recording of type {kind!r}; save it as a file")
    held = channels if isinstance(channels, list) else [0]
    return _text(sources[0], "source", where), held


def _text(value: Mapping[str, Any], key: str, where: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise InputError(f"{where}: {key} is {str(found)[:40]!r}; a string is expected")
    return found


def _number(value: Mapping[str, Any], key: str, where: str, default: Any = None) -> float:
    found = value.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > 1e9:
        raise InputError(f"{where}: {key} is {str(found)[:40]!r}; seconds are expected")
    return float(found)
