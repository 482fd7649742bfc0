"""A prepared corpus of ink as scanned images: every line drawn with the pen of its writer.

    python recipes/offline/rendered.py DATA OUT [--size 12] [--seed 1]

DATA is what `seqlabel prepare` writes for any corpus of ink. The median stroke becomes `size`
pixels long or high, whichever is more, because the units of ink differ from corpus to corpus.
Pen, paper and noise are those of `seqlabel synth image`. Writes the images and lists of the sets,
{train,dev,...}.jsonl, for `seqlabel prepare manifest`.
"""

import argparse
import sys
import zlib
from pathlib import Path

import numpy as np

from seqlabel.cli.failures import run_command
from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.errors import InputError
from seqlabel.files import read_json, write_jsonl
from seqlabel.inputs.image import write_image
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.ink_files import read_ink
from seqlabel.progress import progress_bar
from seqlabel.synthetic.folder import write_once
from seqlabel.synthetic.image import SCALE, ImageCorpus, Pen, draw

LARGEST = 2000
"""Pixels of a side that no image exceeds by more than its margin."""


def scaled(ink: Ink, size: float) -> Ink:
    """Ink in the units of `draw`, its median stroke `size` pixels long or high."""
    strokes = [stroke[:, :2] for stroke in ink.strokes]
    points = np.concatenate(strokes)
    extents = [np.ptp(stroke, axis=0).max() for stroke in strokes]
    whole = np.ptp(points, axis=0).max()
    typical = np.median(extents) or whole  # dots have no extent
    factor = min(size / typical, LARGEST / whole) if whole else 1.0
    corner = points.min(axis=0)
    return Ink([(stroke - corner) * factor / SCALE for stroke in strokes])


def pen_of(utterance: Utterance, options: ImageCorpus) -> Pen:
    """The same for all lines of a writer; where the writer is not known, the line's own."""
    name = utterance.speaker or utterance.id
    rng = np.random.default_rng([options.seed, 0x2B, zlib.crc32(name.encode())])
    return Pen(float(rng.uniform(*options.pen)), float(rng.uniform(0.5, 1.0)))


def write_set(folder: Path, name: str, utterances: list[Utterance], size: float, seed: int) -> None:
    """Images of a set and its list."""
    options = ImageCorpus(seed=seed)
    (folder / name).mkdir()
    rows = []
    for number, utterance in enumerate(progress_bar(utterances, name)):
        if utterance.kind != "ink":
            raise InputError(
                f"{utterance.id}: {utterance.kind}, only ink is drawn; prepare a corpus of ink"
            )
        rng = np.random.default_rng([seed, 0x2A, *utterance.id.encode()])
        ink = scaled(read_ink(utterance.source, times=False), size)
        image = f"{name}/{number:05d}.png"
        write_image(folder / image, draw(ink, pen_of(utterance, options), options, rng))
        known = {"text": utterance.text} if utterance.text is not None else {}
        rows.append({"id": utterance.id, "source": image, "kind": "image",
                     "labels": list(utterance.labels), "speaker": utterance.speaker,
                     **known})  # fmt: skip
    write_jsonl(folder / f"{name}.jsonl", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA", help="prepared corpus of ink")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--size", type=float, default=12, help="of a stroke (%(default)s pixels)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not 1 <= args.size <= 200 or args.seed < 0:
        raise InputError("--size must be 1 ... 200 pixels, --seed not negative")
    facts = read_json(args.data / "corpus.json")
    sets = {name: read_manifest(args.data / f"{name}.jsonl") for name in facts["counts"]}
    wanted = {"corpus": "rendered", "format": 1, "size": args.size, "seed": args.seed,
              "ink": facts["fingerprint"]}  # fmt: skip

    def write(folder: Path) -> None:
        for name, utterances in sets.items():
            write_set(folder, name, utterances, args.size, args.seed)

    written = write_once(args.out, wanted, write)
    print(f"{args.out}: {'written' if written else 'there already'}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command("rendered.py", main))
