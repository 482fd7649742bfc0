"""The user's own data: folders and JSON lines, for speech and for ink."""

import json
import os
import unicodedata

import numpy as np
import pytest
import soundfile

from seqlabel.corpora import folder, jsonl
from seqlabel.corpora.manifest import read_manifest
from seqlabel.corpora.own_data import Options
from seqlabel.errors import InputError
from seqlabel.files import read_jsonl
from seqlabel.inputs import Ink
from seqlabel.inputs.ink_files import write_ink


def record(path, text, seconds=0.1, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.ones(int(seconds * rate), np.int16), rate)
    if text is not None:
        path.with_suffix(".txt").write_text(text)
    return path


def draw(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ink(path, Ink([np.array([[0, 0, 0.0], [1, 2, 0.5]])]))
    path.with_suffix(".txt").write_text(text)
    return path


@pytest.fixture
def voices(tmp_path):
    """Twelve recordings by four speakers."""
    for speaker in ("anna", "ben", "cleo", "dora"):
        for n in range(3):
            record(tmp_path / speaker / f"take {n}.wav", f"  hello\n{speaker} ")
    (tmp_path / "README.md").write_text("not an utterance")
    return tmp_path


def test_folders_are_speakers(voices):
    prepared = folder.prepare(voices, Options())
    homes = {name: {u.speaker for u in us} for name, us in prepared.splits.items()}
    assert {name: len(home) for name, home in homes.items()} == {"train": 2, "dev": 1, "test": 1}
    assert not homes["train"] & homes["dev"] | homes["train"] & homes["test"]
    utterance = prepared.splits["train"][0]
    assert utterance.text == f"hello {utterance.speaker}"
    assert utterance.labels == tuple(utterance.text)
    assert utterance.id == f"{utterance.speaker}/take_0"
    assert utterance.duration == pytest.approx(0.1)
    assert (prepared.kind, prepared.rate) == ("speech", 16000)


def test_other_draws(voices):
    by_utterance = folder.prepare(voices, Options(by="utterance", dev=0.25, test=0.25))
    assert [len(by_utterance.splits[name]) for name in ("train", "dev", "test")] == [6, 3, 3]
    other = folder.prepare(voices, Options(by="utterance", dev=0.25, test=0.25, seed=7))
    assert other.facts()["fingerprint"] != by_utterance.facts()["fingerprint"]
    assert list(folder.prepare(voices, Options(dev=0.0, test=0.0)).splits) == ["train"]


def test_folders_may_be_the_sets(tmp_path):
    for name, speaker in (("train", "anna"), ("test", "ben"), ("Validation", "cleo")):
        record(tmp_path / name / speaker / "a.wav", "ab")
    splits = folder.prepare(tmp_path, Options()).splits
    assert {name: [u.speaker for u in us] for name, us in splits.items()} == {
        "train": ["anna"], "dev": ["cleo"], "test": ["ben"]
    }  # fmt: skip
    record(tmp_path / "more" / "a.wav", "ab")
    with pytest.raises(InputError, match="more/a: in no set, although others are in"):
        folder.prepare(tmp_path, Options())


def test_words_and_phones(voices):
    prepared = folder.prepare(voices, Options(unit="word"))
    train = {word for utterance in prepared.splits["train"] for word in utterance.labels}
    assert set(prepared.alphabet.symbols) == train < {"hello", "anna", "ben", "cleo", "dora"}
    assert prepared.alphabet.metric == "WER"
    (name,) = {u.labels[1] for u in prepared.splits["test"]} - train
    assert prepared.unseen["test"] == {name: len(prepared.splits["test"])}
    assert f"scored as errors: '{name}' (" in prepared.facts()["notes"][-1]


def test_ink(tmp_path):
    for n in range(4):
        draw(tmp_path / f"{n}.ink", "x y")
    prepared = folder.prepare(tmp_path, Options())
    assert prepared.kind == "ink"
    assert prepared.splits["train"][0].duration == 0.5
    assert prepared.rate is None
    record(tmp_path / "a.wav", "x")
    with pytest.raises(InputError, match="1 audio and 4 ink files; choose with"):
        folder.prepare(tmp_path, Options())
    assert folder.prepare(tmp_path, Options(kind="ink")).kind == "ink"


def test_another_rate_is_refused_where_the_configuration_says_so(voices):
    record(voices / "anna" / "low.wav", "x", rate=8000)
    assert folder.prepare(voices, Options()).rate is None
    with pytest.raises(InputError, match=r"low\.wav: 8000 samples per second, but rate = 16000"):
        folder.prepare(voices, Options(rate=16000))
    prepared = folder.prepare(voices, Options(rate=16000, skip_bad=True))
    assert (prepared.rate, list(prepared.skipped)) == (16000, ["anna/low"])


def test_composed_characters_are_one_label(tmp_path):
    for n in range(3):
        record(tmp_path / f"{n}.wav", unicodedata.normalize("NFD", "é"))
    assert folder.prepare(tmp_path, Options()).alphabet.symbols == ("é",)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda root: (root / "anna/take 1.txt").unlink(), "take 1.wav: no transcript take 1.txt"),
        (lambda root: (root / "anna/take 1.txt").write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda root: (root / "anna/take 1.wav").write_bytes(b"RIFF"), "not readable as audio"),
    ],
)
def test_bad_files_stop_or_are_skipped_by_name(voices, fault, words):
    fault(voices)
    with pytest.raises(InputError) as caught:
        folder.prepare(voices, Options())
    assert words in str(caught.value)
    assert "skip_bad=true" in str(caught.value)
    prepared = folder.prepare(voices, Options(skip_bad=True))
    assert list(prepared.skipped) == ["anna/take_1"]


