"""TIMIT in three common layouts, and corpora written in its layout.

    TIMIT/TRAIN/DR1/FCJF0/SA1.{WAV,PHN,WRD,TXT}   as on the LDC disc, in any letter case
    data/TRAIN/DR1/FCJF0/SA1.WAV SA1.WAV.wav ...   the copy with two audio files per utterance
    timit/dr1-fvmh0/sa1.{wav,phn,wrd,txt}          the NLTK sample, without TRAIN and TEST

The two SA sentences, which every speaker reads, are left out. Labels are always the 61 symbols;
they are folded when they are scored.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlabel.alphabet import Alphabet
from seqlabel.alphabet.phones import PHONES_61, TO_39, fold
from seqlabel.corpora.folders import find_folder
from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.prepared import Prepared, SkipBad, common_rate, shared_speakers
from seqlabel.corpora.timit_labels import read_phones, read_sentence, read_words
from seqlabel.corpora.timit_speakers import CORE_TEST, DEV, TOKENS_39, UTTERANCES
from seqlabel.errors import InputError
from seqlabel.inputs.audio import read_audio_header

_AUDIO = (".wav", ".sph", ".flac")


@dataclass(frozen=True)
class Speakers:
    """Speakers of each set, in any letter case.

    An empty `train` means all speakers outside TEST that are in no other set, an empty `test` all
    of TEST but the dev speakers, an empty `dev` no dev set.
    """

    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """speakers: lists for a sample or another corpus in TIMIT's layout; without them the standard
        lists are used, and the sizes of their sets checked.
    keep_sa: keep the SA sentences (not the usual protocol, since they occur in all sets).
    skip_bad: leave out unusable files and name them, instead of stopping at the first.
    """

    speakers: Speakers | None = None
    keep_sa: bool = False
    skip_bad: bool = False


@dataclass(frozen=True)
class _Recording:
    """Files of one utterance: by suffix, lower case; `audio` is one of them."""

    speaker: str
    name: str
    region: str
    subset: str
    audio: Path
    files: dict[str, Path]

    @property
    def id(self) -> str:
        return f"{self.speaker}_{self.name}"


def prepare(source: Path, options: Options) -> Prepared:
    """Train, dev and core test (or the sets of `options.speakers`), phones and words with times.

    Raises InputError for a folder that is not TIMIT, for an incomplete standard set, a listed
    speaker who is absent or in two sets, and for unusable audio and label files.
    """
    root = find_folder(source, _looks_like_timit, "TIMIT (TRAIN/ and TEST/, or dr1-fvmh0/ ...)")
    recordings = sorted(_recordings(root), key=lambda recording: recording.id)
    if not options.keep_sa:
        recordings = [r for r in recordings if not r.name.startswith("SA")]
    if not recordings:
        raise InputError(f"{root}: no utterance with audio and a .PHN file")
    sets = _assign(recordings, options.speakers, root)
    skip = SkipBad(options.skip_bad)
    rates: list[int] = []

    def read(recording: _Recording) -> Utterance:
        header = read_audio_header(recording.audio)
        rates.append(header.rate)
        return _utterance(recording, header.rate, header.frames)

    splits = {
        name: list(skip.read_each([(recording.id, recording) for recording in members], read))
        for name, members in sets.items()
    }
    shared = shared_speakers(splits)
    if shared:
        raise InputError(f"timit: {shared[0]}; correct the lists of speakers")
    notes = []
    if options.speakers is None and not options.keep_sa:
        notes = _check_sizes(splits)
        if notes and not skip.reasons:
            raise InputError(
                f"{root}: {notes[0]}; get a complete copy, or name the speakers of a sample"
            )
    return Prepared(
        corpus="timit",
        kind="speech",
        alphabet=Alphabet(PHONES_61, unit="phone"),
        splits=splits,
        skipped=skip.reasons,
        notes=tuple(notes),
        rate=common_rate(rates),
    )


def _looks_like_timit(names: set[str]) -> bool:
    return bool(names & {"train", "test"}) or any(re.match(r"dr[1-8](-|$)", name) for name in names)


def _recordings(root: Path) -> Iterator[_Recording]:
    """All utterances below `root`, each once, with names in any letter case."""
    for folder, _, names in os.walk(root):
        utterances: dict[str, list[str]] = {}
        for name in names:
            utterances.setdefault(name.split(".")[0].upper(), []).append(name)
        for utterance, group in utterances.items():
            files = {os.path.splitext(name)[1].lower(): Path(folder, name) for name in group}
            audio = [name for name in group if os.path.splitext(name)[1].lower() in _AUDIO]
            if not re.fullmatch(r"S[AIX]\d+", utterance) or not (audio or ".phn" in files):
                continue
            if not audio:
                raise InputError(f"{files['.phn']}: no audio file beside it")
            parts = [
                root.name.lower(),
                *Path(folder).relative_to(root).as_posix().lower().split("/"),
            ]
            yield _Recording(
                speaker=parts[-1].rpartition("-")[2].upper(),
                name=utterance,
                region=next((p[:3].upper() for p in parts if re.match(r"dr[1-8]", p)), ""),
                subset=next((part for part in parts if part in ("train", "test")), ""),
                audio=Path(folder, min(audio, key=len)),  # SA1.WAV before SA1.WAV.wav
                files=files,
            )


def _assign(
    recordings: list[_Recording], speakers: Speakers | None, root: Path
) -> dict[str, list[_Recording]]:
    """Recordings of each set."""
    subset = {recording.speaker: recording.subset for recording in recordings}
    if speakers is None:
        if not {name.upper() for name in CORE_TEST} & subset.keys():
            raise InputError(
                f"{root}: no speaker of the core test set; for a sample, name the speakers "
                "in a configuration: [speakers] dev = [...] and test = [...]"
            )
        speakers = Speakers(dev=DEV, test=CORE_TEST)
    lists = {
        name: {speaker.upper() for speaker in chosen}
        for name, chosen in (
            ("train", speakers.train), ("dev", speakers.dev), ("test", speakers.test)
        )
    }  # fmt: skip
    for name, chosen in lists.items():
        if chosen - subset.keys():
            raise InputError(f"{root}: {name} speaker {min(chosen - subset.keys())} is missing")
    if not lists["test"]:
        lists["test"] = {s for s in subset if subset[s] == "test"} - lists["dev"] - lists["train"]
    if not lists["train"]:
        lists["train"] = {s for s in subset if subset[s] != "test"} - lists["dev"] - lists["test"]
    return {
        name: [recording for recording in recordings if recording.speaker in chosen]
        for name, chosen in lists.items()
        if chosen
    }


def _utterance(recording: _Recording, rate: int, samples: int) -> Utterance:
    files = recording.files
    if ".phn" not in files:
        raise InputError(f"{recording.audio}: no .PHN file beside it; unpack the whole corpus")
    phones = read_phones(files[".phn"], rate, samples)
    return Utterance(
        id=recording.id,
        source=recording.audio,
        kind="speech",
        labels=tuple(segment.label for segment in phones),
        text=read_sentence(files[".txt"]) if ".txt" in files else None,
        speaker=recording.speaker,
        duration=samples / rate,
        segments=phones,
        words=read_words(files[".wrd"], rate, samples) if ".wrd" in files else (),
        tags={"sex": recording.speaker[:1].lower(), "region": recording.region},
    )


def _check_sizes(splits: dict[str, list[Utterance]]) -> list[str]:
    """Differences from the standard sets; empty for a complete corpus."""
    found = {name: len(splits.get(name, [])) for name in UTTERANCES}
    faults = [
        f"{found[name]} {name} utterances, but the standard set has {count}"
        for name, count in UTTERANCES.items()
        if found[name] != count
    ]
    for name, count in TOKENS_39.items():
        tokens = sum(len(fold(utterance.labels, TO_39)) for utterance in splits.get(name, []))
        if not faults and tokens != count:
            faults.append(f"{tokens} {name} tokens (39 phones), but the standard set has {count}")
    return faults
