"""One line and an exit code for every way in which a command can fail."""

import errno
import signal
import threading

import pytest

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError


def failing(error):
    def command():
        raise error

    return command


FAILURES = {
    "interrupted": (KeyboardInterrupt(), 130, "interrupted; files already finished are kept"),
    "input": (InputError("a.wav: empty"), 2, "a.wav: empty"),
    "file": (FileNotFoundError(errno.ENOENT, "No such file", "a.wav"), 2, "a.wav: No such file"),
    "full": (OSError(errno.EFBIG, "File too large", "a"), 2,
             "a: File too large; free some space and run again"),
    "move": (OSError(errno.EACCES, "Permission denied", "a.part", None, "a"), 2,
             "a: Permission denied"),
    "nameless": (OSError("no device"), 2, "no device"),
    "module": (ModuleNotFoundError("no", name="pyarrow"), 2,
               "pyarrow is not installed; pip install pyarrow"),
    "memory": (MemoryError("3 GB"), 2, "out of memory (3 GB); reduce the batch, beam or signal"),
    "lines": (ValueError("a\nb"), 2, "a\\nb"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_one_line_and_a_code(name, capsys):
    error, code, line = FAILURES[name]
    assert run_command("seqlabel x", failing(error)) == code
    assert capsys.readouterr() == ("", f"seqlabel x: {line}\n")


@pytest.mark.parametrize("result", [None, 0, 3])
def test_a_command_that_ends_well_says_nothing(result, capsys):
    assert run_command("seqlabel x", lambda: result) == (result or 0)
    assert capsys.readouterr() == ("", "")


def test_our_own_mistakes_are_not_hidden():
    with pytest.raises(ModuleNotFoundError):
        run_command("x", failing(ModuleNotFoundError("no", name="seqlabel.nothing")))
    with pytest.raises(TypeError):
        run_command("x", failing(TypeError()))


@pytest.mark.parametrize("error", [InputError("a"), ModuleNotFoundError("a", name="b")])
def test_a_traceback_on_demand(error, monkeypatch):
    monkeypatch.setenv("SEQLABEL_TRACEBACK", "1")
    with pytest.raises(type(error)):
        run_command("x", failing(error))


def test_a_command_runs_in_any_thread():
    """Signals are the main thread's: elsewhere the command runs without a handler."""
    codes = []
    thread = threading.Thread(target=lambda: codes.append(run_command("x", lambda: 5)))
    thread.start()
    thread.join()
    assert codes == [5]


def test_one_of_many_processes_leaves_sigterm_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    run_command("x", lambda: seen.append(signal.getsignal(signal.SIGTERM)))
    assert seen == [before]
