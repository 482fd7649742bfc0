"""The index of a manifest says what the manifest says, and notices when the manifest changes."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlabel.alphabet import Alphabet, required_frames
from seqlabel.corpora.manifest import Segment, Utterance, read_manifest, write_manifest
from seqlabel.data import index_arrays
from seqlabel.data.index import open_utterances
from seqlabel.data.index_arrays import needed_frames
from seqlabel.errors import InputError
from seqlabel.files import writing


def utterance(name, labels=("a", "b"), speaker="", **fields):
    return Utterance(name, Path(f"/absent/{name}.wav"), "speech", labels, speaker=speaker, **fields)


VARIED = [
    utterance("one", ("a", "a", "b"), "anna", text="aab é", duration=1.5, tags={"sex": "f"}),
    utterance("zwei 二", ("ß", "a", "ß"), segments=(Segment("ß", 0.0, 0.5),)),
    utterance("none", ()),
    utterance("three", ("b", "b", "b"), "ben"),
    utterance("four", ("b",), "anna"),
]


@pytest.fixture
def manifest(tmp_path):
    write_manifest(tmp_path / "train.jsonl", VARIED)
    return tmp_path / "train.jsonl"


def check_same(manifest):
    expected, found = read_manifest(manifest), open_utterances(manifest)
    assert len(found) == len(expected)
    assert list(found) == expected
    assert found[1:3] == expected[1:3]
    alphabet = Alphabet(["ß", "b", "a"])
    assert list(found.encoded(alphabet)) == [alphabet.encode(u.labels) for u in expected]
    assert found.needed.tolist() == [required_frames(u.labels) for u in expected]
    for a, first in zip(found.speakers, expected, strict=True):
        assert (a == -1) == (first.speaker == "")
        for b, second in zip(found.speakers, expected, strict=True):
            if first.speaker and second.speaker:
                assert (a == b) == (first.speaker == second.speaker)
    return found


@pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
def test_the_index_says_what_the_manifest_says(manifest, monkeypatch, chunk):
    monkeypatch.setattr(index_arrays, "_CHUNK", chunk)
    found = check_same(manifest)
    assert found.kinds == ["speech"]
    assert found[-1].id == "four"
    for n in (5, -6):
        with pytest.raises(IndexError):
            found[n]
        with pytest.raises(IndexError):
            found.encoded(Alphabet(["a", "b", "ß"]))[n]


def test_digests_do_not_depend_on_the_size_of_the_parts_written(manifest, monkeypatch):
    before = open_utterances(manifest)
    monkeypatch.setattr(index_arrays, "_CHUNK", 2)
    os.utime(manifest, ns=(1, 1))
    after = open_utterances(manifest)
    assert (before.content, before.sources) == (after.content, after.sources)


def test_blank_lines_and_line_ends(manifest):
    lines = manifest.read_text().splitlines()
    manifest.write_bytes(
        "\n\n".join(["", *lines[:2]]).encode() + b"\r\n   \r\n" + lines[2].encode()
    )
    assert len(check_same(manifest)) == 3


def test_an_empty_manifest(tmp_path):
    (tmp_path / "train.jsonl").write_text("\n")
    assert list(open_utterances(tmp_path / "train.jsonl")) == []


def test_the_index_is_written_once(manifest):
    found = open_utterances(manifest)
    folder = manifest.parent / "features" / "train.index"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(before) == {
        "index.json", "starts.npy", "bounds.npy", "needed.npy", "speakers.npy", "labels.npy"
    }  # fmt: skip
    assert open_utterances(manifest).content == found.content
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["train.index"]


def test_another_manifest_gets_another_index_and_open_ones_stay(manifest):
    old = open_utterances(manifest)
    content, sources = old.content, old.sources
    write_manifest(manifest, VARIED[:2])
    assert len(check_same(manifest)) == 2
    assert list(old) == VARIED
    # Other labels: another content, the same signals.
    write_manifest(manifest, [utterance(u.id, ("b",)) for u in VARIED])
    new = check_same(manifest)
    assert new.content != content
    assert new.sources == sources
    # The same size within the same moment, and in place.
    text = manifest.read_text().replace("three", "fours")
    stamp = manifest.stat().st_mtime_ns
    os.replace(manifest, manifest.with_name("old"))
    manifest.write_text(text)
    os.utime(manifest, ns=(stamp, stamp))
    assert [u.id for u in check_same(manifest)][3] == "fours"


@pytest.mark.parametrize("name", ["index.json", "starts.npy", "labels.npy", "needed.npy"])
@pytest.mark.parametrize("damage", ["absent", "cut", "empty", "nonsense"])
def test_a_damaged_index_is_made_anew(manifest, name, damage):
    open_utterances(manifest)
    path = manifest.parent / "features" / "train.index" / name
    data = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes({"cut": data[:-4], "empty": b"", "nonsense": b"[1, 2]"}[damage])
    check_same(manifest)
    assert path.read_bytes() == data


def test_an_index_of_another_format_is_made_anew(manifest):
    open_utterances(manifest)
    path = manifest.parent / "features" / "train.index" / "index.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "format": 0, "symbols": []}))
    check_same(manifest)


def test_a_process_that_starts_at_the_same_time_may_take_the_index_away(manifest, monkeypatch):
    put = writing._put_in_place

    def put_and_lose(temporary, path):
        put(temporary, path)
        shutil.rmtree(path)

    monkeypatch.setattr(writing, "_put_in_place", put_and_lose)
    assert list(open_utterances(manifest)) == VARIED


def test_a_manifest_that_is_replaced_while_it_is_read_is_an_error(manifest, monkeypatch):
    facts = index_arrays.ManifestReader.facts

    def replaced(reader):
        write_manifest(manifest, VARIED[:2])
        return facts(reader)

    monkeypatch.setattr(index_arrays.ManifestReader, "facts", replaced)
    with pytest.raises(InputError, match=r"train\.jsonl: changed while it was read; try again"):
        open_utterances(manifest)
    assert [path.name for path in (manifest.parent / "features").iterdir()] == []


BAD = {
    "no JSON": ('{"id": ', ":2: not JSON"),
    "no object": ("[]", ":2: a JSON object is expected"),
    "no labels": ('{"id": "x", "source": "x", "kind": "ink"}', ":2: key labels is missing"),
    "a number among the labels": (
        '{"id": "x", "source": "x", "kind": "ink", "labels": ["a", 1]}',
        ":2: labels must be a list of strings",
    ),
    "a list among the labels": (
        '{"id": "x", "source": "x", "kind": "ink", "labels": [["a"]]}',
        ":2: labels must be a list of strings",
    ),
    "unknown key": (
        '{"id": "x", "source": "x", "kind": "ink", "labels": [], "lables": []}',
        ":2: unknown key lables (did you mean 'labels'?)",
    ),
    "segments": (
        '{"id": "x", "source": "x", "kind": "ink", "labels": [], "segments": [["a", 0]]}',
        ":2: segments must be a list of [label, start, end]",
    ),
    "an id twice": (
        '{"id": "three", "source": "x", "kind": "ink", "labels": []}',
        ":5: id 'three' is also on line 2",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_faults_are_those_of_the_manifest(manifest, fault):
    line, words = BAD[fault]
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([lines[0], line, *lines[1:]]))
    for read in (open_utterances, read_manifest):
        with pytest.raises(InputError) as caught:
            read(manifest)
        assert str(caught.value).startswith(f"{manifest}{words}")
    assert list(manifest.parent.glob("features/*")) == []


def test_equal_hashes_of_different_ids_are_no_fault(manifest, monkeypatch):
    monkeypatch.setattr(index_arrays, "hash", len, raising=False)
    check_same(manifest)


def test_unknown_symbols_are_named_with_their_utterance(manifest):
    with pytest.raises(InputError, match="zwei 二: symbol 'ß' is not in the alphabet"):
        open_utterances(manifest).encoded(Alphabet(["a", "b"]))


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_utterances(tmp_path / "train.jsonl")
    (tmp_path / "dev.jsonl").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        open_utterances(tmp_path / "dev.jsonl")


def test_a_manifest_cut_under_a_reader(manifest):
    found = open_utterances(manifest)
    with open(manifest, "r+b") as stream:
        stream.truncate(20)
    with pytest.raises(InputError, match="not JSON"):
        found[3]


@given(st.lists(st.lists(st.integers(0, 2), max_size=6), max_size=8))
def test_needed_frames_row_by_row(rows):
    flat = np.array([label for row in rows for label in row], np.int32)
    counts = np.array([len(row) for row in rows], np.int64)
    assert needed_frames(flat, counts).tolist() == [required_frames(row) for row in rows]


def test_other_stretches_are_other_signals(manifest):
    whole = utterance("a", ("b",))
    sources = set()
    for stretch in ({}, {"end": 1.0}, {"start": 0.5, "end": 1.0}, {"channel": 0}, {"channel": 1}):
        write_manifest(manifest, [replace(whole, kind="speech", **stretch)])
        found = open_utterances(manifest)
        sources.add(found.sources)
        assert found[0] == replace(whole, kind="speech", **stretch)
    assert len(sources) == 5
