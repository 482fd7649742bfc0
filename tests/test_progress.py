"""Progress bars: on a terminal, and without a trace elsewhere."""

import io
import threading

import tqdm

from seqlabel.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_on_a_terminal_and_removed_at_the_end(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)  # no thread for the tests after this one
    assert list(progress_bar(iter("abc"), "reading", 3)) == ["a", "b", "c"]
    assert "reading: " in terminal.getvalue()
    assert "/3 [" in terminal.getvalue()
    assert terminal.getvalue().rstrip(" ").endswith("\r")


def test_nothing_is_started_where_no_bar_is_shown(monkeypatch):
    """A process killed inside tqdm's lock would hold up all others that were forked beside it."""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr(tqdm.tqdm, "get_lock", None)
    before = threading.active_count()
    assert list(progress_bar("abc", "reading")) == ["a", "b", "c"]
    assert threading.active_count() == before
