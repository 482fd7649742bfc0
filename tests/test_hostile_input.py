"""Hostile files end in one line: model directories, terminals, caches, bombs."""

import gzip
import io
import json
import logging
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from seqlabel import compile_cache
from seqlabel.alphabet import Alphabet
from seqlabel.cli.terminal import ERASE, InertFormatter, InertStream
from seqlabel.compile_cache import choose_compile_cache, is_private
from seqlabel.decoding import NgramLM
from seqlabel.errors import InputError, inert
from seqlabel.features.front_end import FrontEnd, FrontEndOptions, make_extractor
from seqlabel.files import read_json
from seqlabel.inputs import audio, recording
from seqlabel.models.network import ModelOptions
from seqlabel.training.checkpoint import load_checkpoint
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import (
    load_model,
    load_weights,
    make_model,
    save_weights,
    write_description,
)

ACTS = "\x1b]0;x\x07\r\x9b2J\u202e\u2066\u200f\u2028"


@pytest.fixture
def model(tmp_path):
    """A model directory of 4 cells, untrained."""
    experiment = Experiment(
        {"kind": "ink_delta"},
        front_end=FrontEndOptions(normalise="none"),
        model=ModelOptions(hidden=4, layers=1),
    )
    alphabet = Alphabet("ab", "character")
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
    folder = tmp_path / "model"
    write_description(folder, experiment, alphabet, front_end, {})
    save_weights(
        folder / "weights.safetensors", make_model(experiment, front_end, alphabet).state_dict()
    )
    load_model(folder)
    return folder


def change(folder, old, new):
    path = folder / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def refused(folder, words):
    with pytest.raises(InputError, match=words) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hidden = 4", "hidden = 65536"),
        ("layers = 1", "layers = 1000000000"),
        ("hidden = 4", "hidden = 5"),
    ],
)
def test_a_network_takes_no_more_memory_than_its_weights(model, old, new, monkeypatch):
    change(model, old, new)
    made = []
    uniform = torch.nn.init.uniform_

    def watched(tensor, *rest, **named):
        made.append(tensor.device.type)
        return uniform(tensor, *rest, **named)

    monkeypatch.setattr(torch.nn.init, "uniform_", watched)
    refused(model, "weights.safetensors: does not fit config.toml")
    assert "cpu" not in made


