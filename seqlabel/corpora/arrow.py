"""Hugging Face data sets on disk: parquet files, or the Arrow files that `save_to_disk` writes.

SRC is such a file, or a folder with files whose paths contain their set (data/train-00000-of-00002.
parquet, train/data-00000-of-00001.arrow). Recordings inside the files are written into the folder
`audio`; recordings given by path stay where they are. Needs pyarrow:
pip install seqlabel[datasets].
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlabel.corpora import own_data
from seqlabel.corpora.prepared import Prepared
from seqlabel.corpora.rows import Row, prepared_rows, resolve
from seqlabel.corpora.splitting import sets_of_files
from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.reading import read_bytes

if TYPE_CHECKING:
    import pyarrow

ROWS = 16
"""Rows in memory at a time; a recording of an hour is 100 MB."""


@dataclass(frozen=True)
class Options(own_data.Options):
    """audio: folder for the recordings inside the files.

    audio_column, text_column: names of columns. speaker_column, id_column: the same, optional.
    """

    audio: str = ""
    audio_column: str = "audio"
    text_column: str = "text"
    speaker_column: str = ""
    id_column: str = ""


def prepare(source: Path, options: Options) -> Prepared:
    """Every row with its recording; raises InputError for missing columns."""
    files = [source]
    if source.is_dir():
        files = sorted(p for s in (".parquet", ".arrow") for p in source.rglob(f"*{s}"))
        files = [path for path in files if not path.name.startswith("cache-")]
        if not files:
            raise InputError(f"{source}: no .parquet or .arrow files")
    root = source if source.is_dir() else source.parent
    sets = sets_of_files(files, root)
    rows = (row for path in files for row in _rows(path, sets[path], root, options))
    return prepared_rows("datasets", rows, options, source)


def _rows(path: Path, name: str, root: Path, options: Options) -> Iterator[Row]:
    prefix = path.relative_to(root).with_suffix("").as_posix()
    wanted = {
        "audio": options.audio_column,
        "text": options.text_column,
        "speaker": options.speaker_column,
        "id": options.id_column,
    }
    wanted = {key: column for key, column in wanted.items() if column}
    number = 0
    for batch in _batches(path, list(wanted.values())):
        try:
            batch.validate(full=True)  # otherwise damaged offsets would be followed
            rows = batch.to_pylist()
        except ValueError as error:
            raise _unreadable(path, error) from None
        for values in rows:
            where, key = f"{path}, row {number}", f"{prefix}-{number:06d}"
            yield Row.made(where, partial(_row, path, values, name, key, where, options))
            number += 1


def _row(
    path: Path, values: dict[str, Any], name: str, key: str, where: str, options: Options
) -> Row:
    """The row of some values in the set `name`; key: its id, if no column has ids."""
    text = values[options.text_column]
    if not isinstance(text, str):
        raise InputError(f"{where}: {options.text_column} is {str(text)[:40]!r}, not text")
    if options.id_column:
        if values[options.id_column] in (None, ""):
            raise InputError(f"{where}: no id in {options.id_column}")
        key = str(values[options.id_column])
    audio = _source(values[options.audio_column], key, path, where, options)
    row: dict[str, Any] = {"id": key, "source": audio, "text": text, "set": name}
    if options.speaker_column and values[options.speaker_column] is not None:
        row["speaker"] = str(values[options.speaker_column])
    return Row(where, path.resolve().parent, {**row, "kind": "speech"})


def _source(value: Any, key: str, path: Path, where: str, options: Options) -> str:
    """The file of a recording: the given path, or a file written from the bytes of the row."""
    content, name = None, value
    if isinstance(value, dict):
        content, name = value.get("bytes"), value.get("path")
    if content is None:
        if not isinstance(name, str) or not name:
            raise InputError(
                f"{where}: {options.audio_column} has neither bytes nor a path; is it another "
                "column? (--set audio_column=NAME)"
            )
        return resolve(name, path.parent)
    if not isinstance(content, bytes):
        raise InputError(f"{where}: {options.audio_column}.bytes is not binary")
    if not options.audio:
        raise InputError(
            f"{where}: recordings are inside the file; give a folder for them, for example --set "
            "audio=data/audio"
        )
    suffix = Path(name).suffix[:8] if isinstance(name, str) else ""
    plain = "".join(c if c.isalnum() or c in "-_./" else "_" for c in key).replace("..", "_")
    place = Path(options.audio).resolve() / f"{plain.lstrip('/')}{suffix or '.wav'}"
    if not place.exists():
        with whole_file(place, "wb") as stream:
            stream.write(content)
    elif read_bytes(place) != content:
        raise InputError(
            f"{where}: {place} is another recording already, of another row or data set; choose "
            "an empty folder (--set audio=FOLDER), or ids that differ in letters and digits"
        )
    return str(place)


def _batches(path: Path, columns: list[str]) -> Iterator["pyarrow.RecordBatch"]:
    """The columns of a file, ROWS rows at a time."""
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            f"{path}: reading it needs pyarrow: pip install seqlabel[datasets]"
        ) from None
    try:
        if path.suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as table:
                _check_columns(table.schema_arrow.names, columns, path)
                yield from table.iter_batches(ROWS, columns=columns)
            return
        with pyarrow.OSFile(str(path)) as raw:
            head = raw.read(6)
            raw.seek(0)
            if head == b"ARROW1":
                reader = pyarrow.ipc.open_file(raw)
                batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
            else:
                reader = batches = pyarrow.ipc.open_stream(raw)
            _check_columns(reader.schema.names, columns, path)
            for batch in batches:
                chosen = batch.select(columns)
                for start in range(0, len(chosen), ROWS):
                    yield chosen.slice(start, ROWS)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    cause = str(error).split("\n")[0]
    return InputError(f"{path}: cannot be read ({cause}); get a whole copy")


def _check_columns(held: list[str], columns: list[str], path: Path) -> None:
    for column in columns:
        if column not in held:
            raise InputError(
                f"{path}: no column {column!r}; it has {', '.join(held)}: choose with --set "
                "audio_column=NAME and --set text_column=NAME"
            )