def test_if_nothing_can_be_used_the_first_reason_is_told(tmp_path):
    for n in range(3):
        (tmp_path / f"{n}.wav").write_bytes(b"RIFF")
        (tmp_path / f"{n}.txt").write_text("x")
    with pytest.raises(InputError, match=r"none of 3 can be used, the first since .*0\.wav: not"):
        folder.prepare(tmp_path, Options(skip_bad=True))


def test_an_empty_transcript_is_not_a_missing_one(voices):
    (voices / "anna/take 1.txt").write_text(" \n")
    prepared = folder.prepare(voices, Options(dev=0.0, test=0.0))
    (empty,) = [u for u in prepared.splits["train"] if u.text == ""]
    assert (empty.id, empty.labels) == ("anna/take_1", ())
    assert prepared.facts()["notes"] == [
        f"train: 1 of {len(prepared.splits['train'])} transcripts are empty, first anna/take_1"
    ]
    prepared.save(voices / "out")
    rows = {row["id"]: row for _, row in read_jsonl(voices / "out" / "train.jsonl")}
    assert (rows["anna/take_1"]["text"], rows["anna/take_1"]["labels"]) == ("", [])
    assert [u.text for u in read_manifest(voices / "out" / "train.jsonl") if not u.labels] == [""]


def test_folders_without_data(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        folder.prepare(tmp_path / "absent", Options())
    with pytest.raises(InputError, match=r"no files to read \(\.wav"):
        folder.prepare(tmp_path, Options())
    record(tmp_path / "a.wav", "x")
    with pytest.raises(InputError, match="1 utterances cannot be divided"):
        folder.prepare(tmp_path, Options())
    record(tmp_path / "a.flac", "x")
    with pytest.raises(InputError, match=r"a\.wav: would have the same id as a\.flac"):
        folder.prepare(tmp_path, Options())


def test_transcripts_without_recordings_are_noted(voices):
    assert folder.prepare(voices, Options()).notes == ()
    (voices / "notes.txt").write_text("to do")
    (voices / "anna" / "lost.txt").write_text("ab")
    (note,) = folder.prepare(voices, Options()).notes
    assert note.startswith("2 .txt files without a signal beside them are not read: ")
    assert note.endswith("notes.txt, anna/lost.txt")


def test_hostile_names_become_harmless_ids(tmp_path):
    for name in ("line\nbreak", "<script>alert(1)</script>".replace("/", "_"), "日本 語"):
        record(tmp_path / f"{name}.wav", "x")
    prepared = folder.prepare(tmp_path, Options(dev=0.0, test=0.0))
    ids = sorted(u.id for u in prepared.splits["train"])
    assert ids == ["<script>alert(1)<_script>", "line_break", "日本_語"]
    prepared.save(tmp_path / "out")
    lines = (tmp_path / "out" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    (tmp_path / "line break.wav").write_bytes((tmp_path / "line\nbreak.wav").read_bytes())
    with pytest.raises(InputError, match="would have the same id as"):
        folder.prepare(tmp_path, Options())


def test_an_undecodable_name_is_refused_with_the_way_out(tmp_path):
    for name in (b"a.wav", b"b\xff.wav"):
        record(tmp_path / "x.wav", "x")
        for suffix in (b".wav", b".txt"):
            os.rename(
                tmp_path / f"x{suffix.decode()}", os.fsencode(tmp_path) + b"/" + name[:-4] + suffix
            )
    prepared = folder.prepare(tmp_path, Options(dev=0.0, test=0.0))
    with pytest.raises(InputError, match="rename the file"):
        prepared.save(tmp_path / "out")


def rows(path, *values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_json_lines_are_completed(tmp_path):
    for name in "abc":
        record(tmp_path / "audio" / f"{name}.wav", None, rate=8000)
    path = rows(
        tmp_path / "mine.jsonl",
        {"source": "audio/a.wav", "text": "one two", "set": "train", "speaker": "anna"},
        {"source": "audio/b.wav", "labels": ["t", "w"], "set": "test", "id": "B"},
        {"source": str(tmp_path / "audio" / "c.wav"), "text": "three", "set": "dev"},
    )
    prepared = jsonl.prepare(path, Options())
    first, second = prepared.splits["train"][0], prepared.splits["test"][0]
    assert (first.id, first.labels, first.speaker) == ("audio/a", tuple("one two"), "anna")
    assert (second.id, second.labels, second.duration) == ("B", ("t", "w"), 0.1)
    assert prepared.splits["dev"][0].source == tmp_path / "audio" / "c.wav"
    assert prepared.rate == 8000


def test_a_prepared_folder_can_be_prepared_again(tmp_path, voices):
    prepared = folder.prepare(voices, Options())
    prepared.save(tmp_path / "data")
    again = jsonl.prepare(tmp_path / "data", Options())
    assert again.splits == prepared.splits


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "x"}, "key source is missing"),
        ({"source": "a.wav"}, "neither text nor labels"),
        ({"source": "a.wav", "txt": "x", "text": "x"}, "unknown key txt (did you mean 'text'?)"),
        ({"source": "b.wav", "text": "x"}, "b.wav: no such audio file"),
        (
            {"source": "a.bin", "text": "x"},
            "may be speech, ink, an image or a series; add the key kind",
        ),
        ({"source": "a.wav", "text": "x", "set": "tset"}, "set 'tset' (did you mean 'test'?)"),
        ({"source": "a.wav", "text": 1}, "text is 1; a string is expected"),
        ({"source": "first.wav", "text": "x"}, "id 'first' occurs twice"),
        ({"source": "a.wav", "labels": ["t", "uw"]}, "not single characters; set their unit"),
    ],
)
def test_faults_of_json_lines(tmp_path, row, words):
    record(tmp_path / "first.wav", None)
    record(tmp_path / "a.wav", None)
    path = rows(tmp_path / "mine.jsonl", {"source": "first.wav", "text": "x"}, row)
    with pytest.raises(InputError) as caught:
        jsonl.prepare(path, Options())
    assert words in str(caught.value)


def test_no_json_lines(tmp_path):
    with pytest.raises(InputError, match=r"no train\.jsonl"):
        jsonl.prepare(tmp_path, Options())
    with pytest.raises(InputError, match="no such file"):
        jsonl.prepare(tmp_path / "absent.jsonl", Options())
    with pytest.raises(InputError, match="no lines"):
        jsonl.prepare(rows(tmp_path / "mine.jsonl"), Options())
