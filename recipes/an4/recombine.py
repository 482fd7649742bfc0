"""New training utterances from the words of old ones.

    python recipes/an4/recombine.py DATA OUT [--count 2000] [--seed 1] [--model an4]

DATA is a folder of `seqlabel prepare an4` with characters as labels. Its training utterances are
aligned with a model and cut in the pauses between words. Words of one speaker, drawn at random, are
joined to new utterances of two to eight words, as many as those of the training set have, between
silences with which utterances of the speaker begin and end. OUT is a folder of the same kind: its
training set has the old utterances and the new ones (OUT/wav), the other sets are those of DATA.
All of it is written or nothing, and never over other files.

Only the training set is aligned and cut, and the model should have seen no other. The model `an4`
that comes with the package was trained on the default training set; the dev set chose its epoch.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli.failures import run_command
from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.corpora.prepared import Prepared, common_rate
from seqlabel.decoding import Span
from seqlabel.decoding.alignment import align, word_spans
from seqlabel.errors import InputError
from seqlabel.files import fingerprint, read_json
from seqlabel.inputs import read_audio
from seqlabel.inputs.audio import read_audio_header
from seqlabel.progress import progress_bar
from seqlabel.recognizer import Recognizer
from seqlabel.synthetic.folder import write_once

FEWEST, MOST = 2, 8
"""Words of a new utterance."""
SURE = 0.5
"""Least probability of all words of an utterance that is cut."""
WINDOW, HOP = 0.02, 0.005
"""Seconds over which the power is measured to find a pause, and between two measurements."""
PAUSE = 6.0
"""A pause has at most so many dB more than the quietest window between two words."""
SILENCE = 0.1
"""Least seconds of a silence at the beginning or end of a new utterance."""
FADE = 0.008
"""Seconds in which a sound is faded into the next."""


class Word(NamedTuple):
    """A word and its samples, with a part of the pauses around it."""

    text: str
    samples: np.ndarray


class Speaker(NamedTuple):
    """The words of a speaker, the silences before and after utterances, and their tags."""

    words: list[Word]
    before: list[np.ndarray]
    after: list[np.ndarray]
    tags: dict[str, str]


def quiet_windows(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """First samples of the windows of a sound, and whether each is quiet."""
    window, hop = int(WINDOW * rate), max(1, int(HOP * rate))
    sums = np.cumsum(np.concatenate([[0.0], samples.astype(np.float64) ** 2]))
    starts = np.arange(0, len(samples) - window + 1, hop)
    power = np.maximum(sums[starts + window] - sums[starts], 1e-12)
    return starts, power <= power.min(initial=np.inf) * 10 ** (PAUSE / 10)


def pause_between(samples: np.ndarray, rate: int, first: float, last: float) -> int:
    """Sample in the middle of the longest pause between `first` and `last` seconds.

    The spans of an alignment are narrower than what is spoken, so that the middle between two words
    may lie within one of them.
    """
    begin, end = int(first * rate), min(int(last * rate), len(samples))
    starts, quiet = quiet_windows(samples[begin:end], rate)
    if not len(starts):
        return (begin + end) // 2
    borders = np.flatnonzero(np.diff(np.concatenate([[0], quiet.view(np.int8), [0]])))
    runs = borders.reshape(-1, 2)  # first and behind the last quiet window
    a, b = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return begin + int(starts[a] + starts[b - 1] + int(WINDOW * rate)) // 2


def silences(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The samples before the first and after the last window of an utterance that is not quiet."""
    starts, quiet = quiet_windows(samples, rate)
    loud = starts[~quiet]
    if not len(loud):
        return samples[:0], samples[:0]
    return samples[: loud[0]], samples[loud[-1] + int(WINDOW * rate) :]


def cut_words(samples: np.ndarray, rate: int, spans: Sequence[Span]) -> list[Word]:
    """The words of an utterance; together their samples are all of it."""
    cuts = [pause_between(samples, rate, a.end, b.start) for a, b in pairwise(spans)]
    edges = pairwise([0, *cuts, len(samples)])
    return [Word(span.label, samples[a:b]) for span, (a, b) in zip(spans, edges, strict=True)]


def join(pieces: Sequence[np.ndarray], rate: int) -> np.ndarray:
    """Sounds one after the other, each faded into the next with constant power."""
    sound = pieces[0].astype(np.float32)
    for piece in pieces[1:]:
        fade = min(int(FADE * rate), len(sound), len(piece))
        angle = (np.arange(fade, dtype=np.float32) + 0.5) * (np.pi / 2 / max(fade, 1))
        both = sound[len(sound) - fade :] * np.cos(angle) + piece[:fade] * np.sin(angle)
        sound = np.concatenate([sound[: len(sound) - fade], both, piece[fade:]])
    return sound


def aligned(
    model: Recognizer, utterances: Sequence[Utterance], rate: int
) -> Iterator[tuple[Utterance, np.ndarray, list[Word]]]:
    """Each utterance, its samples and its words, without those that the model doubts."""
    outputs = progress_bar(model.outputs(utterances), "aligning", len(utterances))
    for utterance, output in outputs:
        log_probs = output.log_probs
        try:
            found = align(log_probs, utterance.labels, model.alphabet, utterance.id)
        except InputError:
            continue
        spans = word_spans(found.with_times(output.times.tolist(), output.period).spans)
        if spans and min(span.probability for span in spans) >= SURE:
            audio = read_audio(
                utterance.source, rate, utterance.channel, start=utterance.start, end=utterance.end
            )
            yield utterance, audio.samples, cut_words(audio.samples, rate, spans)


