"""A short, seeded part of the fault campaign, and each guard by itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.files import sole_writer, whole_file, whole_folder, write_json, writing

SCRIPT = Path(__file__).parents[1] / "scripts" / "faults.py"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_thirty_faults_are_survived(tmp_path):
    command = [sys.executable, str(SCRIPT), "--quick", "--json", str(tmp_path / "faults.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "faults.json").read_text())
    assert (found["faults"], found["lost"]) == (30, [])


@contextmanager
def busy(*contexts) -> Iterator[None]:
    """A forked process inside `contexts`, killed at the end, without leaving them."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            entered = [context.__enter__() for context in contexts]
            for place in entered:
                if isinstance(place, Path):
                    (place / "x").write_text("half")
            os.write(writer, b"x")
            time.sleep(60)
        finally:
            os._exit(1)
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"x"
        yield
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_the_second_writer_of_a_folder_is_refused_and_a_dead_one_is_not_in_the_way(tmp_path):
    folder = tmp_path / "exp"
    refused = pytest.raises(InputError, match=f"{folder}: another run is writing there")
    with busy(sole_writer(folder)), refused:
        sole_writer(folder).__enter__()
    with sole_writer(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_folder_that_stays_empty_is_not_left_behind(tmp_path):
    with pytest.raises(InputError), sole_writer(tmp_path / "new"):
        raise InputError("no data")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_leaves_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path, monkeypatch
):
    with busy(whole_file(tmp_path / "a.json"), whole_folder(tmp_path / "b")):
        assert len(list(tmp_path.iterdir())) == 2
        monkeypatch.setattr(writing, "_looked_through", set())
        write_json(tmp_path / "c.json", 1)
        assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(writing, "_looked_through", set())
    write_json(tmp_path / "a.json", 2)
    assert sorted(os.listdir(tmp_path)) == ["a.json", "c.json"]


def test_a_link_named_like_a_leftover_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "precious").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".writing-x").symlink_to(tmp_path / "precious")
    write_json(tmp_path / "out" / "a.json", 1)
    assert (tmp_path / "precious").is_dir()


def test_sigterm_ends_a_command_as_an_exception_does(tmp_path, capsys):
    def command() -> int:
        with whole_file(tmp_path / "a") as stream:
            stream.write("half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    assert run_command("seqlabel x", command) == 143
    assert capsys.readouterr().err == ("seqlabel x: terminated; files already finished are kept\n")
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("target", "code"), [("pipe", 0), ("/dev/full", 2)])
def test_output_that_nobody_can_take(target, code):
    if target == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(target, os.O_WRONLY)
    program = (
        "import sys; from seqlabel.cli.failures import run_command\n"
        "sys.exit(run_command('seqlabel x', lambda: print('text')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert done.returncode == code
    assert done.stderr.count("\n") == (code > 0)
