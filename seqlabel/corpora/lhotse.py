"""Lhotse's manifests: cuts, or recordings with their supervisions, as .jsonl or .jsonl.gz.

SRC is a file of cuts, or a folder with files of cuts, or of recordings and supervisions, with
their set in the name (cuts_train.jsonl.gz, librispeech_recordings_dev.jsonl.gz). A cut with a
single supervision is one utterance; several supervisions are one utterance each. Mixed cuts, and
recordings with transforms or that are not files, are errors.
"""

from collections.abc import Iterator, Mapping
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


def _rows_of_cuts(path: Path, name: str) -> Iterator[Row]:
    for number, cut in read_jsonl(path):
        where = f"{path}:{number}"
        kind = cut.get("type", "MonoCut")
        if "tracks" in cut or kind == "MixedCut":
            raise InputError(
                f"{where}: a mixed cut; save it with CutSet.save_audios, and use the cuts of the "
                f"result"
            )
        if kind not in ("MonoCut", "MultiCut"):
            raise InputError(f"{where}: type {kind!r} is not a cut of a recording; leave it out")
        recording = cut.get("recording")
        if not isinstance(recording, dict):
            raise InputError(f"{where}: a cut without recording; add it in lhotse")
        start = _number(cut, "start", where, 0.0)
        duration = _number(cut, "duration", where)
        supervisions = cut.get("supervisions")
        if not isinstance(supervisions, list) or not supervisions:
            raise InputError(f"{where}: a cut without supervisions, so its text is not known")
        for supervision in supervisions:
            if not isinstance(supervision, dict):
                raise InputError(f"{where}: a supervision that is not an object")
            first, length, key = start, duration, cut.get("id")
            if len(supervisions) > 1:
                first = start + _number(supervision, "start", where, 0.0)
                length = _number(supervision, "duration", where)
                key = supervision.get("id")
            stretch = _stretch(recording, first, length, where)
            channel = cut.get("channel")
            if not isinstance(channel, int):  # none, or those of a MultiCut
                channel = supervision.get("channel", channel)
            yield _row(recording, supervision, stretch, channel, key, name, path, where)


def _rows_of_pair(recordings: Path, supervisions: Path, name: str) -> Iterator[Row]:
    known = {
        _text(recording, "id", f"{recordings}:{number}"): recording
        for number, recording in read_jsonl(recordings)
    }
    for number, supervision in read_jsonl(supervisions):
        where = f"{supervisions}:{number}"
        recording = known.get(_text(supervision, "recording_id", where))
        if recording is None:
            raise InputError(
                f"{where}: {supervision['recording_id']} is not in {recordings.name}; "
                "lhotse.qa.fix_manifests removes these"
            )
        start, length = (_number(supervision, key, where) for key in ("start", "duration"))
        stretch = _stretch(recording, start, length, where)
        channel, key = supervision.get("channel"), supervision.get("id")
        yield _row(recording, supervision, stretch, channel, key, name, supervisions, where)


def _row(
    recording: Mapping[str, Any],
    supervision: Mapping[str, Any],
    stretch: Mapping[str, float],
    channel: Any,
    key: Any,
    name: str,
    path: Path,
    where: str,
) -> Row:
    source, held = _source(recording, where)
    row: dict[str, Any] = {
        "id": key,
        "kind": "speech",
        "source": resolve(source, path.parent),
        "text": _text(supervision, "text", where),
        "set": name,
        **stretch,
    }
    if isinstance(channel, list) and len(channel) == 1:
        channel = channel[0]
    if isinstance(channel, list):
        raise InputError(f"{where}: channels {channel}; choose one channel")
    if channel is not None and channel not in held:
        raise InputError(
            f"{where}: channel {str(channel)[:40]} of {source}, whose channels are "
            f"{str(held)[1:-1][:40]}; correct the cut, or the recording"
        )
    if len(held) > 1 and channel is not None:
        row["channel"] = held.index(channel)
    if isinstance(supervision.get("speaker"), str):
        row["speaker"] = supervision["speaker"]
    tags = {"sex": supervision.get("gender"), "language": supervision.get("language")}
    row["tags"] = {tag: value for tag, value in tags.items() if isinstance(value, str)}
    alignment = supervision.get("alignment")
    if isinstance(alignment, dict) and isinstance(alignment.get("word"), list):
        # of lhotse's items (symbol, start, duration, score), counted from the recording's start
        try:
            first = float(stretch.get("start", 0.0))
            row["words"] = [[w[0], w[1] - first, w[1] + w[2] - first] for w in alignment["word"]]
        except (TypeError, LookupError):
            raise InputError(
                f"{where}: alignment.word is not a list of [symbol, start, duration]"
            ) from None
    return Row(where, path.resolve().parent, row)


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


def _stretch(
    recording: Mapping[str, Any], start: float, duration: float, where: str
) -> dict[str, float]:
    """Start and end, unless they are those of the recording."""
    whole = _number(recording, "duration", where, 0.0)
    if start == 0 and abs(duration - whole) < 1e-3:
        return {}
    return {"start": start, "end": start + duration}


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
