"""Kernels compiled beside the program: once, without a trace at its end, and not across a fork."""

import os
import subprocess
import sys
import threading

import pytest

from seqlabel.decoding import background

BEGIN = """
import numpy as np
from seqlabel.decoding.search.spans import label_spans, span_kernels
kernels = span_kernels(np.dtype(np.float32), True)
x, labels = np.log(np.full((1, 9, 3), 1 / 3, np.float32)), np.array([1, 2], np.int32)
print(label_spans(x, np.array([9]), 0, labels, [2]))
"""


def run(code, cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600
    )


@pytest.fixture
def nothing_on_disk(monkeypatch):
    monkeypatch.setattr(background, "on_disk", lambda kernel: False)


def test_a_kernel_is_compiled_once_and_the_caller_goes_on(nothing_on_disk):
    go, calls = threading.Event(), []

    def work():
        go.wait()
        calls.append(threading.current_thread())

    first = background.compiled("once", work, None)
    second = background.compiled("once", work, None)
    assert first is second
    assert not first.ready
    go.set()
    first.wait()
    assert first.ready
    assert len(calls) == 1
    assert calls[0] is not threading.current_thread()
    assert calls[0].daemon


def test_what_fails_is_left_to_the_call_that_needs_it(nothing_on_disk, capfd):
    def work():
        raise ValueError("no compiler")

    failed = background.compiled("fails", work, None)
    failed.wait()
    assert failed.ready
    assert capfd.readouterr() == ("", "")


def test_kernels_on_disk_are_waited_for():
    loaded = background.compiled("loaded", lambda: None, None)
    assert loaded.ready


def test_the_end_of_a_program_waits_for_the_cache(tmp_path):
    patient = "from seqlabel.decoding import background\n"  # as a busy machine needs it
    patient += "background.FINISHING = background.FROM_DISK = 500.0\n"
    first = run(patient + BEGIN, tmp_path)
    assert first.returncode == 0
    assert "Traceback" not in first.stderr
    assert not list(tmp_path.rglob("*.tmp.*"))
    again = run(patient + BEGIN + "assert kernels.ready", tmp_path)
    assert (again.returncode, again.stderr, again.stdout) == (0, "", first.stdout)


def test_a_program_that_ends_without_a_cache_stops_the_compiler(tmp_path):
    without = "from seqlabel.decoding import background\nbackground.is_kept = lambda: False\n"
    first = run(without + BEGIN, tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert not list(tmp_path.rglob("*.tmp.*"))
    assert not list(tmp_path.rglob("*walk_paths*"))
    assert run(BEGIN + "kernels.wait()", tmp_path).stdout == first.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_waits_for_the_compiler(tmp_path):
    """The child would find the compiler locked by a thread that it does not have."""
    code = """
child = os.fork()
if child == 0:
    label_spans(x, np.array([9]), 0, labels, [2])
    os._exit(0 if kernels.ready else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    found = run("import os\n" + BEGIN + code, tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
