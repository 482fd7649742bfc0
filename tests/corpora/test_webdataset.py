"""Shards of WebDataset: read in place, and every way in which a shard can be bad."""

import gzip
import io
import json
import tarfile

import numpy as np
import pytest
import soundfile

from seqlabel.cli import main
from seqlabel.corpora.manifest import read_manifest
from seqlabel.corpora.webdataset import Options, prepare
from seqlabel.errors import InputError
from seqlabel.inputs import Ink, read_audio, read_ink
from seqlabel.inputs.formats.ink_json import ink_json
from seqlabel.inputs.formats.inkml import write_inkml
from seqlabel.inputs.shards import open_signal, shard_of, signal_file
from seqlabel.inputs.sphere import write_sphere

TONE = (3000 * np.sin(np.arange(4000) * 0.2)).astype(np.int16)
INK = Ink([np.array([[0, 0, 0.0], [1, 2, 0.5]]), np.array([[3, 1, 0.75]])])


def sound(format="WAV", shift=0, rate=16000):
    stream = io.BytesIO()
    soundfile.write(stream, np.roll(TONE, shift), rate, format=format)
    return stream.getvalue()


def pack(path, files, format=tarfile.PAX_FORMAT):
    """A shard of (name, bytes); a TarInfo in place of a name is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in files:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def samples(*keys):
    return [
        part
        for n, key in enumerate(keys)
        for part in ((f"{key}.wav", sound(shift=n)), (f"{key}.txt", f"text {key[-1]}".encode()))
    ]


DRAWN = Options(dev=0.0, test=0.0)


def utterances(source, options=DRAWN):
    return list(prepare(source, options).splits["train"])


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_signals_come_back_from_the_shard(tmp_path, format):
    long = "d/" * 30 + "e" * 60 if format != tarfile.USTAR_FORMAT else "d/e"
    pack(tmp_path / "a.tar", samples("1", "anna/2", long), format)
    found = {u.id: u for u in utterances(tmp_path)}
    assert list(found) == ["a/1", "a/anna/2", f"a/{long}"]
    for shift, utterance in enumerate(found.values()):
        audio = read_audio(utterance.source)
        np.testing.assert_array_equal(audio.samples * 32768, np.roll(TONE, shift))
        assert utterance.duration == 0.25
        assert utterance.source.suffix == ".wav"
        assert signal_file(utterance.source) == tmp_path / "a.tar"
    assert found["a/anna/2"].text == "text 2"
    assert found["a/anna/2"].labels == tuple("text 2")


def test_every_format_of_audio(tmp_path):
    write_sphere(tmp_path / "s.sph", TONE, 16000)
    files = [("f.flac", sound("FLAC")), ("f.txt", b"x"), ("o.ogg", sound("OGG")), ("o.txt", b"x")]
    files += [("s.sph", (tmp_path / "s.sph").read_bytes()), ("s.txt", b"x")]
    pack(tmp_path / "a.tar", files)
    flac, ogg, sph = (read_audio(u.source).samples for u in utterances(tmp_path))
    np.testing.assert_array_equal(flac * 32768, TONE)
    np.testing.assert_array_equal(sph * 32768, TONE)
    assert len(ogg) == len(TONE)


def test_ink(tmp_path):
    write_inkml(tmp_path / "x.inkml", INK)
    array = io.BytesIO()
    np.save(array, np.array([[1.0, 2, 0], [1, 1, 1]]))
    files = [("a.inkml", (tmp_path / "x.inkml").read_bytes()), ("a.json", b'{"text": "ab"}')]
    files += [("b.json", ink_json(INK).encode()), ("b.txt", b"ab")]
    files += [("c.npy", array.getvalue()), ("c.txt", b"ab")]
    pack(tmp_path / "a.tar", files)
    prepared = prepare(tmp_path, DRAWN)
    assert prepared.kind == "ink"
    first, second, third = (read_ink(u.source) for u in prepared.splits["train"])
    assert first == INK
    assert second == INK
    assert len(third) == 2


def test_labels_and_speakers_of_json(tmp_path):
    facts = {"labels": ["sh", "iy"], "speaker": "anna", "text": "she", "score": [1, 2]}
    pack(tmp_path / "a.tar", [("1.wav", sound()), ("1.json", json.dumps(facts).encode())])
    (utterance,) = utterances(tmp_path, Options(dev=0, test=0, unit="phone"))
    assert (utterance.labels, utterance.speaker, utterance.text) == (("sh", "iy"), "anna", "she")


def test_sets_are_named_by_shards_and_patterns_choose_them(tmp_path):
    for name in ("train-000", "train-001", "dev-000", "sub/test-0"):
        pack(tmp_path / f"{name}.tar", samples("1", "2"))
    splits = prepare(tmp_path, Options()).splits
    assert {name: len(found) for name, found in splits.items()} == {
        "train": 4, "dev": 2, "test": 2
    }  # fmt: skip
    assert [u.id for u in splits["train"]][::2] == ["train-000/1", "train-001/1"]
    assert len(utterances(tmp_path / "train-*.tar")) == 4
    assert len(utterances(tmp_path / "train-001.tar")) == 2
    pack(tmp_path / "more.tar", samples("1"))
    with pytest.raises(InputError, match="more/1: in no set"):
        prepare(tmp_path, Options())
    (tmp_path / "more.tar").rename(tmp_path / "train-dev.tar")
    with pytest.raises(InputError, match=r"train-dev\.tar: named after train and dev"):
        prepare(tmp_path, Options())


def test_from_shards_to_features(tmp_path, capsys):
    """The verbs work on members of shards as on files, and notice when a shard has changed."""
    for name in ("train", "dev"):
        pack(tmp_path / f"{name}.tar", samples("1", "2", "3"))
    data, config = tmp_path / "data", tmp_path / "c.toml"
    config.write_text('[features]\nkind = "fbank"\n')
    assert main(["prepare", "webdataset", str(tmp_path), str(data)]) == 0
    assert main(["check", str(data)]) == 0
    assert main(["features", str(config), "--data", str(data)]) == 0
    assert "train: 3 utterances" in capsys.readouterr().out
    first = read_manifest(data / "train.jsonl")[0]
    assert shard_of(first.source) == (tmp_path / "train.tar", 512, 8044)
    assert len(list((data / "features").glob("train-*.features"))) == 1
    pack(tmp_path / "train.tar", samples("1", "2", "3"))
    assert main(["features", str(config), "--data", str(data)]) == 0
    assert len(list((data / "features").glob("train-*.features"))) == 2
    pack(tmp_path / "train.tar", [("0.wav", sound(shift=9) * 2)])
    assert main(["features", str(config), "--data", str(data)]) == 2
    assert "has changed here" in capsys.readouterr().err
    (tmp_path / "train.tar").unlink()
    assert main(["features", str(config), "--data", str(data)]) == 2
    assert "no such file (utterance train/1)" in capsys.readouterr().err


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


BAD = {
    "no transcript": ([("a.wav", sound())], "sample 'a': no .txt or .json"),
    "no signal": ([("a.txt", b"x"), ("a.cls", b"1")], "sample 'a': no audio, ink or image files"),
    "only json": ([("a.json", b'{"text": "x"}')], "sample 'a': no audio, ink or image files"),
    "two signals": ([*samples("a"), ("a.flac", sound("FLAC"))], "sample 'a': 2 audio, ink or im"),
    "apart": ([*samples("a"), *samples("b"), ("a.json", b"{}")], "sample 'a' are not consecutive"),
    "twice": ([("a.wav", sound()), *samples("a")], "member 'a.wav' occurs twice"),
    "empty labels": ([("a.wav", sound()), ("a.json", b"{}")], "sample 'a': neither text"),
    "no JSON": ([("a.wav", sound()), ("a.json", b"{")], "a.json: not JSON"),
    "a list": ([("a.wav", sound()), ("a.json", b"[]")], "a.json: a JSON object"),
    "wrong text": ([("a.wav", sound()), ("a.json", b'{"text": 1}')], "text is '1'; a string"),
    "wrong labels": ([("a.wav", sound()), ("a.json", b'{"labels": "x"}')], "a list of strings"),
    "long labels": ([("a.wav", sound()), ("a.json", b'{"labels": ["ab"]}')], "'a': the labels"),
    "no label": ([("a.wav", sound()), ("a.json", b'{"labels": [""]}')], "'a': the labels"),
    "surrogate": ([("a.wav", sound()), ("a.json", b'{"text": "\\ud800"}')], "a.json: '\\ud800' is"),
    "digits": ([("a.wav", sound()), ("a.json", b"[%s]" % (b"1" * 5000))], "a.json: not JSON"),
    "not UTF-8": ([("a.wav", sound()), ("a.txt", b"\xff\xfe")], "a.txt: not UTF-8"),
    "no audio": ([("a.wav", b"RIFFnonsense"), ("a.txt", b"x")], "a.wav: "),
    "cut audio": ([("a.wav", sound()[:1000]), ("a.txt", b"x")], "a.wav: truncated: the header"),
    "empty audio": ([("a.wav", b""), ("a.txt", b"x")], "a.wav: the file is empty"),
    "both kinds": ([*samples("a"), ("b.npy", b"x"), ("b.txt", b"x")], "b.npy: "),
    "upwards": (samples("../../etc/a"), "'../../etc/a.wav' has a name that points outside"),
    "absolute": (samples("/etc/a"), "'/etc/a.wav' has a name that points outside"),
    "symbolic link": ([(link("a.wav", "/etc/passwd"), b"")], "member 'a.wav' is a link"),
    "hard link": ([(link("a.wav", "b.wav", tarfile.LNKTYPE), b"")], "member 'a.wav' is a link"),
    "device": ([(link("a.wav", "", tarfile.CHRTYPE), b"")], "'a.wav' is a link or a special file"),
    "no members": ([], "no samples; expected"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_bad_samples_are_named(tmp_path, fault):
    files, words = BAD[fault]
    path = pack(tmp_path / "s.tar", files)
    with pytest.raises(InputError) as caught:
        prepare(path, DRAWN)
    message = str(caught.value)
    assert words in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_names_that_cannot_be_printed(tmp_path):
    pack(tmp_path / "a.tar", samples("a\nb c"))
    (utterance,) = utterances(tmp_path)
    assert utterance.id == "a/a_b_c"
    assert read_audio(utterance.source).rate == 16000
    pack(tmp_path / "a.tar", [("a\nb.wav", sound())])
    with pytest.raises(InputError) as caught:
        utterances(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_member_named_like_a_place(tmp_path):
    pack(tmp_path / "a.tar", samples("b.tar@0+9/1"))
    (utterance,) = utterances(tmp_path)
    assert signal_file(utterance.source) == tmp_path / "a.tar"
    assert read_audio(utterance.source).rate == 16000


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    folder = tarfile.TarInfo("d")
    folder.type = tarfile.DIRTYPE
    pack(tmp_path / "a.tar", [(folder, b""), ("._1.wav", b"x"), *samples("d/1"), ("README", b"x")])
    assert [u.id for u in utterances(tmp_path)] == ["a/d/1"]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_cut_shards(tmp_path, share):
    """A cut inside a member, inside a header, and one that only the mark at the end betrays."""
    whole = pack(tmp_path / "a.tar", samples("1", "2", "3"))
    data = whole.read_bytes().rstrip(b"\0")
    places = {0.3: int(len(data) * 0.3), 0.6: 20 * 512 + 100, 0.99: -(-len(data) // 512) * 512}
    whole.write_bytes(whole.read_bytes()[: places[share]])
    with pytest.raises(InputError, match=r"a\.tar: .*cut off.*get a complete copy"):
        utterances(tmp_path)
    pack(tmp_path / "b.tar", samples("1"))
    prepared = prepare(tmp_path, Options(dev=0, test=0, skip_bad=True))
    assert [u.id for u in prepared.splits["train"]][-1] == "b/1"
    assert list(prepared.skipped) == [str(whole)]


def test_a_damaged_header_in_the_middle(tmp_path):
    whole = pack(tmp_path / "a.tar", samples("1", "2"))
    data = bytearray(whole.read_bytes())
    place = data.index(b"2.wav")
    data[place] ^= 1
    whole.write_bytes(data)
    with pytest.raises(InputError, match=rf"damaged or cut off at byte {place}"):
        utterances(tmp_path)


def test_what_is_no_plain_tar(tmp_path):
    whole = pack(tmp_path / "a.tar", samples("1"))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(whole.read_bytes()))
    with pytest.raises(InputError, match=r"b\.tar\.gz: a compressed tar file; unpack it"):
        utterances(tmp_path)
    (tmp_path / "b.tar.gz").rename(tmp_path / "b.tar")
    with pytest.raises(InputError, match=r"b\.tar: a compressed tar file; unpack it \(gunzip\)"):
        utterances(tmp_path)
    for data in (b"", b"x" * 2000):
        (tmp_path / "b.tar").write_bytes(data)
        with pytest.raises(InputError, match=r"b\.tar: damaged or cut off tar file"):
            utterances(tmp_path)
    (tmp_path / "b.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"b\.zip: the name must end in \.tar"):
        utterances(tmp_path / "b.zip")


def test_a_kind_may_be_chosen(tmp_path):
    files = [*samples("1"), ("2.json", ink_json(INK).encode()), ("2.txt", b"x")]
    pack(tmp_path / "a.tar", files)
    with pytest.raises(InputError, match="both audio and ink; choose with --set kind="):
        utterances(tmp_path)
    assert [u.id for u in utterances(tmp_path, Options(dev=0, test=0, kind="ink"))] == ["a/2"]
    assert [u.id for u in utterances(tmp_path, Options(dev=0, test=0, kind="speech"))] == ["a/1"]


def test_bad_samples_can_be_left_out(tmp_path):
    pack(tmp_path / "a.tar", [*samples("1"), ("2.wav", sound()), *samples("3")])
    prepared = prepare(tmp_path, Options(dev=0, test=0, skip_bad=True))
    assert [u.id for u in prepared.splits["train"]] == ["a/1", "a/3"]
    assert list(prepared.skipped) == [f"{tmp_path / 'a.tar'}: sample '2'"]


def test_a_member_behaves_like_a_file(tmp_path):
    data = bytes(range(256)) * 10
    pack(tmp_path / "a.tar", [("x.bin", b"zzz"), ("y.bin", data), ("z.bin", b"zzz")])
    with tarfile.open(tmp_path / "a.tar") as tar:
        member = tar.getmember("y.bin")
    path = tmp_path / f"a.tar@{member.offset_data}+{member.size}" / "y.bin"
    with open_signal(path) as stream:
        assert stream.read() == data
        assert stream.seek(-6, 2) == len(data) - 6
        assert stream.read(100) == data[-6:]
        assert stream.seek(1000) == 1000
        assert stream.read(2) == data[1000:1002]
        assert stream.seek(2, 1) == 1004
        assert stream.tell() == 1004
    for place in (f"{member.offset_data + 512}+{member.size}", f"{member.offset_data}+9", "5+9"):
        with pytest.raises(InputError, match="has changed here"):
            open_signal(tmp_path / f"a.tar@{place}" / "y.bin")
    assert shard_of(tmp_path / "a.tar") is None
