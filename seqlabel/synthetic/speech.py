"""A synthetic corpus of speech in the layout of TIMIT.

    TRAIN/DR1/FABC0/SX1.WAV .PHN .WRD .TXT ...    NIST SPHERE, 16 kHz; label files in samples
    TEST/DR1/...                                  the speakers of the dev and the test set
    speakers.toml                                 the speakers of each set: for `seqlabel prepare
    --config` synth.json                                    the options; the same options, the same
    bytes

No speaker and no sentence is in two sets, and no variant of espeak's voices is both in TRAIN and in
TEST, as long as there are enough of them.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from seqlabel.errors import InputError
from seqlabel.inputs.resampling import SHORT, resample
from seqlabel.inputs.sphere import write_sphere
from seqlabel.progress import progress_bar
from seqlabel.synthetic.espeak import Speech, Voice, speak
from seqlabel.synthetic.folder import write_once
from seqlabel.synthetic.grammar import random_sentence
from seqlabel.synthetic.phones import Phone, timit_phones
from seqlabel.synthetic.room import Room, random_room, record

FORMAT = 1
"""Changes whenever the same options would give another corpus."""

RATE = 16000

SETS = ("train", "dev", "test")

_REGIONS = (
    ("en-us", True), ("en-gb-scotland", True), ("en-us", True), ("en-gb-x-rp", False),
    ("en-us", True), ("en-us", True), ("en-us", True), ("en", False),
)  # fmt: skip
"""DR1 to DR8: espeak's accent, and whether it has the r of `car`."""

_VARIANTS = {
    "F": ["f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "anika", "belinda", "linda",
          "steph"],
    "M": ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex", "Andy", "Gene", "Lee", "Mario",
          "Michael", "john", "max"],
}  # fmt: skip

_ASSUMED_RATES = (20000, 21000, 22000, 22050, 23000, 24000)
"""Assumed rates of espeak's samples: a factor of 0.91 to 1.09 on all formants and the pitch, for
shorter and longer vocal tracts. Round numbers resample to 16 kHz at little cost."""

_LETTERS = "ABCDEFGHJKLMNPRSTVW"


@dataclass(frozen=True)
class SpeechCorpus:
    """Options of a corpus: speakers of the training, dev and test set, sentences of each."""

    speakers: tuple[int, int, int] = (40, 5, 10)
    sentences: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.speakers) < 1 or self.sentences < 1:
            raise InputError("speakers and sentences must be at least 1 in every set")


@dataclass(frozen=True)
class _Speaker:
    id: str
    region: int
    voice: Voice
    rhotic: bool
    assumed_rate: int
    room: Room


def write_corpus(out: Path, options: SpeechCorpus) -> bool:
    """Write the corpus to the folder `out`, whole or not at all; False if it is already there.

    Raises InputError if `out` has anything else, and without the extra `synth`.
    """
    wanted = {"format": FORMAT, **asdict(options), "speakers": list(options.speakers)}
    return write_once(out, wanted, lambda folder: _write(folder, options))


def _write(folder: Path, options: SpeechCorpus) -> None:
    sets = _speakers(options)
    speakers = [speaker for name in SETS for speaker in sets[name]]
    new_sentence = _new_sentences(np.random.default_rng([options.seed, 0x2A]))
    texts = [[next(new_sentence) for _ in range(options.sentences)] for _ in speakers]

    def write(number: int) -> None:
        speaker = speakers[number]
        top = "TRAIN" if speaker in sets["train"] else "TEST"
        place = folder / top / f"DR{speaker.region}" / speaker.id
        place.mkdir(parents=True)
        first = number * options.sentences + 1
        spoken = speak(speaker.voice, texts[number])
        for index, (text, speech) in enumerate(zip(texts[number], spoken, strict=True)):
            # five of eight sentences are SX in TIMIT, three SI
            name = f"{'SX' if index % 8 < 5 else 'SI'}{first + index}"
            rng = np.random.default_rng([options.seed, 0x2B, first + index])
            _write_utterance(place / name, text, speech, speaker, rng)

    with ThreadPoolExecutor(2) as pool:  # one voice is written while the next one is synthesised
        for _ in progress_bar(pool.map(write, range(len(speakers))), "voices", len(speakers)):
            pass
    lists = {name: ", ".join(f'"{s.id}"' for s in sets[name]) for name in ("dev", "test")}
    (folder / "speakers.toml").write_text(
        "# Speakers of the dev and the test set; all of TRAIN is for training.\n"
        f"[speakers]\ndev = [{lists['dev']}]\ntest = [{lists['test']}]\n",
        encoding="ascii",
    )


