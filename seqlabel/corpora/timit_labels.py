"""TIMIT's label files: lines `begin end label`, positions in samples.

Phones follow one another without overlap; words may overlap and leave gaps. Ends past the audio by
up to 10 ms occur and are cut; in `.TXT` files the end is often one sample too large and not used.
"""

import logging
from pathlib import Path

from seqlabel.alphabet.phones import TO_39
from seqlabel.corpora.manifest import Segment
from seqlabel.errors import InputError
from seqlabel.files import read_text

log = logging.getLogger("seqlabel")

_SLACK = 0.010  # seconds


def read_phones(path: Path, rate: int, samples: int) -> tuple[Segment, ...]:
    """The phones of a `.PHN` file, times in seconds.

    rate: samples per second. samples: length of the audio. Raises InputError for malformed lines,
    symbols that are not among the 61, phones that overlap or are out of order, and ends more than
    10 ms past the audio; smaller ones are cut, with a warning.
    """
    phones = []
    previous = 0
    for number, begin, end, label in _lines(path):
        if label not in TO_39:
            raise InputError(
                f"{path}:{number}: {label!r} is not one of TIMIT's 61 phones; correct it"
            )
        if begin < previous or end <= begin:
            raise InputError(
                f"{path}:{number}: {begin} to {end} after {previous}: phones out of order; get a "
                "clean copy"
            )
        previous = end
        if end > samples:
            if end - samples > _SLACK * rate or begin >= samples:
                raise InputError(
                    f"{path}:{number}: ends at sample {end}, past the {samples} samples of the "
                    "audio; get a clean copy of both"
                )
            log.warning("%s:%d: ends %d samples past the audio; cut", path, number, end - samples)
            end = samples
        phones.append(Segment(label, begin / rate, end / rate))
    if not phones:
        raise InputError(f"{path}: no phones; get a clean copy")
    return tuple(phones)


def read_words(path: Path, rate: int, samples: int) -> tuple[Segment, ...]:
    """The words of a `.WRD` file, times in seconds; those of zero length are left out."""
    words = []
    for number, begin, end, label in _lines(path):
        end = min(end, samples)
        if begin < end:
            words.append(Segment(label, begin / rate, end / rate))
        else:
            log.warning("%s:%d: word %r of zero length; left out", path, number, label)
    return tuple(words)


def read_sentence(path: Path) -> str:
    """The sentence of a `.TXT` file, without the sample positions before it."""
    sentences = [label for _, _, _, label in _lines(path)]
    if len(sentences) != 1:
        raise InputError(f"{path}: {len(sentences)} lines; expected one line: 0 END TEXT")
    return sentences[0]


def _lines(path: Path) -> list[tuple[int, int, int, str]]:
    """(line number, begin, end, label) of the non-empty lines."""
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.split(maxsplit=2)
        if not fields:
            continue
        try:
            begin, end = int(fields[0]), int(fields[1])
            rows.append((number, begin, end, fields[2].rstrip()))
        except (IndexError, ValueError):
            raise InputError(
                f"{path}:{number}: {line.strip()!r}; expected: BEGIN END LABEL, in samples"
            ) from None
    return rows
