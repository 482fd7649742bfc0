"""`seqlabel prepare` on the command line: what it writes, prints and refuses."""

import json

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora import CORPORA
from seqlabel.corpora.manifest import read_manifest


@pytest.fixture
def voices(tmp_path):
    for n in range(6):
        soundfile.write(tmp_path / f"{n}.wav", np.ones(1600, np.int16), 16000)
        (tmp_path / f"{n}.txt").write_text("ab" * (n + 1))
    return tmp_path


def test_a_prepared_folder(voices, capsys):
    out = voices / "out"
    assert main(["prepare", "folder", str(voices), str(out), "--set", "test=0.3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].startswith("train: 3 utterances")
    assert printed.err == ""
    sizes = {path.stem: len(read_manifest(path)) for path in out.glob("*.jsonl")}
    assert sizes == {"train": 3, "dev": 1, "test": 2}
    assert Alphabet.load(out / "alphabet.json").symbols == ("a", "b")
    facts = json.loads((out / "corpus.json").read_text())
    assert facts["corpus"] == "folder"
    assert (facts["kind"], facts["unit"], facts["rate"]) == ("speech", "character", 16000)
    assert facts["counts"]["test"]["utterances"] == 2
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(["prepare", "folder", str(voices), str(out), "--set", "test=0.3"]) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_what_is_read_is_not_written_over(tmp_path, capsys):
    rows = [{"word": "cat", "drawing": [[[n, 5], [0, n]]]} for n in range(4)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "train.jsonl").write_text(text)
    for source in (tmp_path, tmp_path / "train.jsonl"):
        assert main(["prepare", "drawings", str(source), str(tmp_path)]) == 2
        assert "is also an input; choose another name" in capsys.readouterr().err
        assert (tmp_path / "train.jsonl").read_text() == text


@pytest.mark.parametrize("facts", ["[]", '{"counts": null}', '{"counts": [1]}'])
def test_a_strange_corpus_json_is_replaced(voices, tmp_path_factory, facts):
    out = tmp_path_factory.mktemp("out")
    (out / "corpus.json").write_text(facts)
    assert main(["prepare", "folder", str(voices), str(out)]) == 0
    assert json.loads((out / "corpus.json").read_text())["corpus"] == "folder"


def test_sets_of_an_earlier_preparation_go_other_files_stay(voices):
    out = voices / "out"
    main(["prepare", "folder", str(voices), str(out)])
    (out / "notes.jsonl").write_text("mine")
    main(["prepare", "folder", str(voices), str(out), "--set", "dev=0", "--set", "test=0.2"])
    assert sorted(path.name for path in out.glob("*.jsonl")) == [
        "notes.jsonl", "test.jsonl", "train.jsonl"
    ]  # fmt: skip


def test_configuration_file_and_overrides(voices, capsys):
    config = voices / "data.toml"
    config.write_text("dev = 0.0\ntest = 0.0\n")
    arguments = ["prepare", "folder", str(voices), str(voices / "out"), "--config", str(config)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train: 6 utterances of 0 speakers, 0.01 min, 42 labels"
    ]
    assert main([*arguments, "--set", "unit=word", "--set", "test=0.2"]) == 0
    config.write_text("deev = 0.0\n")
    assert main(arguments) == 2
    assert "unknown option deev (did you mean 'dev'?)" in capsys.readouterr().err


@pytest.mark.parametrize("corpus", CORPORA)
def test_absent_and_empty_folders(corpus, tmp_path, capsys):
    out = tmp_path / "out"
    for source in (tmp_path / "absent", tmp_path):
        assert main(["prepare", corpus, str(source), str(out)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"seqlabel prepare: {source}")
        assert error.count("\n") == 1
        assert not out.exists()


def test_a_failure_writes_nothing(voices, capsys):
    (voices / "3.wav").write_bytes(b"")
    assert main(["prepare", "folder", str(voices), str(voices / "out")]) == 2
    error = capsys.readouterr().err
    assert str(voices / "3.wav") in error
    assert "skip_bad" in error
    assert not (voices / "out").exists()
    skip = ["--set", "skip_bad=true"]
    assert main(["prepare", "folder", str(voices), str(voices / "out"), *skip]) == 0
    assert "skipped: 1, named in" in capsys.readouterr().out


def test_help_fits_one_screen(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 24
    assert all(name in text for name in CORPORA)
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", "timti", "a", "b"])
    assert stopped.value.code == 2
