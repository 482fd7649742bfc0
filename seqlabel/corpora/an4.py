"""AN4, the CMU census database: spelled names, numbers and commands.

Layout: `etc/an4_{train,test}.fileids` (`an4_clstk/fash/an251-fash-b`), `etc/an4_*.transcription`
(`<s> YES </s> (an251-fash-b)`, in the test file without `<s>`), `etc/an4.dic`, and the audio as
`wav/<file id>.wav` (or `.sph` in the older distribution). Licence: BSD style, any purpose.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.folders import find_folder
from seqlabel.corpora.labelling import with_subwords
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, SkipBad, common_rate
from seqlabel.errors import InputError
from seqlabel.files import is_file, read_text
from seqlabel.inputs.audio import read_audio_header

DEV_SPEAKERS = ("fbbh", "fkai", "fsrb", "mcel", "mdxn", "mjda", "mmal", "mscg2")
"""Eight of the 74 training speakers, every ninth by name; the corpus itself has no dev set."""


@dataclass(frozen=True)
class Options:
    """unit: of the labels; phones are those of the first pronunciation in the dictionary. subwords:
    number of subwords.

    levels: lower levels of labels, the finest first, for `criterion.kind = "levels"`.
    dev_speakers: training speakers held out as the dev set.
    skip_bad: leave out unusable files and name them, instead of stopping at the first.
    """

    unit: Literal["character", "phone", "word", "subword"] = "character"
    subwords: int = 60
    levels: tuple[Literal["character", "phone"], ...] = ()
    dev_speakers: tuple[str, ...] = DEV_SPEAKERS
    skip_bad: bool = False

    def __post_init__(self) -> None:
        if self.levels and (self.unit != "word" or len(set(self.levels)) < len(self.levels)):
            raise InputError(
                f"levels = {list(self.levels)}: each at most once, and only with unit = 'word'"
            )


def prepare(source: Path, options: Options) -> Prepared:
    """The official split: train (without the dev speakers), dev, test.

    The alphabet is A-Z and the space, the dictionary's phones, or its words. Raises InputError for
    a folder that is not AN4, for lists and transcripts that disagree, and for unusable audio.
    """
    root = find_folder(source, {"etc", "wav"}.issubset, "AN4 (etc/ and wav/)")
    pronunciations = _read_dictionary(root / "etc" / "an4.dic")
    skip = SkipBad(options.skip_bad)
    rates: list[int] = []

    def read(entry: tuple[str, str]) -> Utterance:
        file_id, text = entry
        path = _audio_file(root / "wav", file_id)
        header = read_audio_header(path)
        rates.append(header.rate)
        return Utterance(
            id=file_id.rsplit("/", 1)[-1],
            source=path,
            kind="speech",
            labels=_labels(text, options.unit, pronunciations, file_id),
            levels={u: _labels(text, u, pronunciations, file_id) for u in options.levels},
            text=text,
            speaker=file_id.split("/")[-2],
            duration=header.duration,
            tags={"sex": file_id.split("/")[-2][0]},
        )

    train = list(skip.read_each(_entries(root, "train"), read))
    test = list(skip.read_each(_entries(root, "test"), read))
    missing = set(options.dev_speakers) - {utterance.speaker for utterance in train}
    if missing:
        raise InputError(f"{source}: dev speaker {min(missing)} is not a training speaker of AN4")
    splits = {
        "train": [u for u in train if u.speaker not in options.dev_speakers],
        "dev": [u for u in train if u.speaker in options.dev_speakers],
        "test": test,
    }
    if options.unit == "subword":
        splits, alphabet = with_subwords(splits, options.subwords)
    else:
        alphabet = Alphabet(
            _symbols(options.unit, pronunciations),
            options.unit,
            [(u, Alphabet(_symbols(u, pronunciations), u)) for u in options.levels],
        )
    return Prepared(
        corpus="an4",
        kind="speech",
        alphabet=alphabet,
        splits=splits,
        skipped=skip.reasons,
        rate=common_rate(rates),
    )


def _entries(root: Path, name: str) -> list[tuple[str, tuple[str, str]]]:
    """(utterance id, (file id, text)) of a set, in the order of its list."""
    lists = root / "etc" / f"an4_{name}.fileids", root / "etc" / f"an4_{name}.transcription"
    file_ids = read_text(lists[0]).split()
    lines = read_text(lists[1]).splitlines()
    if len(file_ids) != len(lines):
        raise InputError(
            f"{lists[1]}: {len(lines)} transcripts for {len(file_ids)} files of {lists[0].name}; "
            "get a clean copy"
        )
    entries = []
    for number, (file_id, line) in enumerate(zip(file_ids, lines, strict=True), 1):
        match = re.fullmatch(r"(?:<s>)?(.*?)(?:</s>)?\s*\(([^()]+)\)\s*", line)
        parts = file_id.split("/")
        if match is None or len(parts) < 2 or match[2] != parts[-1]:
            raise InputError(
                f"{lists[1]}:{number}: expected the transcript of {file_id}, found {line!r}"
            )
        entries.append((parts[-1], (file_id, " ".join(match[1].split()))))
    return entries


def _audio_file(folder: Path, file_id: str) -> Path:
    for suffix in (".wav", ".sph"):
        path = folder / f"{file_id}{suffix}"
        if is_file(path):
            return path
    raise InputError(f"{folder / file_id}.wav: no such audio file; unpack the whole corpus")


def _read_dictionary(path: Path) -> dict[str, tuple[str, ...]]:
    """Word -> phones of its first pronunciation (alternatives are written `WORD(2)`)."""
    pronunciations: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        word, *phones = line.split() or [""]
        if word and not phones:
            raise InputError(f"{path}:{number}: word {word!r} without phones")
        if word and not re.fullmatch(r".+\(\d+\)", word):
            pronunciations.setdefault(word, tuple(phones))
    return pronunciations


def _labels(
    text: str, unit: str, pronunciations: dict[str, tuple[str, ...]], file_id: str
) -> tuple[str, ...]:
    if unit == "character":
        return tuple(text)
    if unit == "subword":
        return ()  # once all texts are known
    words = text.split()
    unknown = [word for word in words if word not in pronunciations]
    if unknown:
        raise InputError(f"{file_id}: word {unknown[0]!r} is not in etc/an4.dic")
    if unit == "word":
        return tuple(words)
    return tuple(phone for word in words for phone in pronunciations[word])


def _symbols(unit: str, pronunciations: dict[str, tuple[str, ...]]) -> list[str]:
    if unit == "character":
        return list(" ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if unit == "word":
        return sorted(pronunciations)
    return sorted({p for phones in pronunciations.values() for p in phones})
