"""The folder of a synthetic corpus: written whole or not at all, and not twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlabel.errors import InputError
from seqlabel.files import read_json, whole_folder, write_json


def write_once(out: Path, wanted: dict[str, Any], write: Callable[[Path], object]) -> bool:
    """Let `write` fill the folder `out`; False if the corpus is already there.

    wanted: the options of the corpus, written as synth.json.
    Raises InputError if `out` has anything else.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if (out / "synth.json").is_file() and read_json(out / "synth.json") == wanted:
            return False
        raise InputError(f"{out}: already has another corpus; remove it or choose another folder")
    with whole_folder(out) as folder:
        write(folder)
        write_json(folder / "synth.json", wanted)
    return True
