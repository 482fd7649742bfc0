"""Ink and sound kept with their right text become a corpus, and nothing is written elsewhere."""

import numpy as np
import pytest

from seqlabel.corpora import folder, own_data
from seqlabel.demo.corpus import Corpus
from seqlabel.demo.server import App
from seqlabel.errors import InputError
from seqlabel.inputs import read_audio, read_ink


@pytest.fixture
def keeper(app, serving, tmp_path, readers):
    """A client of a server with a corpus of its own, and its folder."""
    with serving(App(readers, Corpus(tmp_path / "kept" / "corpus"))) as client:
        yield client, tmp_path / "kept" / "corpus"


def test_prepare_folder_takes_what_is_kept(keeper, ink, as_sent, sound):
    client, kept = keeper
    drawn = ink("cow")
    texts = ["cow", " two  words ", "cafe\u0301", "../../etc/passwd", "a\nb", "<b>&amp;", "a"]
    for text in texts:
        status, _, answer = client.post("keep", {"text": text, "strokes": as_sent(drawn)})
        assert status == 200
        assert (kept / answer["file"]).is_file()
    for number, text in enumerate(["ab", "c"]):
        samples = sound(text, number)
        client.hear(samples, f"{number:032x}", final=1)
        body = {"text": text, "recording": f"{number:032x}"}
        assert client.post("keep", body)[0] == 200
    clean = ["cow", "two words", "café", "../../etc/passwd", "a b", "<b>&amp;", "a"]
    for kind, expected in (("ink", clean), ("speech", ["ab", "c"])):
        options = own_data.Options(kind=kind, dev=0, test=0)
        prepared = folder.prepare(kept, options)
        utterances = [u for split in prepared.splits.values() for u in split]
        assert sorted(u.text for u in utterances) == sorted(expected)
        for utterance in utterances:
            if kind == "ink":
                again = read_ink(utterance.source)
                np.testing.assert_allclose(again.points[:, :2], drawn.points[:, :2], atol=0.01)
                np.testing.assert_allclose(again.t, drawn.t, atol=1e-4)
                assert again.points.shape[1] == 4
            else:
                seed = ["ab", "c"].index(utterance.text)
                found = read_audio(utterance.source)
                np.testing.assert_allclose(found.samples, sound(utterance.text, seed), atol=2e-5)
                assert found.rate == 16000
    assert {path.parent for path in kept.parent.rglob("*") if path.is_file()} == {kept}


def test_a_corpus_of_what_was_kept_can_be_trained_on(keeper, ink, as_sent, tmp_path):
    from seqlabel.data.checking import read_sets

    client, kept = keeper
    for text in ["cow", "lo", "vol", "ox", "cool", "low"]:
        client.post("keep", {"text": text, "strokes": as_sent(ink(text))})
    folder.prepare(kept, own_data.Options(dev=0.2, test=0.2)).save(tmp_path / "data")
    _, sets = read_sets(tmp_path / "data")
    assert sum(map(len, sets.values())) == 6


@pytest.mark.parametrize(
    "body",
    [
        {"strokes": [[[1, 2, 3, 0.5]]]},
        {"text": "", "strokes": [[[1, 2, 3, 0.5]]]},
        {"text": "x"},
        {"text": "x", "strokes": []},
        {"text": "x", "recording": "nobody's"},
        {"text": "x", "recording": None},
        {"text": "x", "recording": {"a": 1}},
    ],
)
def test_what_is_incomplete_leaves_nothing(keeper, body):
    client, kept = keeper
    assert client.post("keep", body)[0] == 400
    assert not kept.exists()


def test_without_a_corpus_nothing_is_kept(serving, readers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with serving(App(readers)) as client:
        status, _, answer = client.post("keep", {"text": "x", "strokes": [[[1, 2, 3, 0.5]]]})
    assert status == 400
    assert "--corpus" in answer["error"]
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_no_signal_without_text(keeper, monkeypatch):
    import errno

    client, kept = keeper

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", str(kept / "x.json"))

    monkeypatch.setattr("seqlabel.demo.corpus.write_ink_json", full)
    status, _, answer = client.post("keep", {"text": "x", "strokes": [[[1, 2, 3, 0.5]]]})
    assert status == 507
    assert answer["error"].endswith("x.json: No space left on device")
    assert not list(kept.glob("*.json"))
    monkeypatch.undo()
    assert client.post("keep", {"text": "y", "strokes": [[[1, 2, 3, 0.5]]]})[0] == 200
    prepared = folder.prepare(kept, own_data.Options(dev=0, test=0))
    assert [u.text for u in prepared.splits["train"]] == ["y"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, readers):
    (tmp_path / "kept").write_text("x")
    with pytest.raises((OSError, InputError)):
        Corpus(tmp_path / "kept").add((np.zeros(100, np.float32), 16000), "x")
