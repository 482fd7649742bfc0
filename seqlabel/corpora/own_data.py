"""What the readers of the user's own data share: options, transcripts, names, sets."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seqlabel.alphabet import NO_LABELS
from seqlabel.alphabet.units import JOINED, label_fault
from seqlabel.corpora.labelling import with_subwords
from seqlabel.corpora.manifest import Kind, Utterance
from seqlabel.corpora.prepared import (
    Prepared,
    alphabet_of,
    common_rate,
    shared_speakers,
)
from seqlabel.corpora.splitting import SET_NAMES, split_by_hash
from seqlabel.errors import InputError
from seqlabel.inputs import audio, image, ink_files, read_ink, read_series, series

SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "speech": audio.SUFFIXES,
    "ink": ink_files.SUFFIXES,
    "image": image.SUFFIXES,
    "series": (series.SUFFIX,),
}

FILES: dict[Kind, str] = {"speech": "audio", "ink": "ink", "image": "image", "series": "series"}
"""Names of the kinds of files."""

BESIDE: tuple[Kind, ...] = ("image", "series")
"""What lies beside data of another kind rather than being the data."""


@dataclass(frozen=True)
class Options:
    """kind: what to look for; by default what the data holds, images where there is nothing else,
    arrays as ink.

    unit: what a transcript is split into. Phones, words and symbols are separated by spaces;
        graphemes are characters with their combining marks and joiners.
    subwords: number of subwords; subword_kind: their model; subword_model: a trained
        SentencePiece model to use instead of training one.
    dev, test: share of the utterances, if folders are not sets.
    by: divide by speaker (folder) or by utterance; by default by speaker if there are at least
    three. seed: of the random division. rate: require this sampling rate; 0 for any
        (features resample audio). times: whether points of ink must have usable times, for features
        that use them. skip_bad: leave out unusable files and name them.
    """

    kind: Literal["any", "speech", "ink", "image", "series"] = "any"
    unit: Literal["character", "grapheme", "subword", "phone", "word", "symbol", "latex"] = (
        "character"
    )
    subwords: int = 500
    subword_kind: Literal["unigram", "bpe"] = "unigram"
    subword_model: str = ""
    dev: float = 0.1
    test: float = 0.1
    by: Literal["any", "speaker", "utterance"] = "any"
    seed: int = 0
    rate: int = 0
    times: bool = True
    skip_bad: bool = False


def prepared_own_data(
    corpus: str,
    kind: Kind,
    options: Options,
    splits: dict[str, list[Utterance]],
    skipped: Mapping[str, str],
    rates: Iterable[int],
) -> Prepared:
    """`Prepared` with the alphabet of all transcripts and remarks on what looks wrong."""
    if options.unit == "subword":
        splits, alphabet = with_subwords(
            splits, options.subwords, options.subword_kind, options.subword_model
        )
    elif any(u.labels or u.text is not None for u in splits.get("train", ())):
        alphabet = alphabet_of(splits, options.unit)
    else:
        alphabet = NO_LABELS
    notes = tuple(shared_speakers(splits))
    return Prepared(corpus, kind, alphabet, splits, skipped, notes, common_rate(rates))


def divide(
    utterances: list[Utterance], given: list[str], options: Options
) -> dict[str, list[Utterance]]:
    """Sets as `given` (a name for each utterance), or drawn at random if none is."""
    if any(given):
        for utterance, name in zip(utterances, given, strict=True):
            if not name:
                raise InputError(
                    f"{utterance.id}: in no set, although others are in {max(given)}; give all or "
                    f"none a set"
                )
        return {
            name: [u for u, g in zip(utterances, given, strict=True) if g == name]
            for name in sorted(set(given), key=SET_NAMES.index)
        }
    speakers = {utterance.speaker for utterance in utterances}
    whole = options.by == "speaker" or (
        options.by == "any" and "" not in speakers and len(speakers) >= 3
    )
    return split_by_hash(utterances, options.dev, options.test, options.seed, whole)


def utterance_id(path: Path, root: Path) -> str:
    """The path below `root` without its suffix; spaces and control characters become `_`."""
    name = path.relative_to(root).with_suffix("").as_posix()
    return "".join(c if c.isprintable() and not c.isspace() else "_" for c in name)


def check_labels(labels: Iterable[str], unit: str, where: str) -> None:
    """Raise InputError for a label that an alphabet of this unit cannot hold."""
    for label in labels:
        if unit == "subword":
            raise InputError(
                f"{where}: labels are given, but unit = subword makes them from the text; leave "
                "them out"
            )
        fault = label_fault(label, unit)
        if fault and unit in JOINED:
            raise InputError(
                f"{where}: the labels are not single {unit}s; set their unit, for example with "
                "--set unit=phone"
            )
        if fault:
            raise InputError(f"{where}: label {label!r} {fault}")


def clean_text(text: str) -> str:
    """A transcript on one line: composed characters (Unicode NFC), single spaces between words."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass
class Measure:
    """Measures the duration of signals and collects their sampling rates; options as above."""

    options: Options
    rates: set[int] = field(default_factory=set)

    def seconds(self, path: Path, kind: Kind) -> float:
        """Duration of a signal, 0 of an image or a series; InputError for one that cannot be read.

        Raises InputError for another rate than that of the options.
        """
        if kind == "image":
            image.read_image(path)
            return 0.0
        if kind == "series":
            read_series(path)
            return 0.0
        if kind == "ink":
            return read_ink(path, self.options.times).duration
        return self.header(path).duration

    def header(self, path: Path) -> audio.AudioHeader:
        """The header of a recording; InputError when it is unreadable or has another rate."""
        header = audio.read_audio_header(path)
        wanted = self.options.rate
        if wanted and header.rate != wanted:
            raise InputError(
                f"{path}: {header.rate} samples per second, but rate = {wanted} is set; "
                f"convert it (ffmpeg -i IN -ar {wanted} OUT)"
            )
        self.rates.add(header.rate)
        return header


def kind_of(path: Path, wanted: Kind | Literal["any"] = "any") -> Kind | None:
    """The kind of signal that a file's name promises, None for none of them or none `wanted`.

    An array is ink unless a series is wanted.
    """
    suffix = path.suffix.lower()
    if wanted != "any":
        return wanted if suffix in SUFFIXES[wanted] else None
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)
