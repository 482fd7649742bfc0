"""The manifest: what is written comes back, what is wrong is named with its line."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.corpora.manifest import Segment, Utterance, read_manifest, write_manifest
from seqlabel.errors import InputError

FULL = Utterance(
    id="FVMH0_SX116",
    source=Path("/corpus/DR1/FVMH0/SX116.WAV"),
    kind="speech",
    labels=("h#", "sh", "iy", "h#"),
    text="She.",
    speaker="FVMH0",
    duration=1.25,
    segments=(Segment("h#", 0.0, 0.5), Segment("sh", 0.5, 0.6)),
    words=(Segment("she", 0.5, 0.75),),
    tags={"sex": "f"},
)


def test_round_trip(tmp_path):
    bare = Utterance("b", tmp_path / "ink" / "b.xml", "ink", ("a", " ", "\n", "é"))
    write_manifest(tmp_path / "train.jsonl", [FULL, bare])
    assert read_manifest(tmp_path / "train.jsonl") == [FULL, bare]
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert rows[0]["segments"][1] == ["sh", 0.5, 0.6]
    assert rows[1] == {"id": "b", "source": "ink/b.xml", "kind": "ink", "labels": list(bare.labels)}


def test_sources_move_with_the_folder(tmp_path):
    (tmp_path / "here").mkdir()
    bare = Utterance("b", tmp_path / "here" / "b.xml", "ink", ())
    write_manifest(tmp_path / "here" / "m.jsonl", [bare])
    os.rename(tmp_path / "here", tmp_path / "there")
    assert read_manifest(tmp_path / "there" / "m.jsonl")[0].source == tmp_path / "there" / "b.xml"


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None)
@given(st.lists(text.filter(bool), max_size=5), text, text, st.floats(0, 1e5))
def test_any_text_comes_back(tmp_path_factory, labels, transcript, speaker, duration):
    path = tmp_path_factory.mktemp("manifest") / "m.jsonl"
    utterance = Utterance(
        "id", Path("/a"), "ink", tuple(labels), transcript, speaker, round(duration, 6)
    )
    write_manifest(path, [utterance])
    assert read_manifest(path) == [utterance]


GOOD = {"id": "a", "source": "a.wav", "kind": "speech", "labels": ["x"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lables": []}, "unknown key lables (did you mean 'labels'?)"),
        ({"id": None}, "id is None; a string is expected"),
        ({"id": ""}, "must not be empty"),
        ({"kind": "video"}, "kind is 'video'"),
        ({"labels": "abc"}, "labels must be a list of strings"),
        ({"labels": [1]}, "labels must be a list of strings"),
        ({"duration": "long"}, "seconds are expected"),
        ({"duration": True}, "seconds are expected"),
        ({"segments": [["h#", 1]]}, "segments must be a list of [label, start, end]"),
        ({"words": [["she", "a", "b"]]}, "words must be a list"),
        ({"words": 3}, "words must be a list"),
        ({"tags": {"sex": 1}}, "tags must be"),
        ({"levels": ["a"]}, "levels must be an object with lists of strings as values"),
        ({"levels": {"phone": ["a", 1]}}, "levels must be an object"),
    ],
)
def test_bad_lines_are_named(tmp_path, change, words):
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "id": "b", **change}) + "\n")
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert words in str(caught.value)


def test_missing_keys_cut_lines_and_repeated_ids(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"id": "a", "source": "a.wav", "kind": "speech"}')
    with pytest.raises(InputError, match="key labels is missing; `seqlabel prepare manifest`"):
        read_manifest(path)
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD)[:-20])
    with pytest.raises(InputError, match=r":2: not JSON.*cut off"):
        read_manifest(path)
    path.write_text(f"{json.dumps(GOOD)}\n\n{json.dumps(GOOD)}\n")
    with pytest.raises(InputError, match=r":3: id 'a' is also on line 1"):
        read_manifest(path)
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path / "absent.jsonl")


def test_a_name_that_is_no_unicode_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("old")
    undecodable = Path(os.fsdecode(b"/corpus/\xff.wav"))
    with pytest.raises(InputError, match="not valid UTF-8; rename"):
        write_manifest(path, [FULL, Utterance("b", undecodable, "speech", ())])
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.jsonl"]


def test_stretches_come_back(tmp_path):
    whole = Utterance("a", tmp_path / "a.wav", "speech", ("x",))
    part = replace(whole, id="b", start=1.25, end=2.5, channel=0)
    write_manifest(tmp_path / "m.jsonl", [whole, part])
    assert read_manifest(tmp_path / "m.jsonl") == [whole, part]
    lines = (tmp_path / "m.jsonl").read_text().splitlines()
    assert not {"start", "end", "channel"} & json.loads(lines[0]).keys()
    assert json.loads(lines[1])["channel"] == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"start": 2, "end": 1}, "from 2 to 1 s"),
        ({"start": -1}, "from -1 to 0 s"),
        ({"end": 1, "start": 1}, "from 1 to 1 s"),
        ({"start": "1"}, "start is '1'; seconds"),
        ({"end": True}, "end is True; seconds"),
        ({"start": 1e999}, "start is inf; seconds"),
        ({"channel": -1}, "channel is -1"),
        ({"channel": "left"}, "channel is 'left'"),
        ({"kind": "ink", "channel": 1}, "ink file is read as a whole"),
    ],
)
def test_impossible_stretches_are_named(tmp_path, keys, message):
    row = {"id": "a", "source": "a.wav", "kind": "speech", "labels": ["x"], **keys}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path / "m.jsonl")
