"""Damaged files of every reader, and the harness that judges what becomes of them."""

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


def test_every_reader_reads_or_refuses(fuzz, readers):
    """Fixed inputs: a failure here is one of the package, not of chance."""
    failures = []
    for reader in readers:
        tally = fuzz.Tally()
        list(fuzz.run(reader, tally, seed=2, count=8, deadline=float("inf")))
        assert tally.tried == 8
        failures += [(reader.name, *failure) for failure in tally.first.items()]
    assert not failures


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
