"""Units of labels: graphemes of Unicode TR29, subwords, what each unit takes for a label."""

import sys

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import UNITS, Alphabet
from seqlabel.alphabet.subwords import join_subwords, pieces_of, split_subwords, train_subwords
from seqlabel.alphabet.units import graphemes, join_labels, split_text
from seqlabel.cli import main
from seqlabel.corpora import folder
from seqlabel.corpora.labelling import with_subwords
from seqlabel.corpora.manifest import read_manifest
from seqlabel.corpora.own_data import Options
from seqlabel.errors import InputError
from seqlabel.files import read_json, write_json, write_jsonl
from seqlabel.scoring import score

CLUSTERS = {
    "क्षि": 1,  # conjunct with a vowel sign (GB9c)
    "नमस्ते": 3,
    "e\u0301\u0323a": 2,
    "👨‍👩‍👧!": 2,  # joined by ZWJ
    "🇩🇪🇫🇷": 2,
    "각각": 2,
    "\u1112\u1161\u11ab": 1,  # Hangul as jamo
    "שָׁלוֹם": 4,
    "a b": 3,
    "": 0,
}
"""Texts and the characters that a reader counts, after the rules of Unicode TR29."""


@pytest.mark.parametrize("text", CLUSTERS)
def test_graphemes(text):
    found = graphemes(text)
    assert len(found) == CLUSTERS[text]
    assert "".join(found) == text
    assert all(len(graphemes(cluster)) == 1 for cluster in found)


def test_an_alphabet_of_graphemes():
    alphabet = Alphabet(["क्षि", " ", "म"], unit="grapheme")
    assert alphabet.encode(alphabet.split("क्षि म")) == [1, 2, 3]
    assert alphabet.text(["म", " ", "क्षि"]) == "म क्षि"
    assert (alphabet.metric, alphabet.joined) == ("CER", True)
    with pytest.raises(InputError, match="'मम' is not one grapheme"):
        Alphabet(["मम"], unit="grapheme")


def test_graphemes_are_counted_as_a_reader_counts_them():
    reference, hypothesis = {"u": "नमस्ते"}, {"u": "नमस्त"}  # a vowel sign is missing
    report = score(reference, hypothesis, unit="grapheme")
    assert (report.protocol, report.metric, report.unit) == ("cer-grapheme", "CER", "grapheme")
    assert (report.counts.errors, report.counts.reference_tokens) == (1, 3)
    labels = {"u": list(graphemes("नमस्ते"))}, {"u": list(graphemes("नमस्त"))}
    assert score(*labels, unit="grapheme").counts == report.counts
    assert score(reference, hypothesis, "cer").counts.reference_tokens == 6
    assert report.also[0].metric == "WER"


@pytest.mark.parametrize("unit", sorted(set(UNITS) - {"subword"}))
def test_text_of_every_unit_comes_back(unit):
    text = "a bc d"
    labels = split_text(text, unit)
    joined = join_labels(labels, unit)
    assert joined == ("abcd" if unit == "latex" else text)
    assert split_text(joined, unit) == labels


TEXTS = ["the cat sat", "the cats sat on the mat", "a cat on a mat", "the mat sat"] * 4


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def model(request):
    pytest.importorskip("sentencepiece")
    return train_subwords(TEXTS, 24, request.param)


def test_pieces_of_a_text_join_to_it(model):
    assert len(pieces_of(model)) <= 24
    for text in (*TEXTS, "", "stat", "mat at"):
        pieces = split_subwords(text, model)
        assert join_subwords(pieces) == text
        assert set(pieces) <= set(pieces_of(model))
    assert len(split_subwords(TEXTS[0], model)) < len(TEXTS[0])
    assert split_subwords("xyz cat", model)[:2] == ("▁", "xyz")


def test_training_can_be_repeated(model):
    kinds = [train_subwords(TEXTS, 24, kind) for kind in ("unigram", "bpe")]
    assert model in kinds


def test_what_subwords_refuse(model):
    for text in ("the  cat", " the", "a▁b"):
        with pytest.raises(InputError, match="cannot be represented"):
            split_subwords(text, model)
    with pytest.raises(InputError, match="no training text"):
        train_subwords(["", ""], 10)
    with pytest.raises(InputError, match="a bpe model of 3 pieces from texts of 10 char") as caught:
        train_subwords(TEXTS, 3, "bpe")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a SentencePiece model"):
        pieces_of(b"rubbish")