def _new_sentences(rng: np.random.Generator) -> Iterator[str]:
    """Sentences, each only once."""
    used: set[str] = set()
    while True:
        text = random_sentence(rng)
        if text not in used:
            used.add(text)
            yield text


def _speakers(options: SpeechCorpus) -> dict[str, list[_Speaker]]:
    """The speakers of each set: a third of them women, as in TIMIT, and regions in turn."""
    rng = np.random.default_rng([options.seed, 0x2C])
    variants = {sex: [str(v) for v in rng.permutation(_VARIANTS[sex])] for sex in "FM"}
    sets: dict[str, list[_Speaker]] = {}
    taken: set[str] = set()
    for name, count in zip(SETS, options.speakers, strict=True):
        sets[name] = []
        for number in range(count):
            sex = "F" if number % 3 == 1 else "M"
            held_out = len(variants[sex]) // 3
            own = variants[sex][held_out:] if name == "train" else variants[sex][:held_out]
            while (speaker_id := f"{sex}{''.join(rng.choice(list(_LETTERS), 3))}0") in taken:
                pass
            taken.add(speaker_id)
            accent, rhotic = _REGIONS[number % 8]
            voice = Voice(
                name=f"{accent}+{own[rng.integers(len(own))]}",
                rate=int(rng.integers(130, 216)),
                pitch=int(rng.integers(30, 71)),
                range=int(rng.integers(30, 71)),
            )
            assumed_rate = int(rng.choice(_ASSUMED_RATES))
            speaker = _Speaker(
                speaker_id, number % 8 + 1, voice, rhotic, assumed_rate, random_room(rng)
            )
            sets[name].append(speaker)
    return sets


def _write_utterance(
    stem: Path,
    text: str,
    speech: Speech,
    speaker: _Speaker,
    rng: np.random.Generator,
) -> None:
    before, after = rng.integers(int(0.1 * RATE), int(0.3 * RATE), 2).tolist()
    samples = speech.samples.astype(np.float32)
    sound = np.pad(resample(samples, speaker.assumed_rate, RATE, SHORT), (before, after))
    write_sphere(stem.with_suffix(".WAV"), record(sound, RATE, speaker.room, rng), RATE)

    def position(sample: int) -> int:
        return before + round(sample * RATE / speaker.assumed_rate)

    spoken = timit_phones(speech, speaker.rhotic)
    while spoken[-1].word == -1:
        spoken.pop()
    phones = [
        Phone(label, position(begin), position(end), word) for label, begin, end, word in spoken
    ]
    begin, end = phones[0].begin, phones[-1].end
    lines = [("h#", 0, begin), *(phone[:3] for phone in phones), ("h#", end, len(sound))]
    _write_lines(stem.with_suffix(".PHN"), lines)
    _write_lines(stem.with_suffix(".WRD"), _words(text, speech, phones))
    _write_lines(stem.with_suffix(".TXT"), [(text, 0, len(sound))])


def _words(text: str, speech: Speech, phones: list[Phone]) -> Iterator[tuple[str, int, int]]:
    """Words as in the text, in lower case; two that espeak joins (`of the`) stay one."""
    starts = [event.text for event in speech.events if not event.phoneme]
    for number, (begin, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True)):
        own = [phone for phone in phones if phone.word == number]
        if own:
            word = "".join(c for c in text[begin:end].lower() if c.isalpha() or c in "' ")
            yield word.strip(), own[0].begin, own[-1].end


def _write_lines(
    path: Path, lines: "Iterator[tuple[str, int, int]] | list[tuple[str, int, int]]"
) -> None:
    text = "".join(f"{begin} {end} {label}\n" for label, begin, end in lines)
    path.write_text(text, encoding="ascii")
