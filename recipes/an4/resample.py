"""A copy of AN4 at another sampling rate.

    python recipes/an4/resample.py AN4 OUT [--rate 8000]

OUT gets the lists and the dictionary as they are, and every recording as 16-bit WAV at the rate,
by the resampler that the package reads files with. A folder of the same copy is left as it is.
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
import soundfile

from seqlabel.cli.failures import run_command
from seqlabel.corpora.folders import find_folder
from seqlabel.errors import InputError
from seqlabel.inputs import read_audio
from seqlabel.inputs.audio import SUFFIXES
from seqlabel.progress import progress_bar
from seqlabel.synthetic.folder import write_once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="AN4's folder")
    parser.add_argument("out", type=Path, help="folder for the copy")
    parser.add_argument("--rate", type=int, default=8000, help="samples per second (8000)")
    options = parser.parse_args()
    if options.rate < 1:
        raise InputError(f"--rate {options.rate}: samples per second are expected")
    root = find_folder(options.corpus, {"etc", "wav"}.issubset, "AN4 (etc/ and wav/)")
    files = sorted(path for path in (root / "wav").rglob("*") if path.suffix in SUFFIXES)

    def write_all(folder: Path) -> None:
        shutil.copytree(root / "etc", folder / "etc")
        for path in progress_bar(files, "resampling"):
            samples = read_audio(path, options.rate).samples
            whole = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
            place = (folder / path.relative_to(root)).with_suffix(".wav")
            place.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(place, whole, options.rate)

    wanted = {"corpus": str(root.resolve()), "rate": options.rate}
    if not write_once(options.out, wanted, write_all):
        print(f"{options.out}: there already", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command("resample.py", main))