def test_an_alphabet_keeps_its_model(model, tmp_path):
    alphabet = Alphabet(pieces_of(model), unit="subword", model=model)
    alphabet.save(tmp_path / "alphabet.json")
    loaded = Alphabet.load(tmp_path / "alphabet.json")
    assert loaded == alphabet
    pieces = loaded.split("the cat sat")
    assert loaded.text(pieces) == "the cat sat"
    assert loaded.scored(pieces) == tuple("the cat sat")
    value = read_json(tmp_path / "alphabet.json")
    write_json(tmp_path / "other.json", {**value, "symbols": value["symbols"][:-1]})
    with pytest.raises(InputError, match=r"subwords are not the .* pieces of its SentencePiece"):
        Alphabet.load(tmp_path / "other.json").split("the cat")
    write_json(tmp_path / "damaged.json", {**value, "model": "%%"})
    with pytest.raises(InputError, match=r"damaged\.json: the SentencePiece model in it is dam"):
        Alphabet.load(tmp_path / "damaged.json")
    with pytest.raises(InputError, match="the alphabet has no SentencePiece model"):
        Alphabet(["▁a"], unit="subword").split("a")


def test_text_for_an_alphabet_whose_model_does_not_fit_is_named(model, tmp_path, capsys):
    Alphabet(pieces_of(model)[:-1], unit="subword", model=model).save(tmp_path / "alphabet.json")
    (tmp_path / "a.txt").write_text("the cat\n")
    assert main(["lm", str(tmp_path / "a.txt"), "--out", str(tmp_path / "a.arpa")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.txt: alphabet: its" in line
    assert "prepare the data again" in line
    assert not (tmp_path / "a.arpa").exists()


@pytest.fixture
def voices(tmp_path):
    for n, text in enumerate(TEXTS):
        soundfile.write(tmp_path / f"{n}.wav", np.ones(1600, np.int16), 16000)
        (tmp_path / f"{n}.txt").write_text(text)
    return tmp_path


def test_a_corpus_of_subwords_is_scored_as_text(voices, tmp_path, capsys):
    pytest.importorskip("sentencepiece")
    command = ["prepare", "folder", str(voices), str(voices / "out"), "--set", "unit=subword"]
    assert main([*command, "--set", "subwords=24"]) == 0
    alphabet = Alphabet.load(voices / "out" / "alphabet.json")
    test = read_manifest(voices / "out" / "test.jsonl")
    assert all(alphabet.text(u.labels) == u.text for u in test)
    assert all(set(u.labels) <= set(alphabet.symbols) for u in test)
    hypotheses = voices / "hyp.jsonl"
    said = alphabet.split(test[0].text[:-1])
    rows = [{"id": test[0].id, "labels": list(said), "text": alphabet.text(said)}]
    rows += [{"id": u.id, "labels": list(u.labels)} for u in test[1:]]
    write_jsonl(hypotheses, [{"decoder": "greedy", "unit": "subword"}, *rows])
    report = score(voices / "out" / "test.jsonl", hypotheses)
    assert (report.protocol, report.metric, report.counts.errors) == ("cer", "CER", 1)
    assert report.counts.reference_tokens == sum(len(u.text) for u in test)
    assert (report.also[0].metric, report.also[0].counts.errors) == ("WER", 1)
    with pytest.raises(InputError, match="the labels are subwords, whose text is scored"):
        score(voices / "out" / "test.jsonl", hypotheses, "plain")


def test_a_model_that_does_not_fit(voices, model):
    (voices / "other.model").write_bytes(model)
    assert (
        folder.prepare(
            voices, Options(unit="subword", subword_model=str(voices / "other.model"))
        ).alphabet.model
        == model
    )
    for n in range(len(TEXTS)):
        (voices / f"{n}.txt").write_text("ещё")
    options = Options(unit="subword", subword_model=str(voices / "other.model"))
    with pytest.raises(InputError, match=r"other\.model: the SentencePiece model has no piece for"):
        folder.prepare(voices, options)
    (voices / "other.model").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"other\.model: subwords: these bytes are not a Sentence"):
        folder.prepare(voices, options)
    with pytest.raises(InputError, match=r"absent: no such file"):
        folder.prepare(voices, Options(unit="subword", subword_model="absent"))


def test_subwords_need_text():
    from seqlabel.corpora.manifest import Utterance

    utterance = Utterance("u", folder, "speech", ("a",))
    with pytest.raises(InputError, match="u: no text, which subwords need"):
        with_subwords({"train": [utterance]}, 10)


def test_without_sentencepiece(monkeypatch):
    """Pieces become text all the same."""
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(InputError, match=r"pip install seqlabel\[subword\]"):
        train_subwords(TEXTS, 24)
    alphabet = Alphabet(["▁the", "▁c", "at"], unit="subword", model=b"model")
    assert alphabet.text(["▁the", "▁c", "at"]) == "the cat"
    with pytest.raises(InputError, match=r"pip install seqlabel\[subword\]"):
        alphabet.split("the")
