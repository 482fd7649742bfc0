"""A synthetic corpus of scanned handwriting in the layout of the IAM handwriting database.

    lines/a00/a00-000u/a00-000u-00.png      one image per line, grey
    ascii/lines.txt         line, ok, grey level, components, box, and the text with | for spaces
    ascii/forms.txt         form and writer
    trainset.txt validationset1.txt validationset2.txt testset.txt      the lines of each set
    words.txt text.txt      of sentences only: the lexicon, and text for a language model
    synth.json              the options; the same options give the same corpus

The ink is that of `seqlabel.synthetic.ink` with the same options, drawn with the pen of its writer
on paper. No writer is in two sets, and no text of a test set occurs in training.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.image import Image, write_image
from seqlabel.inputs.ink import Ink
from seqlabel.synthetic.folder import write_once
from seqlabel.synthetic.ink import (
    Form,
    InkCorpus,
    all_forms,
    lines_of,
    write_language,
    write_text_file,
)

FORMAT = 1
"""Changes whenever the same options would give another corpus."""

SETS = {
    "trainset": "trainset",
    "testset_v": "validationset1",
    "testset_t": "validationset2",
    "testset_f": "testset",
}
"""Names of the sets in the ink corpus and here."""

SCALE = 0.12
"""Pixels per unit of the ink: a small x is 7 to 17 pixels high."""


@dataclass(frozen=True)
class ImageCorpus(InkCorpus):
    """Options of a corpus: those of the ink, and how it is drawn.

    pen: minimum and maximum width of a writer's pen in pixels. slant: standard deviation of the
    slant of the whole line, as the tangent, in addition to that of the hand. noise: maximum
    standard deviation of the pixels. background: maximum darkness of the paper, and of its
    variation.
    """

    pen: tuple[float, float] = (1.2, 3.2)
    slant: float = 0.1
    noise: float = 0.05
    background: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.5 <= self.pen[0] <= self.pen[1] <= 20:
            raise InputError(
                f"pen {self.pen}: must be two widths from 0.5 to 20 pixels, the smaller first"
            )
        if not 0 <= self.slant <= 1 or not 0 <= self.noise <= 0.5 or not 0 <= self.background < 1:
            raise InputError(
                "slant must be in 0 ... 1, noise in 0 ... 0.5, background in 0 ... 1 (excluded)"
            )


@dataclass(frozen=True)
class Pen:
    """A pen: its width in pixels, and the darkness of its ink from 0 to 1."""

    width: float
    darkness: float


def write_corpus(out: Path, options: ImageCorpus) -> bool:
    """Write the corpus to the folder `out`, whole or not at all; False if it is already there.

    Raises InputError if `out` has anything else.
    """
    wanted = {"format": FORMAT, "kind": "image", **asdict(options)}
    wanted |= {key: list(value) for key, value in wanted.items() if isinstance(value, tuple)}
    return write_once(out, wanted, lambda folder: _write(folder, options))


def _write(folder: Path, options: ImageCorpus) -> None:
    used: set[str] = set()
    register, rows = ["# form writer"], ["# line ok grey components x y w h text"]
    lists: dict[str, list[str]] = {name: [] for name in SETS}
    (folder / "ascii").mkdir()
    for form in all_forms(options, used):
        register.append(f"{form.name} {form.writer:03d}")
        place = folder / "lines" / form.name[:3] / form.name
        place.mkdir(parents=True)
        pen = _pen_of(form, options)
        for number, ink in enumerate(lines_of(form, options)):
            line = f"{form.name}-{number:02d}"
            rng = np.random.default_rng([options.seed, 0x2A, *line.encode()])
            image = draw(ink, pen, options, rng)
            write_image(place / f"{line}.png", image)
            text = form.texts[number].replace(" ", "|")
            rows.append(f"{line} ok 128 1 0 0 {image.width} {image.height} {text}")
            lists[form.set].append(line)
    for name, lines in lists.items():
        write_text_file(folder / f"{SETS[name]}.txt", "".join(f"{line}\n" for line in lines))
    write_text_file(folder / "ascii" / "forms.txt", "\n".join(register) + "\n")
    write_text_file(folder / "ascii" / "lines.txt", "\n".join(rows) + "\n")
    if options.words:
        write_language(folder, options.seed, used)


def _pen_of(form: Form, options: ImageCorpus) -> Pen:
    rng = np.random.default_rng([options.seed, 0x2B, form.writer])
    return Pen(float(rng.uniform(*options.pen)), float(rng.uniform(0.5, 1.0)))


def draw(ink: Ink, pen: Pen, options: ImageCorpus, rng: np.random.Generator) -> Image:
    """Ink as a scanned line: a pen of one width on paper of uneven brightness, with noise."""
    lean = float(rng.normal(0, options.slant)) if options.slant else 0.0
    strokes = [stroke[:, :2] * SCALE for stroke in ink.strokes]
    strokes = [np.column_stack([s[:, 0] - lean * s[:, 1], s[:, 1]]) for s in strokes]
    points = np.concatenate([_dense(stroke) for stroke in strokes])
    margin = pen.width + rng.uniform(2, 8, size=4)  # left, top, right, bottom
    points = points - points.min(axis=0) + margin[:2]
    width, height = np.ceil(points.max(axis=0) + margin[2:]).astype(int)
    covered = _stamp(points, pen.width / 2, height, width)
    paper = 1 - options.background * rng.uniform(0, 1) * 0.6
    slope = options.background * 0.4 * rng.uniform(-1, 1) * np.linspace(-0.5, 0.5, width)[None, :]
    spots = options.background * 0.1 * _cloud(height, width, rng)
    brightness = np.clip(paper + slope + spots, 0.3, 1)
    pixels = brightness * (1 - pen.darkness * covered)
    pixels = pixels + rng.normal(0, 1, pixels.shape) * options.noise * rng.uniform(0, 1)
    return Image(np.clip(pixels, 0, 1).astype(np.float32))


def _dense(stroke: np.ndarray, step: float = 0.4) -> np.ndarray:
    """Points of a polyline at most `step` pixels apart."""
    if len(stroke) == 1:
        return stroke
    way = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    at = np.linspace(0, way[-1], max(2, int(way[-1] / step) + 1))
    return np.column_stack([np.interp(at, way, stroke[:, k]) for k in range(2)])


def _stamp(points: np.ndarray, radius: float, height: int, width: int) -> np.ndarray:
    """(height, width) share of each pixel that discs about the points cover, soft at the rim."""
    reach = int(np.ceil(radius + 0.5))
    offsets = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1).T - reach  # rows, columns
    centre = np.round(points[:, ::-1]).astype(np.int64)
    place = centre[:, None, :] + offsets
    distance = np.hypot(*np.moveaxis(place - points[:, None, ::-1], 2, 0))
    cover = np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)
    inside = ((place >= 0) & (place < (height, width))).all(axis=2)
    covered = np.zeros(height * width, dtype=np.float32)
    np.maximum.at(covered, (place[..., 0] * width + place[..., 1])[inside], cover[inside])
    return covered.reshape(height, width)


def _cloud(height: int, width: int, rng: np.random.Generator, size: int = 16) -> np.ndarray:
    """(height, width) of smooth random brightness, about 1 at most in either direction."""
    knots = rng.uniform(-1, 1, (height // size + 2, width // size + 2))
    y, x = np.arange(height) / size, np.arange(width) / size
    rows = np.stack([np.interp(x, np.arange(knots.shape[1]), row) for row in knots])
    return np.stack([np.interp(y, np.arange(len(rows)), column) for column in rows.T], axis=1)
