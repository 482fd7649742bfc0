"""The verb lm on manifests and texts."""

import pytest

from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.cli.lm import read_sentences
from seqlabel.corpora.manifest import Utterance, write_manifest
from seqlabel.decoding.lm.ngram import NgramLM

LETTERS = Alphabet("ONE ", unit="character")


def utterance(folder, name, labels, **more):
    """Its sound is not needed."""
    return Utterance(name, folder / f"{name}.wav", "speech", tuple(labels), duration=0.5, **more)


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_lm_from_a_manifest_knows_the_whole_alphabet(tmp_path, capsys):
    items = [utterance(tmp_path, "x", "ONE NO", text="ONE NO"), utterance(tmp_path, "yy", "NN")]
    write_manifest(tmp_path / "train.jsonl", items)
    write_manifest(tmp_path / "test.jsonl", items[:1])
    LETTERS.save(tmp_path / "alphabet.json")
    out = tmp_path / "lm.arpa"
    assert run("lm", tmp_path, "--order", 2, "--out", out, "--test", tmp_path) == 0
    lm = NgramLM.from_arpa(out)
    assert lm.vocabulary == ("<unk>", "<s>", "</s>", "O", "N", "E", "<space>")
    printed = capsys.readouterr().out
    assert "7 1-grams" in printed
    assert f"perplexity {lm.perplexity([tuple('ONE NO')]):.2f} over 7 tokens" in printed
    assert run("lm", tmp_path, "--unit", "words", "--out", tmp_path / "w.arpa.gz") == 0
    assert "ONE" in NgramLM.from_arpa(tmp_path / "w.arpa.gz")


def test_lm_from_text(tmp_path, capsys):
    (tmp_path / "text").write_text("a b\n\nb c\n")
    (tmp_path / "test").write_text("a d\n")
    arguments = ["--out", tmp_path / "lm.arpa", "--test", tmp_path / "test"]
    assert run("lm", tmp_path / "text", *arguments) == 0
    assert "without 1 unknown" in capsys.readouterr().out
    assert "c" in NgramLM.from_arpa(tmp_path / "lm.arpa")
    LETTERS.save(tmp_path / "letters.json")
    (tmp_path / "text").write_text("ONE\nNOX\n")
    assert run("lm", tmp_path / "text", "--alphabet", tmp_path / "letters.json", *arguments) == 2
    assert "text, sentence 2: symbol 'X'" in capsys.readouterr().err


def test_sentences_end_with_their_lines(tmp_path):
    """Unlike in `str.splitlines`, which breaks lines at eight more characters."""
    text = "a b\u2028c\u0085d\x0ce\x0bf\u2029g\r\nb c\n"
    (tmp_path / "text").write_text(text, newline="")
    assert read_sentences(tmp_path / "text", "train", "words") == [tuple("abcdefg"), ("b", "c")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent", "--out", "x"], "absent: no such file"),
        (["empty", "--out", "x"], "no sentences"),
        (["text", "--out", "x", "--order", "0"], "order 0"),
        (["m.jsonl", "--out", "x", "--unit", "words"], "have no text"),
        (["text", "marked", "--out", "x"], "marked, sentence 2: has <s>, </s> or <unk>"),
        (["text", "--out", "text"], "text: is also an input"),
        (["text", "--out", "x", "--unit", "words", "--lexicon", "./x"], "x: is also --out"),
        (["text", "--out", "x", "--unit", "words", "--lexicon", "folder/../x"], "x: is also --out"),
        (
            ["text", "--out", "x", "--unit", "words", "--lexicon", "y", "--lexicon-size", "0"],
            "a --lexicon-size of at least 1",
        ),
        (["folder", "--out", "folder/train.jsonl"], "is also an input"),
        (["text", "--out", "x", "--lexicon-size", "5"], "--lexicon-size needs --lexicon"),
        (["text", "--out", "x", "--unit", "words", "--alphabet", "y"], "--alphabet is for"),
        (["text", "--out", "folder"], "seqlabel lm: folder: Is a directory"),
        (["text", "--out", "held", "--test", "held"], "held: is also an input"),
        (["folder", "--out", "folder/test.jsonl", "--test", "folder"], "is also an input"),
        (
            ["text", "--out", "x", "--unit", "words", "--lexicon", "held", "--test", "held"],
            "held: is",
        ),
        (["text", "--out", "a.json", "--alphabet", "a.json"], "a.json: is also an input"),
        (["unknown.jsonl", "--out", "x"], "unknown.jsonl: the utterances have no labels"),
        (
            ["unknown.jsonl", "--out", "x", "--unit", "words"],
            "unknown.jsonl: the utterances have no",
        ),
    ],
)
def test_lm_bad_input(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "text").write_text("a b\n")
    (tmp_path / "marked").write_text("a\n<s> b </s>\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "held").write_text("b\n")
    Alphabet("ab", "character").save(tmp_path / "a.json")
    for manifest in ("m.jsonl", "folder/train.jsonl", "folder/test.jsonl"):
        write_manifest(tmp_path / manifest, [utterance(tmp_path, "x", "ON")])
    write_manifest(tmp_path / "unknown.jsonl", [utterance(tmp_path, "x", "")])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run("lm", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("unit", ["labels", "words"])
def test_lm_leaves_out_what_is_not_known(tmp_path, capsys, caplog, unit):
    """An utterance known to be silent is an empty sentence, one of unknown transcript is none."""
    known = [utterance(tmp_path, "x", "ONE", text="ONE"), utterance(tmp_path, "s", "", text="")]
    unknown = [utterance(tmp_path, f"u{n}", "") for n in range(6)]
    unknown.append(utterance(tmp_path, "v", "" if unit == "labels" else "NO"))
    write_manifest(tmp_path / "known.jsonl", known)
    write_manifest(tmp_path / "train.jsonl", [*unknown[:1], *known, *unknown[1:]])
    options = "--unit", unit, "--order", 2
    assert run("lm", tmp_path / "known.jsonl", "--out", tmp_path / "k.arpa", *options) == 0
    assert "left out" not in caplog.text
    data = tmp_path / "train.jsonl"
    assert run("lm", data, "--out", tmp_path / "lm.arpa", *options, "--test", data) == 0
    assert (tmp_path / "lm.arpa").read_text() == (tmp_path / "k.arpa").read_text()
    printed = capsys.readouterr().out
    assert "from 2 sentences" in printed
    assert "tokens of 2 sentences" in printed
    assert "train.jsonl: 7 of 9 utterances left out, their " in caplog.text
    assert "unknown: u0, u1, u2, u3, u4 and 2 more" in caplog.text


def test_lm_writes_the_words_of_several_texts_as_a_lexicon(tmp_path, capsys):
    for name, text in (("a", "to be or not to be\n"), ("b", "be that as it may\n")):
        (tmp_path / name).write_text(text)
    command = ["lm", str(tmp_path / "a"), str(tmp_path / "b"), "--unit", "words", "--order", "2"]
    lexicon = tmp_path / "words.txt"
    files = ["--out", str(tmp_path / "lm.arpa"), "--lexicon", str(lexicon), "--lexicon-size", "3"]
    assert main([*command, *files]) == 0
    assert lexicon.read_text().split() == ["be", "to", "or"]
    assert "3 of 8 words" in capsys.readouterr().out
    assert main(["lm", *command[1:3], *files]) == 2
    assert "--lexicon needs --unit words" in capsys.readouterr().err
