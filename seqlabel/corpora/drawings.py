"""One drawing per line, as in Quick, Draw! (`.ndjson`): `{"word": "cat", "drawing": [...]}`.

A line is an utterance: its ink in any layout of `seqlabel.inputs.formats.ink_json` (as `drawing`,
`strokes` or `ink`), its text as `text`, `word` or `label`, its writer as `writer` or `speaker`. SRC
is such a file, or a folder of them, where `train`, `dev` or `test` in their names are the sets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlabel.corpora.labelling import labels_of_text
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.own_data import Options, clean_text, divide, prepared_own_data
from seqlabel.corpora.prepared import Prepared, SkipBad
from seqlabel.corpora.splitting import set_named
from seqlabel.errors import InputError
from seqlabel.files import parse_object
from seqlabel.inputs.formats.ink_json import ink_of_value
from seqlabel.inputs.reading import naming
from seqlabel.inputs.shards import line_of
from seqlabel.progress import progress_bar

__all__ = ["Options", "prepare"]

SUFFIXES = (".ndjson", ".jsonl")


def prepare(source: Path, options: Options) -> Prepared:
    """Every line with its drawing and text; the manifest refers to the lines in their files.

    Raises InputError naming file and line for a line that is not JSON or lacks drawing or text.
    """
    files = [source] if source.is_file() else []
    if source.is_dir():
        files = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{source}: no files with one drawing per line ({', '.join(SUFFIXES)})")
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: the name must end in .ndjson; rename the file")
    skip = SkipBad(options.skip_bad)
    reader = _Reader(options, source.is_dir())
    utterances = skip.read_all(progress_bar(_lines(files), "reading"), reader, source)
    if not utterances:
        raise InputError(f"{source}: no usable lines")
    splits = divide(utterances, [reader.sets[u.id] for u in utterances], options)
    return prepared_own_data("drawings", "ink", options, splits, skip.reasons, ())


@dataclass(frozen=True)
class _Line:
    """A line of a file and its place."""

    path: Path
    number: int
    start: int
    data: bytes

    @property
    def where(self) -> str:
        return f"{self.path}:{self.number}"


def _lines(files: list[Path]) -> Iterator[tuple[str, _Line]]:
    for path in files:
        start = 0
        with open(path, "rb") as stream:
            for number, data in enumerate(stream, 1):
                if data.strip():
                    line = _Line(path, number, start, data)
                    yield line.where, line
                start += len(data)


class _Reader:
    """Makes an utterance of a line; sets: id -> set in the name of its file, if `named`."""

    def __init__(self, options: Options, named: bool) -> None:
        self.options, self.named = options, named
        self.sets: dict[str, str] = {}

    def __call__(self, line: _Line) -> Utterance:
        where = line.where
        row = parse_object(line.data, where)
        with naming(where):
            ink = ink_of_value(row, self.options.times)
        text = _string(row, ("text", "word", "label"), where)
        if text is None:
            raise InputError(f"{where}: no text, word or label")
        text = clean_text(text)
        id = f"{line.path.stem}/{line.number}"
        if id in self.sets:
            raise InputError(f"{line.path}: another file has this name; rename one of them")
        self.sets[id] = set_named(line.path.stem) if self.named else ""
        country = row.get("countrycode")
        return Utterance(
            id=id,
            source=line_of(line.path, line.start, len(line.data.rstrip()), str(line.number)),
            kind="ink",
            labels=labels_of_text(text, self.options.unit, where),
            text=text,
            speaker=_string(row, ("writer", "speaker"), where) or "",
            duration=ink.duration,
            tags={"country": country} if isinstance(country, str) and country else {},
        )


def _string(row: dict[str, Any], keys: tuple[str, ...], where: str) -> str | None:
    """The first of some keys that occurs in a line."""
    for key in keys:
        value = row.get(key)
        if value is not None and not isinstance(value, str):
            raise InputError(f"{where}: {key} is {str(value)[:40]!r}; a string is expected")
        if value is not None:
            return value
    return None
