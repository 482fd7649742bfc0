"""The command: address, port, model, folder; and its end."""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from seqlabel.cli import main
from seqlabel.cli.demo import add_arguments
from seqlabel.demo.server import App, open_server
from seqlabel.errors import InputError


def test_the_next_free_port_is_taken_and_said(ink_model):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        command = [sys.executable, "-m", "seqlabel.cli", "demo", str(ink_model), "--no-browser"]
        with subprocess.Popen(
            [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:  # fmt: skip
            try:
                said = process.stdout.readline()
                found = re.fullmatch(rf"port {port} is in use; using (\d+)\n", said)
                assert found
                address = process.stdout.readline().split()[0]
                assert address.startswith(f"http://127.0.0.1:{found[1]}/")
                with urllib.request.urlopen(address, timeout=30) as page:
                    assert b"<title>seqlabel" in page.read()
            finally:
                process.send_signal(signal.SIGINT)
            try:
                rest, errors = process.communicate(timeout=60)
            finally:
                process.kill()
    assert (rest, errors, process.returncode) == ("\nstopped\n", "", 0)


def test_ports_that_cannot_be_had(readers, monkeypatch):
    app = App(readers)
    with pytest.raises(InputError, match="must be 0 to 65535"):
        open_server(app, "127.0.0.1", 65536)
    with pytest.raises(InputError, match=r"--host 192\.0\.2\.1: "):
        open_server(app, "192.0.2.1", 0)
    with pytest.raises(InputError, match=r"--host no\.such\.invalid: not an address"):
        open_server(app, "no.such.invalid", 0)
    monkeypatch.setattr("seqlabel.demo.server.PORTS_TRIED", 1)
    with open_server(app, "127.0.0.1", 0) as first, pytest.raises(InputError, match="are in use"):
        open_server(app, "127.0.0.1", first.server_port)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/absent"], "absent"),
        (["anfour"], "no such model directory, and no model 'anfour' comes with seqlabel"),
        (["{ink}", "{sound}", "--lm", "x.arpa"], "--lm needs exactly one model: give one EXP"),
        (["{ink}", "--beam", "0"], "beam is 0"),
        (["{ink}", "--lexicon", "{tmp}/absent.txt"], "absent.txt: no such file"),
        (["{ink}", "--corpus", "{tmp}/file"], "is a file; name a folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments, message, ink_model, sound_model, tmp_path, capsys
):
    (tmp_path / "file").write_text("x")
    places = {"tmp": tmp_path, "ink": ink_model, "sound": sound_model}
    assert main(["demo", *(a.format(**places) for a in arguments), "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_decoders_of_the_command_line_are_offered(ink_model, tmp_path):
    from seqlabel.cli.demo import _readers

    (tmp_path / "words.txt").write_text("cow\nlow\nvol\n")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    (plain,) = _readers(parser.parse_args([str(ink_model)]))
    assert [choice.title for choice in plain.choices] == ["greedy", "beam 25"]
    assert [choice.scale for choice in plain.choices] == ["path", "posterior"]
    words = ["--beam", "9", "--lexicon", str(tmp_path / "words.txt")]
    (informed,) = _readers(parser.parse_args([str(ink_model), *words]))
    assert [choice.title for choice in informed.choices] == [
        "greedy", "beam 9", "beam 9, 3 words of words.txt"
    ]  # fmt: skip
    assert informed.choices[-1].scale == "score"
    assert informed.choices[-1].decoder.lexicon.words == ("cow", "low", "vol")


def test_without_a_model_those_that_come_along_are_offered(monkeypatch, ink_model, sound_model):
    from seqlabel.cli.demo import _readers

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    come_along = {"letters": ink_model, "tones": sound_model}
    monkeypatch.setattr("seqlabel.pretrained.names", lambda: tuple(come_along))
    monkeypatch.setattr("seqlabel.pretrained.find", come_along.__getitem__)
    readers = _readers(parser.parse_args([]))
    assert [(r.name, r.recognizer.kind) for r in readers] == [
        ("letters", "ink"),
        ("tones", "speech"),
    ]
    monkeypatch.setattr("seqlabel.pretrained.names", tuple)
    with pytest.raises(InputError, match="give EXP, a model directory"):
        _readers(parser.parse_args([]))
