"""Kaldi data folders: wav.scp, text, and optionally segments, utt2spk, spk2gender.

SRC is a data folder (sets are drawn at random), or a folder with data folders named after their
sets (data/train, data/dev_clean, data/test). Recordings must be files: commands (lines that end in
`|`) and archives with an offset are errors, and the message tells how to make files of them.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from seqlabel.corpora.own_data import Options
from seqlabel.corpora.prepared import Prepared
from seqlabel.corpora.rows import Row, prepared_rows, resolve
from seqlabel.corpora.splitting import left_out, set_named
from seqlabel.errors import InputError
from seqlabel.files import read_text

__all__ = ["Options", "prepare"]

Table = dict[str, tuple[str, str]]
"""First word of each line -> (the rest of the line, its place for messages)."""


def prepare(source: Path, options: Options) -> Prepared:
    """The utterances of `text`; raises InputError for names that the other files lack."""
    if (source / "wav.scp").is_file():
        return prepared_rows("kaldi", _rows(source, ""), options, source)
    folders = sorted(path.parent for path in source.glob("*/wav.scp"))
    if not folders:
        raise InputError(
            f"{source}: no wav.scp, here or one folder below; name a Kaldi data folder"
        )
    sets = {folder: set_named(folder.name) for folder in folders}
    named = [folder for folder in folders if sets[folder]] or folders
    if not any(sets.values()) and len(folders) > 1:
        names = ", ".join(folder.name for folder in folders[:5])
        raise InputError(
            f"{source}: which of {names} is for training? Name one of them, or put train, dev and "
            "test into their names"
        )
    rows = (row for folder in named for row in _rows(folder, sets[folder]))
    return prepared_rows("kaldi", rows, options, source).noting(*left_out(folders, named))


def _rows(folder: Path, name: str) -> Iterator[Row]:
    recordings = _table(folder / "wav.scp")
    texts = _table(folder / "text")
    speakers, sexes = _optional(folder / "utt2spk"), _optional(folder / "spk2gender")
    segments = _optional(folder / "segments")

    def make(utterance: str, text: str, where: str) -> Row:
        row: dict[str, Any] = {"id": utterance, "text": text, "kind": "speech", "set": name}
        recording = utterance
        if segments:
            if utterance not in segments:
                raise InputError(
                    f"{where}: {utterance} is not in segments; run utils/fix_data_dir.sh"
                )
            recording, stretch = _segment(*segments[utterance])
            row |= stretch
        place = segments[utterance][1] if segments else where
        if recording not in recordings:
            raise InputError(f"{place}: {recording} is not in wav.scp; run utils/fix_data_dir.sh")
        row["source"] = _source(*recordings[recording], folder)
        speaker = speakers.get(utterance, ("", ""))[0]
        if speaker and speaker != utterance:  # Kaldi's notation for unknown speakers
            row["speaker"] = speaker
        if speaker in sexes:
            row["tags"] = {"sex": sexes[speaker][0]}
        return Row(where, folder.resolve(), row, place)

    for utterance, (text, where) in texts.items():
        yield Row.made(where, partial(make, utterance, text, where))


def _segment(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """The recording of a segment, its start and end; an end of -1 is that of the recording."""
    fields = text.split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
        channel = {"channel": int(fields[3])} if len(fields) == 4 else {}
        if len(fields) > 4:
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"{where}: expected: utterance recording start end [channel]") from None
    return recording, {"start": start, "end": 0.0 if end == -1 else end, **channel}


def _source(text: str, where: str, folder: Path) -> str:
    if text.endswith("|"):
        raise InputError(
            f"{where}: a command, which is not run; write its output into files "
            "(wav-copy scp:wav.scp, or run the command) and name those in wav.scp"
        )
    if re.search(r"\.ark:\d+$", text):
        raise InputError(
            f"{where}: an archive with an offset; write files (wav-copy scp:wav.scp ...) and name "
            f"those"
        )
    if not text:
        raise InputError(f"{where}: no file after the name of the recording")
    return resolve(text, folder)


def _optional(path: Path) -> Table:
    return _table(path) if path.is_file() else {}


def _table(path: Path) -> Table:
    """The lines of one of Kaldi's files; InputError for a first word that occurs twice."""
    table: Table = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        name, *rest = line.split(maxsplit=1) or [""]
        if not name:
            continue
        if name in table:
            raise InputError(f"{path}:{number}: {name} occurs twice; run utils/fix_data_dir.sh")
        table[name] = (rest[0].strip() if rest else "", f"{path}:{number}")
    return table
