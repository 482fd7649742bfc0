"""Strings of real handwritten digits: the images that come with scikit-learn, side by side.

    python recipes/offline/digits.py OUT [--strings 4000] [--seed 1]

Each of the 1797 images (8 x 8 pixels, the test part of Alpaydin & Kaynak's optical digits) belongs
to one set only, so that no test image occurs in training; the writers of the images are not known.
A string has 2 to 4 digits, each at a random height on 14 rows, with 0 to 2 columns of paper between
them. Writes OUT/train, OUT/dev and OUT/test, an image and a transcript for each string, for
`seqlabel prepare folder`.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.inputs.image import Image, write_image
from seqlabel.progress import progress_bar
from seqlabel.synthetic.folder import write_once

ROWS = 14
GAP = 2
DIGITS = (2, 4)
IMAGES = {"dev": 197, "test": 400}
"""Images held out; the others are for training."""
STRINGS = {"dev": 300, "test": 1000}


def load() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 8, 8) ink in 0...1 and (1797,) digits."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError("the digits need scikit-learn: pip install scikit-learn") from None
    digits = load_digits()
    return digits.images.astype(np.float32) / 16, digits.target


def string_of(chosen: np.ndarray, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(ROWS, W) ink of some images from left to right."""
    parts = []
    for n in chosen:
        image = images[n]
        canvas = np.zeros((ROWS, image.shape[1] + int(rng.integers(GAP + 1))), np.float32)
        top = int(rng.integers(ROWS - len(image) + 1))
        canvas[top : top + len(image), : image.shape[1]] = image
        parts.append(canvas)
    return np.concatenate(parts, axis=1)


def write(folder: Path, strings: int, seed: int) -> None:
    images, digits = load()
    order = np.random.default_rng(seed).permutation(len(images))
    first = 0
    for number, (name, count) in enumerate({**IMAGES, "train": len(images)}.items()):
        own = order[first : first + count]
        first += len(own)
        (folder / name).mkdir(parents=True)
        rng = np.random.default_rng([seed, number])
        for n in progress_bar(range(STRINGS.get(name, strings)), name):
            chosen = rng.choice(own, int(rng.integers(DIGITS[0], DIGITS[1] + 1)))
            path = folder / name / f"{n:05d}.png"
            write_image(path, Image(1 - string_of(chosen, images, rng)))
            path.with_suffix(".txt").write_text("".join(map(str, digits[chosen])) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--strings", type=int, default=4000, help="for training (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.strings < 1 or args.seed < 0:
        raise InputError("--strings must be at least 1, --seed not negative")
    wanted = {"corpus": "digits", "format": 1, "strings": args.strings, "seed": args.seed}
    written = write_once(args.out, wanted, lambda folder: write(folder, args.strings, args.seed))
    print(f"{args.out}: {'written' if written else 'there already'}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command("digits.py", main))
