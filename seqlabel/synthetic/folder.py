"""The folder of a synthetic corpus: written whole or not at all, and not twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlabel.errors import InputError
from seqlabel.files import read_json, whole_folder, write_json


def write_once(out: Path, wanted: dict[str, Any], write: Callable[[Path], object]) -> bool:
    """Let `write` fill the folder `out`; False when the corpus is there already.

    wanted: what the corpus depends on, kept as its synth.json.
    Raises InputError when `out` holds anything else.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if (out / "synth.json").is_file() and read_json(out / "synth.json") == wanted:
            return False
        raise InputError(
            f"{out}: is there already and is another corpus; remove it or name another"
        )
    with whole_folder(out) as folder:
        write(folder)
        write_json(folder / "synth.json", wanted)
    return True
