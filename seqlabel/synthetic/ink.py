"""A synthetic corpus of handwriting in the layout of IAM-OnDB.

    lineStrokes/a00/a00-001/a00-001u-01.xml    one file per line
    ascii/a00/a00-001/a00-001u.txt             its text, in the block CSR of its form
    trainset.txt testset_v.txt testset_t.txt testset_f.txt    the forms of each set
    forms.txt               form and writer
    words.txt text.txt      of sentences only: the lexicon, and text for a language model
    synth.json              the options; the same options give the same corpus

No writer is in two sets, and no text of a test set occurs in training.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.formats.iam_xml import iam_xml
from seqlabel.inputs.ink import Ink
from seqlabel.progress import progress_bar
from seqlabel.synthetic.folder import write_once
from seqlabel.synthetic.hands import random_hand, write_text
from seqlabel.synthetic.text import CHARACTERS, Language, make_language, mixed_text, random_string

FORMAT = 1
"""Changes whenever the same options would give another corpus."""

LINES_PER_FORM = 6


@dataclass(frozen=True)
class InkCorpus:
    """Options of a corpus.

    lines, writers: of the training set, the two validation sets and the final test set.
    words: sentences of a made-up language instead of random strings; a fifth of its words occur
    only in the lexicon and in test sentences, and some writers link their letters. mixed: words in
    small and capital letters, numbers and strings (`mixed_text`), by more varied hands, as with
    pens, mice and fingers. characters, length: of the random strings; length is the minimum and the
    maximum.
    """

    lines: tuple[int, int, int, int] = (1800, 120, 120, 360)
    writers: tuple[int, int, int, int] = (60, 10, 10, 20)
    words: bool = False
    mixed: bool = False
    characters: str = CHARACTERS
    length: tuple[int, int] = (4, 10)
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.lines) < 1 or min(self.writers) < 1:
            raise InputError("lines and writers must be at least 1 in every set")
        if self.words and self.mixed:
            raise InputError("words and mixed exclude each other; choose one of them")
        if self.seed < 0:
            raise InputError(f"seed {self.seed}: must not be negative")
        if not 1 <= self.length[0] <= self.length[1]:
            raise InputError(f"length {self.length}: must be the minimum and the maximum")
        if len(set(self.characters)) < 2 or " " in self.characters:
            raise InputError("characters: at least two different ones, without the space")


SETS = ("trainset", "testset_v", "testset_t", "testset_f")

TEXT_LINES = 5000
"""Sentences written to text.txt for language models."""


def write_corpus(out: Path, options: InkCorpus) -> bool:
    """Write the corpus to the folder `out`, whole or not at all; False if it is already there.

    Raises InputError if `out` has anything else.
    """
    wanted = {"format": FORMAT, **asdict(options)}
    wanted |= {key: list(value) for key, value in wanted.items() if isinstance(value, tuple)}
    return write_once(out, wanted, lambda folder: _write(folder, options))


class Form(NamedTuple):
    """A sheet of paper: the set it is in, its name, its writer, and the lines written on it."""

    set: str
    name: str
    writer: int
    texts: list[str]


def all_forms(options: InkCorpus, used: set[str]) -> Iterator[Form]:
    """The forms of a corpus, set by set; their texts are added to `used`."""
    language = make_language(options.seed) if options.words else None
    first_writer = 0
    for number, name in enumerate(SETS):
        texts = _texts(number, options, language, used)
        starts = range(0, len(texts), LINES_PER_FORM)
        for form, start in enumerate(progress_bar(starts, name)):
            writer = first_writer + start // LINES_PER_FORM % options.writers[number]
            lines = texts[start : start + LINES_PER_FORM]
            yield Form(name, _form_name(number, form), writer, lines)
        first_writer += options.writers[number]


def lines_of(form: Form, options: InkCorpus) -> Iterator[Ink]:
    """The lines of a form as its writer writes them."""
    generator = np.random.default_rng([options.seed, 0x1D, form.writer])
    hand = random_hand(generator, links=options.words or options.mixed, varied=options.mixed)
    for line, text in enumerate(form.texts, 1):
        rng = np.random.default_rng([options.seed, 0x1E, *form.name.encode(), line])
        yield write_text(text, hand, rng)


def _write(folder: Path, options: InkCorpus) -> None:
    used: set[str] = set()
    register = ["# form writer"]
    lists: dict[str, list[str]] = {name: [] for name in SETS}
    for form in all_forms(options, used):
        register.append(f"{form.name} {10000 + form.writer}")
        lists[form.set].append(form.name)
        _write_form(folder, form, options)
    for name, forms in lists.items():
        write_text_file(folder / f"{name}.txt", "".join(f" {form}\n" for form in forms))
    write_text_file(folder / "forms.txt", "\n".join(register) + "\n")
    if options.words:
        write_language(folder, options.seed, used)


def write_language(folder: Path, seed: int, used: set[str]) -> None:
    """words.txt and text.txt: the lexicon, and sentences that are not in `used`."""
    language = make_language(seed)
    rng = np.random.default_rng([seed, 0x1B])
    sentences: dict[str, None] = {}
    while len(sentences) < TEXT_LINES:
        sentence = language.sentence(rng)
        if sentence not in used:
            sentences[sentence] = None
    write_text_file(folder / "words.txt", "\n".join(language.lexicon) + "\n")
    write_text_file(folder / "text.txt", "\n".join(sentences) + "\n")


def _texts(number: int, options: InkCorpus, language: Language | None, used: set[str]) -> list[str]:
    """Texts of one set, none of them in `used`, to which they are added."""
    rng = np.random.default_rng([options.seed, 0x1C, number])
    texts: list[str] = []
    for _ in range(100 * options.lines[number]):
        if options.mixed:
            text = mixed_text(rng)
        elif language is None:
            text = random_string(rng, options.length, options.characters)
        else:
            text = language.sentence(rng, avoid=language.held_out if number == 0 else ())
        if text not in used:
            used.add(text)
            texts.append(text)
        if len(texts) == options.lines[number]:
            return texts
    raise InputError(
        f"{len(used)} different texts are all there are; use fewer lines, more characters or "
        "longer strings"
    )


def _form_name(number: int, form: int) -> str:
    """`a00-000u`, `a00-001u`, ...: a letter per set, so that names are unique."""
    return f"{'abcd'[number]}{form // 1000:02d}-{form % 1000:03d}u"


def _write_form(folder: Path, form: Form, options: InkCorpus) -> None:
    place = Path(form.name[:3]) / form.name[:-1]
    (folder / "lineStrokes" / place).mkdir(parents=True)
    (folder / "ascii" / place).mkdir(parents=True)
    for line, ink in enumerate(lines_of(form, options), 1):
        path = folder / "lineStrokes" / place / f"{form.name}-{line:02d}.xml"
        write_text_file(path, iam_xml(ink))
    block = "\n".join(form.texts)
    path = folder / "ascii" / place / f"{form.name}.txt"
    write_text_file(path, f"OCR:\n\n{block}\n\nCSR:\n\n{block}\n\n")


def write_text_file(path: Path, text: str) -> None:
    """A file of a temporary folder, which need not be written atomically."""
    path.write_text(text, encoding="utf-8")