def safetensors(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


BOMBS = {
    "header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "header of 1 GB": struct.pack("<Q", 1 << 30) + b"{}",
    "no header": b"\x01",
    "nested header": safetensors(b"[" * 100_000),
    "huge tensor": safetensors({"a": tensor([1 << 40], 0, 1 << 42)}),
    "overflow": safetensors({"a": tensor([1 << 33, 1 << 33], 0, 0)}),
    "overlap": safetensors({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
    "hole": safetensors({"a": tensor([1], 4, 8)}, bytes(8)),
    "negative": safetensors({"a": tensor([-1], 0, 4)}, bytes(4)),
    "unknown type": safetensors({"a": tensor([1], 0, 4, "Q9")}, bytes(4)),
    "million names": safetensors({f"n{n}": tensor([0], 0, 0) for n in range(20_000)}),
    "names that lead out": safetensors({"../../x": tensor([1], 0, 4)}, bytes(4)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_in_the_place_of_weights(model, bomb):
    (model / "weights.safetensors").write_bytes(BOMBS[bomb])
    refused(model, "weights.safetensors")


def test_wrong_types_and_shapes_of_weights(model):
    path = model / "weights.safetensors"
    weights = {name: weight.numpy() for name, weight in load_weights(path).items()}
    first = next(iter(weights))
    for bad in (weights[first][None], weights[first][:0]):
        save_file({**weights, first: np.ascontiguousarray(bad)}, path)
        refused(model, "does not fit config.toml")
    save_file({**weights, "../../x": np.zeros(1, np.float32)}, path)
    refused(model, "does not fit config.toml")
    save_file({**weights, first + ".scale": np.zeros(1, np.float32)}, path)
    refused(model, "scales do not fit")


def test_configurations_and_alphabets_that_no_training_writes(model):
    config, alphabet = (model / name for name in ("config.toml", "alphabet.json"))
    good = config.read_text()
    config.write_text("\n".join(f"key{n} = 1" for n in range(1_000_000)))
    refused(model, "config.toml: longer than")
    config.write_text("\n".join(f"key{n} = 1" for n in range(50_000)))
    refused(model, "unknown option key0")
    config.write_text("a = " + "[" * 100_000)
    refused(model, "config.toml: ")
    config.write_text(f'base = "/dev/zero"\n{good}')
    refused(model, "unknown option base")
    config.unlink()
    os.mkfifo(config)
    refused(model, "config.toml: is not a plain file")
    config.unlink()
    config.symlink_to("/dev/zero")
    refused(model, "config.toml: is not a plain file")
    config.unlink()
    config.write_text(good)
    alphabet.write_text("[" * 1_000_000)
    refused(model, "alphabet.json")
    alphabet.write_text('{"symbols": ["' + "x" * (1 << 24) + '"]}')
    refused(model, "alphabet.json: longer than")


class Payload:
    def __reduce__(self):
        return os.system, ("touch hacked",)


def test_a_checkpoint_with_code_is_not_run(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    torch.save({"progress": {}, "x": Payload()}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="no checkpoint can be read"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "hacked").exists()


def test_json_nested_without_end(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_a_gzip_bomb_of_one_line(tmp_path):
    path = tmp_path / "lm.arpa.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(16):
            stream.write(bytes(1 << 20))
    assert path.stat().st_size < 20_000
    with pytest.raises(InputError, match="a line of more than"):
        NgramLM.from_arpa(path)


def test_a_recording_of_more_samples_than_fit(tmp_path, monkeypatch):
    import soundfile

    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(200_000, np.int16), 16_000, subtype="PCM_16")
    assert path.stat().st_size < 2_000
    monkeypatch.setattr(recording, "_MOST_SAMPLES", 100_000)
    with pytest.raises(InputError, match="200000 samples are more than can be read"):
        audio.read_audio(path)


def test_nothing_acts_on_the_terminal():
    stream = io.StringIO()
    shown = InertStream(stream)
    print(f"a{ACTS}b\tö\u200c\u00a0", file=shown)
    assert stream.getvalue() == (
        "a\\x1b]0;x\\x07\\r\\x9b2J\\u202e\\u2066\\u200f\\u2028b\tö\u200c\u00a0\n"
    )
    shown.write(f"{ERASE}partial")
    assert stream.getvalue().endswith(f"{ERASE}partial")
    record = logging.LogRecord("seqlabel", logging.INFO, "", 0, "id %s", (ACTS,), None)
    assert InertFormatter().format(record) == f"id {inert(ACTS)}"
    assert inert("\ud800\ufeff") == "\\ud800\\ufeff"


def test_a_terminal_is_told_apart_from_a_pipe(tmp_path):
    """`seqlabel check` prints an id of the data; a pipe gets it as it is."""
    pty = pytest.importorskip("pty")
    program = (
        "from seqlabel.cli.terminal import inert_terminal\n"
        "with inert_terminal():\n    print('a\\x1bb')\n"
    )
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert piped.stdout == b"a\x1bb\n"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", program], stdout=theirs, check=True)
    os.close(theirs)
    assert os.read(ours, 100).strip() == b"a\\x1bb"
    os.close(ours)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """`choose_compile_cache` with a folder of NUMBA_CACHE_DIR: what it leaves in the variable."""
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)

    def chosen(folder):
        monkeypatch.setenv(compile_cache.VARIABLE, str(folder))
        choose_compile_cache()
        return os.environ[compile_cache.VARIABLE]

    return chosen


def test_a_compile_cache_of_ones_own_is_used(cache, tmp_path):
    assert cache(tmp_path / "new") == str(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_compile_cache_that_others_can_write_to_is_not_used(cache, tmp_path, caplog):
    tmp_path.chmod(0o777)
    found = cache(tmp_path)
    assert found != str(tmp_path)
    assert os.stat(found).st_mode & 0o777 == 0o700
    assert "another user owns this folder or may write to it" in caplog.text


def test_a_compile_cache_of_another_user_is_not_used(tmp_path, monkeypatch):
    assert is_private(tmp_path)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert is_private(tmp_path) == (owner == 0)  # root could change the code, too
    if owner == 0:
        os.chown(tmp_path, 12345, 12345)
        assert not is_private(tmp_path)


def test_kernels_are_compiled_where_no_cache_can_be_written(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(compile_cache, "_writable", lambda folder: False)
    monkeypatch.setattr(compile_cache, "_in_tree", lambda: False)
    monkeypatch.setattr(compile_cache, "_user_wide", lambda: False)
    found = cache(tmp_path)
    assert found != str(tmp_path)
    assert is_private(compile_cache.Path(found))


def test_a_package_that_cannot_be_written_to_keeps_kernels_with_the_user(tmp_path, monkeypatch):
    """Numba then takes the user's cache folder, if that is the user's alone."""
    monkeypatch.setattr(compile_cache, "PACKAGE", tmp_path / "installed")
    (tmp_path / "installed" / "lstm").mkdir(parents=True)
    (tmp_path / "installed" / "lstm" / "cell.py").touch()
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.delenv(compile_cache.VARIABLE, raising=False)
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "installed" not in str(path) and real(path, mode)
    )
    assert not compile_cache._in_tree()
    choose_compile_cache()
    assert compile_cache.VARIABLE not in os.environ
    (home / "numba").mkdir()
    (home / "numba").chmod(0o777)
    assert not compile_cache._user_wide()


def test_a_folder_that_cannot_be_looked_at_is_nobodys(tmp_path):
    (tmp_path / "file").touch()
    assert is_private(tmp_path / "file" / "below")  # not there: nothing is read from it
    assert not is_private(tmp_path / "file")


def test_a_group_of_others_may_not_write(tmp_path, monkeypatch):
    tmp_path.chmod(0o770)
    status = tmp_path.stat()
    assert is_private(tmp_path) == (status.st_uid == status.st_gid)
    tmp_path.chmod(0o700)
    assert is_private(tmp_path)
