"""Manifests in the formats of other tools: Kaldi data folders, lhotse cuts, NeMo, .stm."""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.nist import stm_line
from seqlabel.errors import InputError
from seqlabel.files import whole_file, whole_folder
from seqlabel.inputs.audio import AudioHeader, read_audio_header
from seqlabel.inputs.shards import shard_of


def export(path: str | os.PathLike[str], utterances: Sequence[Utterance], kind: str) -> None:
    """Write utterances of speech to `path` as `WRITERS[kind]` does, whole or not at all.

    Raises InputError for ink, for recordings inside shards, and for what the format cannot hold.
    """
    if not utterances:
        raise InputError(f"{path}: no utterances to write")
    for utterance in utterances:
        if utterance.kind != "speech":
            raise InputError(f"{utterance.id}: this is ink; {kind} lists are for speech")
        if shard_of(utterance.source) is not None:
            raise InputError(
                f"{utterance.id}: {utterance.source} is in a shard, to which {kind} lists cannot "
                f"refer; unpack it"
            )
    WRITERS[kind](Path(path), utterances)


def text_of(utterance: Utterance) -> str:
    """The transcript, or the labels if there is no text."""
    return " ".join(utterance.labels) if utterance.text is None else utterance.text


def write_kaldi(path: Path, utterances: Sequence[Utterance]) -> None:
    """A data folder: wav.scp, text, utt2spk, spk2utt, and segments and spk2gender where needed.

    Kaldi requires sorted lists and utterance ids that begin with the speaker's; it is prepended
    where missing. A channel is the fourth word of a line of segments.
    """
    recordings: dict[str, str] = {}
    names: dict[tuple[str, int | None], str] = {}
    lists: dict[str, list[str]] = {"text": [], "utt2spk": [], "segments": []}
    spoken: dict[str, list[str]] = {}
    sexes: dict[str, str] = {}
    cut = any(u.start or u.end or u.channel is not None for u in utterances)
    for utterance in utterances:
        for name in (utterance.id, utterance.speaker):
            if re.search(r"\s", name):
                raise InputError(f"{name!r}: ids in Kaldi lists have no white space; rename it")
        speaker = utterance.speaker or utterance.id
        key = utterance.id if utterance.id.startswith(speaker) else f"{speaker}-{utterance.id}"
        source = str(utterance.source.absolute())
        recording = key
        if cut:
            recording = names.setdefault((source, None), f"{Path(source).stem}-{len(names):06d}")
            recording = re.sub(r"\s", "_", recording)
            end = utterance.end or read_audio_header(source).duration
            channel = "" if utterance.channel is None else f" {utterance.channel}"
            lists["segments"].append(f"{key} {recording} {utterance.start:.6f} {end:.6f}{channel}")
        recordings[recording] = source
        lists["text"].append(f"{key} {text_of(utterance)}".rstrip())
        lists["utt2spk"].append(f"{key} {speaker}")
        spoken.setdefault(speaker, []).append(key)
        if utterance.tags.get("sex") in ("f", "m"):
            sexes[speaker] = utterance.tags["sex"]
    lists["wav.scp"] = [f"{name} {source}" for name, source in recordings.items()]
    lists["spk2utt"] = [f"{s} {' '.join(sorted(keys))}" for s, keys in spoken.items()]
    if sexes.keys() >= spoken.keys():
        lists["spk2gender"] = [f"{speaker} {sex}" for speaker, sex in sexes.items()]
    with whole_folder(path) as folder:
        for name, lines in lists.items():
            if lines:
                (folder / name).write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")


def write_lhotse(path: Path, utterances: Sequence[Utterance]) -> None:
    """Cuts of one supervision each, .jsonl or .jsonl.gz by the name."""
    _write_lines(path, _cuts(utterances))


def _cuts(utterances: Sequence[Utterance]) -> Iterator[dict[str, Any]]:
    headers: dict[Path, AudioHeader] = {}
    for utterance in utterances:
        source = utterance.source
        if source not in headers:
            headers[source] = read_audio_header(source)
        header = headers[source]
        recording = {
            "id": source.stem,
            "sources": [
                {
                    "type": "file",
                    "channels": list(range(header.channels)),
                    "source": str(source.absolute()),
                }
            ],
            "sampling_rate": header.rate,
            "num_samples": header.frames,
            "duration": header.duration,
            "channel_ids": list(range(header.channels)),
        }
        channel, start = utterance.channel or 0, utterance.start
        duration = (utterance.end or header.duration) - start
        supervision: dict[str, Any] = {
            "id": utterance.id,
            "recording_id": source.stem,
            "start": 0.0,
            "duration": round(duration, 8),
            "channel": channel,
            "text": text_of(utterance),
        }
        if utterance.speaker:
            supervision["speaker"] = utterance.speaker
        for key, tag in (("gender", "sex"), ("language", "language")):
            if tag in utterance.tags:
                supervision[key] = utterance.tags[tag]
        if utterance.words:
            # Like the supervision's start, the times of an alignment count from the cut's.
            supervision["alignment"] = {
                "word": [[w, a, round(b - a, 8), None] for w, a, b in utterance.words]
            }
        yield {
            "id": utterance.id,
            "start": start,
            "duration": round(duration, 8),
            "channel": channel,
            "supervisions": [supervision],
            "recording": recording,
            "type": "MonoCut",
        }


def write_nemo(path: Path, utterances: Sequence[Utterance]) -> None:
    """A NeMo manifest; InputError for one of several channels, which it cannot express."""
    _write_lines(path, _nemo_lines(utterances))


def _nemo_lines(utterances: Sequence[Utterance]) -> Iterator[dict[str, Any]]:
    for utterance in utterances:
        if utterance.channel:
            raise InputError(
                f"{utterance.id}: channel {utterance.channel}, which a NeMo manifest cannot "
                f"express; make files of one channel"
            )
        row: dict[str, Any] = {"audio_filepath": str(utterance.source.absolute())}
        if utterance.start or utterance.end:
            row["offset"] = utterance.start
        row |= {"duration": utterance.duration, "text": text_of(utterance)}
        yield row | ({"speaker": utterance.speaker} if utterance.speaker else {})


def write_stm(path: Path, utterances: Sequence[Utterance]) -> None:
    """A .stm file; its recordings are the names of the audio files."""
    places: dict[str, Path] = {}
    lines = []
    for utterance in utterances:
        name = re.sub(r"\s", "_", utterance.source.stem)
        if places.setdefault(name, utterance.source) != utterance.source:
            raise InputError(
                f"{utterance.id}: {utterance.source} and {places[name]} would be one recording in "
                f".stm; rename one"
            )
        end = utterance.end or utterance.duration or read_audio_header(utterance.source).duration
        channel = name, str((utterance.channel or 0) + 1)
        speaker, subset = utterance.speaker or "unknown", utterance.tags.get("subset", "")
        words = text_of(utterance).split()
        lines.append(stm_line(channel, speaker, utterance.start, end, subset, words))
    with whole_file(path) as stream:
        stream.write("\n".join(lines) + "\n")


def _write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    packed = path.suffix == ".gz"
    with whole_file(path, "wb") as raw:
        stream = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if packed else raw
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
        if packed:
            stream.close()


WRITERS: dict[str, Callable[[Path, Sequence[Utterance]], None]] = {
    "kaldi": write_kaldi,
    "lhotse": write_lhotse,
    "nemo": write_nemo,
    "stm": write_stm,
}
"""Name of a format -> its writer."""
