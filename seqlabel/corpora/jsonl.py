"""The user's own data listed in JSON lines: `{"source": "a.wav", "text": "hello"}` and more.

Keys are those of the manifest, of which only `source` and one of `text` and `labels` are needed,
and `set` (train, dev or test). SRC is such a file, or a folder with train.jsonl, dev.jsonl, ...
"""

from pathlib import Path

from seqlabel.corpora.own_data import Options
from seqlabel.corpora.prepared import Prepared
from seqlabel.corpora.rows import Row, prepared_rows
from seqlabel.corpora.splitting import SET_NAMES
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl

__all__ = ["Options", "prepare"]


def prepare(source: Path, options: Options) -> Prepared:
    """Complete the lines of one file, or of {train,dev,test}.jsonl in a folder.

    An empty text means that nothing is said or written. Raises InputError naming file and line for
    unknown keys, missing files, and lines with neither text nor labels.
    """
    files = [source]
    if source.is_dir():
        files = [source / f"{name}.jsonl" for name in SET_NAMES]
        files = [path for path in files if path.is_file()]
        if not files:
            raise InputError(f"{source}: no train.jsonl; name the .jsonl file or its folder")
    whole = source.is_dir()
    rows = [
        Row(
            f"{path}:{number}",
            path.resolve().parent,
            {"set": path.stem if whole else "", **values},
        )
        for path in files
        for number, values in read_jsonl(path)
    ]
    if not rows:
        raise InputError(f"{source}: no lines; write one JSON object for each recording")
    return prepared_rows("manifest", rows, options, source)
