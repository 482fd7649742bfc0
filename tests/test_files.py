"""Whole files: an interrupted write leaves the old file and no litter."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqlabel.errors import InputError
from seqlabel.files import (
    read_json,
    read_jsonl,
    read_text,
    whole_file,
    whole_folder,
    write_json,
    write_jsonl,
)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file(tmp_path, failure):
    path = tmp_path / "result.json"
    write_json(path, {"old": True})
    with pytest.raises(type(failure)), whole_file(path) as stream:
        stream.write("{half")
        raise failure
    assert read_json(path) == {"old": True}
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_disk_that_fills_up_at_the_end_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_json(path, 1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*result\.json'"):
        write_json(path, 2)
    assert read_json(path) == 1
    assert os.listdir(tmp_path) == ["result.json"]


def test_files_are_readable_by_others_as_the_umask_says(tmp_path):
    path = tmp_path / "a"
    before = os.umask(0o022)
    try:
        with whole_file(path) as stream:
            stream.write("x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_reading_names_the_file_and_the_line(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(InputError, match="no such file"):
        read_text(path)
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8 text at byte 0"):
        read_text(path)
    path.write_text('{"a": 1}\n\n{"a": ')
    with pytest.raises(InputError, match=r"a\.jsonl:3: not JSON"):
        list(read_jsonl(path))
    path.write_text("[1]\n")
    with pytest.raises(InputError, match="a JSON object is expected"):
        list(read_jsonl(path))
    write_jsonl(path, [{"a": "é"}, {"b": 2}])
    assert [row for _, row in read_jsonl(path)] == [{"a": "é"}, {"b": 2}]


@pytest.mark.parametrize(
    "line", ['{"a": %s}' % ("1" * 5000), '{"a": %s' % ("[" * 100_000), '{"a": "\\ud800"}']
)
def test_json_that_no_file_should_hold_is_named(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "\\ud83d\\ude00"}\n' + line)
    with pytest.raises(InputError, match=r"a\.jsonl:2: "):
        list(read_jsonl(path))
    if "ud800" not in line:
        path.write_text(line)
        with pytest.raises(InputError, match=r"a\.jsonl: cannot be read as JSON"):
            read_json(path)


@pytest.mark.parametrize("there", [True, False])
def test_of_folders_that_are_written_at_once_the_last_one_stays(tmp_path, monkeypatch, there):
    path, replace = tmp_path / "index", os.replace
    if there:
        with whole_folder(path) as folder:
            (folder / "old").touch()
    others = ["first", "second"]

    def late(source, target):  # between the look at `path` and the renaming another one appears
        if str(target) == str(path) and others:
            path.mkdir()
            (path / others.pop()).touch()
        elif str(source) == str(path) and len(others) == 1:
            replace(path, tmp_path / "gone")  # and is taken away before it is moved aside
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    with whole_folder(path) as folder:
        (folder / "mine").touch()
    assert os.listdir(path) == ["mine"]
    assert not others
    assert sorted(os.listdir(tmp_path)) == ["gone", "index"]


def test_pipes_and_devices_are_written_into(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(tmp_path / "pipe") as stream:
        stream.write("straße")
    assert os.read(reader, 99).decode() == "straße"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    with whole_file("/dev/null", "wb") as stream:
        stream.write(b"x")
    assert Path("/dev/null").is_char_device()
    code = "from seqlabel.files import write_json; write_json('/dev/stdout', 1)"
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "1\n"
    assert Path("/dev/stdout").is_symlink()