def by_speaker(
    cut: Iterable[tuple[Utterance, np.ndarray, list[Word]]], rate: int
) -> dict[str, Speaker]:
    """The words and silences of all speakers of whom there are words for a new utterance."""
    found: dict[str, Speaker] = {}
    for utterance, samples, words in cut:
        own = found.setdefault(utterance.speaker, Speaker([], [], [], dict(utterance.tags)))
        own.words.extend(words)
        for silence, known in zip(silences(samples, rate), own[1:3], strict=True):
            if len(silence) >= SILENCE * rate:
                known.append(silence)
    return {name: own for name, own in found.items() if len(own.words) >= FEWEST}


def counts_of(utterances: Sequence[Utterance]) -> list[int]:
    """Numbers of words of the utterances that have as many as a new one may have."""
    counts = [u.labels.count(" ") + 1 for u in utterances]
    return [count for count in counts if FEWEST <= count <= MOST]


def recombined(
    speakers: Mapping[str, Speaker], counts: Sequence[int], rng: np.random.Generator
) -> tuple[str, list[Word]]:
    """A speaker, the more often the more words there are, and words that are all different cuts."""
    names = list(speakers)
    sizes = np.array([len(speakers[name].words) for name in names])
    name = names[int(rng.choice(len(names), p=sizes / sizes.sum()))]
    own = speakers[name].words
    count = min(counts[rng.integers(len(counts))], len(own))
    return name, [own[n] for n in rng.choice(len(own), count, replace=False)]


def between_silences(
    words: Sequence[Word], speaker: Speaker, rng: np.random.Generator
) -> list[np.ndarray]:
    """The samples of words, after a silence of the speaker and before one, where there are any."""
    pieces = [word.samples for word in words]
    if speaker.before:
        pieces.insert(0, speaker.before[rng.integers(len(speaker.before))])
    if speaker.after:
        pieces.append(speaker.after[rng.integers(len(speaker.after))])
    return pieces


def load_data(data: Path) -> tuple[dict[str, list[Utterance]], Alphabet, str]:
    """The sets of a prepared folder, its alphabet, and the name of the corpus."""
    facts = read_json(data / "corpus.json")
    counts = facts.get("counts") if isinstance(facts, dict) else None
    if not isinstance(counts, dict) or "train" not in counts or facts.get("kind") != "speech":
        raise InputError(f"{data}: not a folder of prepared speech; run seqlabel prepare an4")
    alphabet = Alphabet.load(data / "alphabet.json")
    if alphabet.unit != "character" or " " not in alphabet or alphabet.levels:
        raise InputError(
            f"{data}: the labels are not characters with spaces; prepare it with unit = 'character'"
        )
    sets = {name: read_manifest(data / f"{name}.jsonl") for name in counts if name.isidentifier()}
    for utterance in sets["train"]:
        if not utterance.speaker:
            raise InputError(
                f"{data / 'train.jsonl'}: {utterance.id} names no speaker; words are joined of one "
                "speaker only"
            )
    return sets, alphabet, str(facts.get("corpus", "an4"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of seqlabel prepare")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for old and new utterances")
    parser.add_argument("--count", type=int, default=2000, help="new utterances (2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--model", default="an4", metavar="EXP", help="model that aligns, of characters (an4)"
    )
    options = parser.parse_args()
    if options.count < 1 or options.seed < 0:
        parser.error("--count from 1 on and --seed from 0 on are needed")
    sets, alphabet, corpus = load_data(options.data)
    train = sets["train"]

    def write_all(folder: Path) -> None:
        model = seqlabel.load(options.model)
        if model.alphabet != alphabet:
            raise InputError(f"{options.model}: does not read the labels of {options.data}")
        rate = read_audio_header(train[0].source).rate
        cut = list(aligned(model, train, rate))
        speakers, counts = by_speaker(cut, rate), counts_of(train)
        if not speakers or not counts:
            raise InputError(
                f"{options.data}: no speaker with two words that could be aligned; take a better "
                "--model"
            )
        (folder / "wav").mkdir()
        new = []
        for n in progress_bar(range(options.count), "writing"):
            rng = np.random.default_rng([options.seed, n])
            speaker, words = recombined(speakers, counts, rng)
            sound = join(between_silences(words, speakers[speaker], rng), rate)
            text = " ".join(word.text for word in words)
            path = folder / "wav" / f"{n:05}.wav"
            soundfile.write(path, np.rint(sound * 32768).clip(-32768, 32767).astype("i2"), rate)
            new.append(
                Utterance(
                    id=f"recombined-{n:05}",
                    source=path,
                    kind="speech",
                    labels=tuple(text),
                    text=text,
                    speaker=speaker,
                    duration=len(sound) / rate,
                    tags=speakers[speaker].tags,
                )
            )
        note = f"{options.count} training utterances recombined from words of {len(cut)} others"
        splits = {**sets, "train": [*train, *new]}
        rates = [read_audio_header(u.source).rate for us in splits.values() for u in us]
        prepared = Prepared(
            corpus, "speech", alphabet, splits, notes=(note,), rate=common_rate(rates)
        )
        prepared.save(folder)
        count = sum(len(own.words) for own in speakers.values())
        print(
            f"{options.out}: {options.count} new utterances from {count} words of {len(speakers)} "
            f"speakers; {len(train) - len(cut)} of {len(train)} utterances could not be cut"
        )

    wanted = {
        "data": str(options.data.resolve()),
        "train": fingerprint(f"{u.id} {u.source}" for u in train),
        "model": str(options.model),
        "count": options.count,
        "seed": options.seed,
    }
    if not write_once(options.out, wanted, write_all):
        print(f"{options.out}: there already", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command("recombine.py", main))
