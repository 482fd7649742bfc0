"""Damaged files of every reader, and the harness that judges what becomes of them."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqlabel.errors import InputError

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def fuzz():
    import fuzz

    return fuzz


@pytest.fixture(scope="module")
def readers(fuzz):
    return fuzz.make_readers()


def test_every_reader_reads_or_refuses(readers, tmp_path):
    """Fixed inputs: a failure here is one of the package, not of chance.

    In a process of its own, since it forks: threads of earlier tests may hold locks.
    """
    command = [sys.executable, str(SCRIPTS / "fuzz.py"), "--seed", "2", "--count", "8"]
    command += ["--json", str(tmp_path / "fuzz.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "fuzz.json").read_text())["readers"]
    assert {name: tally["tried"] for name, tally in found.items()} == {r.name: 8 for r in readers}
    assert not any(tally["failed"] for tally in found.values())


def test_a_child_that_never_begins_is_an_error(fuzz, monkeypatch):
    def child(*arguments):
        raise MemoryError

    monkeypatch.setattr(fuzz, "child", child)
    reader = fuzz.Reader("none", [{"input.txt": b"some text"}], lambda folder: None)
    with pytest.raises(RuntimeError, match="before its first input"):
        list(fuzz.run(reader, fuzz.Tally(), 1, 3, float("inf")))


def test_an_input_that_waits_for_ever_is_a_failure(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "WAIT", 1.5)
    tally = fuzz.Tally()
    reader = fuzz.Reader("waits", [{"input.txt": b"some text"}], lambda folder: time.sleep(60))
    assert list(fuzz.run(reader, tally, 1, 1, float("inf"))) == [0]
    assert tally.tried == 1


def refuse(folder):
    raise InputError(f"{folder / 'input.txt'}: no good")


def refuse_without_a_name(folder):
    raise InputError("no good")


def crash(folder):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)


def hang(folder):
    start = time.process_time()
    while time.process_time() < start + 60:
        pass


READERS = {
    "fine": (lambda folder: None, 0, 3, ""),
    "refused": (refuse, 3, 0, ""),
    "unnamed": (refuse_without_a_name, 0, 0, "a message that names no file"),
    "broken": (lambda folder: {}["key"], 0, 0, "KeyError at"),
    "greedy": (lambda folder: bytearray(2 << 30), 0, 0, "MemoryError at"),
    "crash": (crash, 0, 0, "ended with status 11"),
    "endless": (hang, 0, 0, "more than 0.2 s"),
}


@pytest.mark.parametrize("name", READERS)
def test_failures_are_told_apart(fuzz, name, monkeypatch):
    read, refused, fine, cause = READERS[name]
    monkeypatch.setattr(fuzz, "HANG", 0.2)
    tally = fuzz.Tally()
    count = 1 if name == "endless" else 3
    reader = fuzz.Reader(name, [{"input.txt": b"some text"}], read)
    assert list(fuzz.run(reader, tally, 1, count, float("inf"))) == ([0] if cause else [])
    assert (tally.tried, tally.refused, tally.read) == (count, refused, fine)
    assert sum(tally.failures.values()) == (count if cause else 0)
    assert all(cause in failure for failure in tally.failures)


def test_an_input_is_always_the_same(fuzz, readers):
    reader = readers[0]
    inputs = [fuzz.make_input(reader, 1, number) for number in range(4)]
    assert inputs == [fuzz.make_input(reader, 1, number) for number in range(4)]
    assert len({str(item) for item in inputs}) == 4
