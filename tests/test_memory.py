"""Peak memory is that of the process itself."""

import subprocess
import sys
from pathlib import Path

from seqlabel.memory import peak_memory

SAY = "from seqlabel.memory import peak_memory; print(peak_memory())"


def test_what_was_freed_still_counts():
    before = peak_memory()
    block = bytearray(b"x") * (before + (64 << 20))
    during = peak_memory()
    del block
    assert during > before + (48 << 20)
    assert peak_memory() > during - (1 << 20)  # the kernel counts in batches of pages


def test_without_proc_the_system_says_it(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError

    expected = peak_memory()
    monkeypatch.setattr(Path, "read_text", absent)
    assert 0.5 * expected < peak_memory() < 10 * expected


def test_the_process_that_started_this_one_does_not_count():
    large = bytearray(b"x") * (peak_memory() + (300 << 20))
    said = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert int(said.stdout) < len(large)
