"""Small whole files, and the readers that `fuzz.py` tries."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_mutations import Folder
from PIL import Image as pillow

from seqlabel.inputs import Ink

REAL_FILES = 6
"""Files of a suffix taken from --data: the smallest, so that many inputs are tried."""


@dataclass(frozen=True)
class Reader:
    """What is tried: `read` gets the folder an input was written to; `seeds` are whole inputs."""

    name: str
    seeds: list[Folder]
    read: Callable[[Path], Any]


def alone(name: str, contents: list[bytes], suffix: str, read: Callable[[Path], Any]) -> Reader:
    """A reader of single files."""
    file = f"input{suffix}"
    return Reader(name, [{file: data} for data in contents], lambda folder: read(folder / file))


def slurp(folder: Path) -> Folder:
    """The files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(write: Callable[[Path], object], path: Path) -> bytes:
    """What a writer writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    return path.read_bytes()


def real(data: Path | None, *suffixes: str) -> list[bytes]:
    """The smallest files below `data` with one of the suffixes."""
    found = [p for p in data.rglob("*") if p.suffix.lower() in suffixes] if data else []
    return [p.read_bytes() for p in sorted(found, key=lambda p: p.stat().st_size)[:REAL_FILES]]


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    """Rows as a .jsonl file."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def picture(form: str, mode: str, **options: Any) -> bytes:
    """A small image of a mode of Pillow's as a file."""
    rng = np.random.default_rng(1)
    grey = pillow.fromarray(rng.integers(0, 256, (9, 14), dtype=np.uint8))
    stream = io.BytesIO()
    grey.convert(mode).save(stream, form, **options)
    return stream.getvalue()


TONE = (6000 * np.sin(np.arange(1600) * 0.3)).astype(np.int16)
INK = Ink([[[10, 20, 0.0], [13, 24, 0.25], [15, 29, 0.3]], [[40, 20, 1.5]]])
PRESSED = Ink([[[10, 20, 0.0, 0.5], [13, 24, 0.25, 1.0]], [[40, 20, 1.5, 0.1]]])
