"""The models that come along: found by name, read their examples, carry a card."""

import json
import os
import re
import threading

import pytest

import seqlabel
from seqlabel import pretrained
from seqlabel.cli import main
from seqlabel.errors import InputError


def test_the_package_lists_what_it_has():
    assert {"load", "Recognizer", "Ink"} <= set(dir(seqlabel))


def test_the_nearest_name_is_suggested(capsys):
    with pytest.raises(InputError, match="did you mean 'an4'"):
        pretrained.find("an3")
    assert main(["read", "--model", "an4-streamin", "x.wav"]) == 2
    assert "an4-streaming" in capsys.readouterr().err
    with pytest.raises(InputError, match="no such model directory"):
        seqlabel.load("nothing-like-it")
    with pytest.raises(InputError, match="no such model directory"):
        seqlabel.load("some/folder/an4")


def test_a_folder_of_the_name_goes_first(tmp_path, monkeypatch):
    (tmp_path / "an4").mkdir()
    monkeypatch.chdir(tmp_path)
    assert str(pretrained.resolve("an4")) == "an4"
    monkeypatch.chdir("/")
    assert pretrained.resolve("an4") == pretrained.find("an4")


def test_a_model_without_files_to_read_is_told(capsys):
    assert main(["read", "an4"]) == 2
    assert "no file given: seqlabel read an4" in capsys.readouterr().err


def test_one_bad_file_does_not_keep_the_others_from_being_read(tmp_path, capsys):
    example = str(pretrained.find("an4") / "example.wav")
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    files = [example, str(tmp_path / "bad.wav"), str(tmp_path / "absent.wav"), example]
    assert main(["read", "an4", *files]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("ERASE C Q Q F SEVEN") == 2
    assert [line.partition("bad.wav")[1] for line in printed.err.splitlines()] == ["bad.wav", ""]
    assert main(["read", "an4", "--json", *files]) == 2
    rows = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [row["file"] for row in rows] == files
    assert ["error" in row for row in rows] == [False, True, True, False]
    assert rows[0]["text"] == "ERASE C Q Q F SEVEN"


def test_standard_input_and_pipes_are_read(tmp_path, capsys, monkeypatch):
    example = pretrained.find("an4") / "example.wav"
    pipe, bad = tmp_path / "pipe", tmp_path / "bad"
    os.mkfifo(pipe)
    bad.write_bytes(b"not a sound")
    with example.open("rb") as sound, bad.open("rb") as junk:
        monkeypatch.setattr("seqlabel.cli.read.STANDARD_INPUT", sound.fileno())
        assert main(["read", "an4", "-"]) == 0
        assert capsys.readouterr().out == "-: ERASE C Q Q F SEVEN\n"
        monkeypatch.setattr("seqlabel.cli.read.STANDARD_INPUT", junk.fileno())
        assert main(["read", "an4", "-"]) == 2
        assert capsys.readouterr().err.startswith("seqlabel read: -: not readable as audio")
    writer = threading.Thread(target=lambda: pipe.write_bytes(example.read_bytes()))
    writer.start()
    assert main(["read", "an4", str(pipe)]) == 0
    writer.join()
    assert capsys.readouterr().out == f"{pipe}: ERASE C Q Q F SEVEN\n"


@pytest.mark.parametrize("name", pretrained.names())
def test_every_model_reads_its_example_and_has_a_card(name, capsys):
    folder = pretrained.find(name)
    (example,) = folder.glob("example.*")
    assert main(["read", "--model", name, str(example)]) == 0
    read = capsys.readouterr().out.rpartition(": ")[2].strip()
    card = (folder / pretrained.CARD).read_text("utf-8")
    told = re.search(r"reads it as `(.+?)`", card)
    assert told is not None
    assert read == told[1]
    for part in ("Data", "Licence", "Protocol", "Trained with", "Date", "CER", "WER"):
        assert part in card
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6e6
    text = (folder / "run.json").read_text("utf-8")
    assert "command" not in text
    assert "host" not in text
