"""Processes of the fault campaign: runs commands in forks, ends them, redirects their output."""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlabel.cli import main as seqlabel

LONGEST = 300.0
"""Seconds that a command may take; after that it is taken to hang."""


def run(words: list[str | Path], before: Callable[[], None], fresh: bool = False) -> int:
    """Process id of a fork (or of a fresh interpreter) that runs `seqlabel WORDS`."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        before()
        line = [str(word) for word in words]
        if fresh:
            os.execv(sys.executable, [sys.executable, "-m", "seqlabel.cli", *line])
        code = seqlabel(line)
    except SystemExit as exit:
        code = int(exit.code or 0)
    except BaseException:
        with contextlib.suppress(OSError):
            traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        # As when an interpreter exits: output that cannot be flushed is an error.
        try:
            sys.stdout.flush()
        except OSError:
            code = 120
        os._exit(code)


def outcome(child: int) -> int:
    """Exit code, or minus the signal. After LONGEST, kills the process and raises TimeoutError."""
    end = time.monotonic() + LONGEST
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError(f"it was still running after {LONGEST:g} s")
        time.sleep(0.002)


def redirect(output: Path, stdout: int | None = None, stderr: int | None = None) -> None:
    """Redirect standard output and error to a file, or to the given descriptors."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(file if stdout is None else stdout, 1)
    os.dup2(file if stderr is None else stderr, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def at_operation(folder: Path, number: int, act: Callable[[], None], seen: list[int]) -> None:
    """Call `act` before file operation `number` below `folder`; `seen[0]` counts operations."""
    start = str(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(("open", "os.", "shutil.")) and any(
            str(argument).startswith(start) for argument in arguments[:2]
        ):
            seen[0] += 1
            if seen[0] == number:
                act()

    sys.addaudithook(hook)


def after_processor_time(seconds: float, number: int) -> None:
    """Kill this process, or send it the signal `number`, after some processor time."""
    if number == signal.SIGKILL:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the default action kills the process
    else:
        signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), number))
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-4))


def descendants(pid: int) -> list[int]:
    """Training processes below a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                line = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"seqlabel.cli" in line and b"torch.distributed.run" not in line:
                    found.append(child)
                found += descendants(child)
    return found
