"""NeMo's manifests: JSON lines with audio_filepath, text, duration, and optionally offset, speaker.

SRC is such a file, or a folder with files with their set in the name (train_manifest.json).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from seqlabel.corpora.own_data import Options
from seqlabel.corpora.prepared import Prepared
from seqlabel.corpora.rows import Row, prepared_rows, resolve
from seqlabel.corpora.splitting import left_out, set_named
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl

__all__ = ["Options", "prepare"]


def prepare(source: Path, options: Options) -> Prepared:
    """The lines of one file, or of all named after sets; raises InputError naming file and line."""
    if not source.is_dir():
        return prepared_rows("nemo", _rows(source, ""), options, source)
    files = sorted([*source.glob("*.json"), *source.glob("*.jsonl")])
    named = [(path, name) for path in files if (name := set_named(path.stem))]
    if not named:
        raise InputError(f"{source}: no .json file with train, dev or test in its name")
    rows = (row for path, name in named for row in _rows(path, name))
    found = prepared_rows("nemo", rows, options, source)
    return found.noting(*left_out(files, [path for path, _ in named]))


def _rows(path: Path, name: str) -> Iterator[Row]:
    seen: dict[str, int] = {}

    def make(value: dict[str, Any], where: str) -> Row:
        audio, text = value.get("audio_filepath"), value.get("text")
        if not isinstance(audio, str) or not audio:
            raise InputError(
                f"{where}: key audio_filepath is missing; add the path of the recording"
            )
        if value.get("shard_id") is not None:
            raise InputError(f"{where}: a recording in a tarred data set; use its shards, see "
                             "`prepare webdataset`")  # fmt: skip
        row: dict[str, Any] = {"source": resolve(audio, path.parent), "kind": "speech", "set": name}
        if text is not None:
            row["text"] = text
        if isinstance(value.get("speaker"), str | int):
            row["speaker"] = str(value["speaker"])
        key = Path(audio).with_suffix("").as_posix().lstrip("/.")
        key = "".join(c if c.isprintable() and not c.isspace() else "_" for c in key) or "_"
        if value.get("offset") is not None:
            row |= _stretch(value, where)
            key = f"{key}-{round(row['start'] * 1000):08d}-{round(row['end'] * 1000):08d}"
        seen[key] = seen.get(key, 0) + 1
        row["id"] = key if seen[key] == 1 else f"{key}-{seen[key]}"
        return Row(where, path.resolve().parent, row)

    for number, value in read_jsonl(path):
        where = f"{path}:{number}"
        yield Row.made(where, partial(make, value, where))


def _stretch(value: dict[str, Any], where: str) -> dict[str, float]:
    """Start and end of a line with an offset; one without is a whole file."""
    found = []
    for key in ("offset", "duration"):
        number = value.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float) or abs(number) > 1e9:
            raise InputError(f"{where}: {key} is {str(number)[:40]!r}; seconds are expected")
        found.append(float(number))
    return {"start": found[0], "end": sum(found)}
