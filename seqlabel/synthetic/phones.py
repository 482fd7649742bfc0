"""Phonemes of espeak-ng as TIMIT's phones, with the closures of the stops split off.

The beginnings of phones are espeak's events. Two positions are measured in the clean signal: the
silence before a stop, which espeak assigns to the previous phoneme, and the burst after a voiced
closure.

Of the 61 symbols those for sounds that espeak lacks are unused: `ax-h`, `em`, `eng`, `hv`,
`nx` and `ux`.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from seqlabel.synthetic.espeak import RATE, Speech


class Phone(NamedTuple):
    """A phone in samples of the signal; word: number of its word, -1 for silence."""

    label: str
    begin: int
    end: int
    word: int


_PHONES = {
    # vowels
    "i:": "iy", "i": "iy", "I": "ih", "I#": "ix", "I2": "ix", "E": "eh", "E2": "eh", "a": "ae",
    "aa": "ae", "A:": "aa", "A": "aa", "0": "aa", "02": "aa", "O:": "ao", "O": "ao", "O2": "ao",
    "V": "ah", "U": "uh", "u:": "uw", "u": "uw", "eI": "ey", "aI": "ay", "aI2": "ay", "aU": "aw",
    "OI": "oy", "oU": "ow", "3:": "er", "IR": "er", "VR": "er", "3": "axr", "@": "ax", "@2": "ax",
    "@5": "ax", "a#": "ax",
    # vowel and r, or what a speaker without that r says
    "A@": "aa r", "O@": "ao r", "o@": "ao r", "e@": "eh r", "i@3": "ih r", "U@": "uh r",
    "aI3": "ay axr", "aU@": "aw axr", "aI@": "ay ax", "i@": "iy ax",
    # consonants
    "p": "p", "t": "t", "t2": "t", "k": "k", "b": "b", "d": "d", "g": "g", "tS": "ch", "dZ": "jh",
    "t#": "dx", "?": "q", "f": "f", "T": "th", "s": "s", "S": "sh", "h": "hh", "v": "v", "D": "dh",
    "z": "z", "Z": "zh", "m": "m", "n": "n", "N": "ng", "n-": "en", "l": "l", "l/": "l", "@L": "el",
    "r": "r", "r-": "r", "w": "w", "w#": "w", "j": "y",
}  # fmt: skip

_WITHOUT_R = {
    "A@": "aa", "O@": "ao", "o@": "ao", "e@": "eh ax", "i@3": "ih ax", "U@": "uh ax", "3": "ax",
    "aI3": "ay ax", "aU@": "aw ax",
}  # fmt: skip

_CLOSURES = {"p": "pcl", "t": "tcl", "k": "kcl", "b": "bcl", "d": "dcl", "g": "gcl",
             "ch": "tcl", "jh": "dcl"}  # fmt: skip

_TAKES_SILENCE = {*_CLOSURES, "dx", "q"}
"""Phones to which a silence before them belongs."""

_STRESS = "',%="
_SILENCE = ("_", "_:", "_::", "_!", "_|", "||")
_MARKS = (";",)  # colours a neighbour, has no sound of its own

_GAP = RATE * 8 // 1000  # a shorter silence belongs to the phone that it ends
_EPENTHETIC = RATE * 20 // 1000  # from here on a silence has a label: `epi`,
_PAUSE = RATE * 60 // 1000  # from here on `pau`


def timit_phones(speech: Speech, rhotic: bool = True) -> list[Phone]:
    """The phones of a sentence, contiguous from the first sound to the end, silences `pau`.

    rhotic: whether the voice says the r of `car`. Raises KeyError for an unknown phoneme.
    """
    table = _PHONES if rhotic else _PHONES | _WITHOUT_R
    spans = _spans(speech)
    quiet = np.abs(speech.samples.astype(np.int32)) * 200 <= np.abs(speech.samples).max()
    phones: list[Phone] = []
    for number, (mnemonic, begin, end, word) in enumerate(spans):
        if mnemonic in _SILENCE:
            phones.append(Phone("pau", begin, end, -1))
            continue
        labels = table[mnemonic].split()
        follower = spans[number + 1][0] if number + 1 < len(spans) else ""
        if labels[-1] == "r" and len(labels) == 2 and follower in ("r", "r-"):
            labels.pop()  # the r is a phoneme of its own
        gap = begin
        if phones and phones[-1].label != "pau":
            gap -= _quiet_tail(quiet[phones[-1].begin : begin])
            if labels[0] not in _TAKES_SILENCE and begin - gap < _EPENTHETIC:
                gap = begin
            phones[-1] = phones[-1]._replace(end=gap)
        if labels[0] in _CLOSURES:
            tail = _quiet_tail(quiet[begin:end])
            burst = begin
            if begin - gap < 2 * _GAP:
                burst = _burst(speech.samples, begin, end - tail) or begin
            if burst > gap:
                phones.append(Phone(_CLOSURES[labels[0]], gap, burst, word))
            begin = burst
        elif labels[0] in _TAKES_SILENCE:
            begin = gap
        elif gap < begin:
            label = "pau" if begin - gap >= _PAUSE else "epi"
            phones.append(Phone(label, gap, begin, -1))
        edges = np.linspace(begin, end, len(labels) + 1).astype(int).tolist()
        phones += [Phone(*item, word) for item in zip(labels, edges, edges[1:], strict=False)]
    return _joined([phone for phone in phones if phone.end > phone.begin])


def _spans(speech: Speech) -> list[tuple[str, int, int, int]]:
    """Mnemonic without stress, begin, end and word of each phoneme."""
    starts = []
    word = -1
    for event in speech.events:
        name = event.phoneme.lstrip(_STRESS)
        if not event.phoneme:
            word += 1
        elif name not in _MARKS:
            starts.append((name, min(event.sample, len(speech.samples)), word))
    starts.append(("", len(speech.samples), -1))
    return [(name, begin, end, word) for (name, begin, word), (_, end, _) in pairwise(starts)]


def _quiet_tail(quiet: np.ndarray) -> int:
    """Length of the silence that ends a stretch; 0 when it is too short to be one."""
    loud = np.flatnonzero(~quiet)
    tail = len(quiet) - (int(loud[-1]) + 1 if len(loud) else 0)
    return tail if tail >= _GAP else 0


def _burst(samples: np.ndarray, begin: int, end: int) -> int | None:
    """Where a closure of the stop in begin..end is released, None when all of it is release.

    The step that fits the level of the high frequencies (second difference) best, if it rises by
    8 dB: a voiced closure hums, a burst hisses.
    """
    hop, window = RATE // 1000, 4 * RATE // 1000
    if end - begin < 4 * window:
        return None
    energy = np.diff(samples[begin:end].astype(np.float64), n=2) ** 2
    sums = np.concatenate([[0.0], np.cumsum(energy)])
    starts = np.arange(0, len(energy) - window + 1, hop)
    level = 10 * np.log10((sums[starts + window] - sums[starts]) / window + 100.0)
    best, rise = 0.0, None
    for step in range(5, len(level) - 5):
        difference = level[step:].mean() - level[:step].mean()
        weight = difference * np.sqrt(step * (len(level) - step)) / len(level)
        if difference >= 8 and weight > best:
            best, rise = weight, step
    return None if rise is None else begin + int(starts[rise]) + window // 2


def _joined(phones: list[Phone]) -> list[Phone]:
    """Neighbouring silences as one pause."""
    joined: list[Phone] = []
    for phone in phones:
        if joined and joined[-1].word == phone.word == -1:
            joined[-1] = Phone("pau", joined[-1].begin, phone.end, -1)
        else:
            joined.append(phone)
    return joined
