"""Failures of a command as one line on standard error."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from seqlabel.errors import one_line


class Terminated(BaseException):
    """SIGTERM was received."""


def run_command(name: str, command: Callable[[], int | None]) -> int:
    """Run a command called `name`: its exit code, and one line on standard error for a failure.

    Exit codes: 0 done, 2 bad usage or input, 130 Ctrl-C, 143 SIGTERM, or what the command returns.
    With SEQLABEL_TRACEBACK=1 in the environment, errors have a traceback.
    """
    try:
        with _ended_by_sigterm():
            code = command() or 0
            if sys.stdout is not None:
                sys.stdout.flush()  # a closed pipe or a full disk fails here, not at exit
            return code
    except KeyboardInterrupt:
        return _fail(name, "interrupted; files already finished are kept", 130)
    except Terminated:
        return _fail(name, "terminated; files already finished are kept", 143)
    except BrokenPipeError:
        _give_up_stdout()
        return 0
    except OSError as error:
        cause = error.strerror or str(error)
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        way_out = "; free some space and run again" if full else ""
        path = error.filename2 or error.filename  # the second is where a file was to be moved to
        where = f"{path}: " if path else ""
        if full and not path:
            _give_up_stdout()  # what is left to print cannot be written at exit either
        return _fail(name, f"{where}{cause}{way_out}", 2)
    except ModuleNotFoundError as error:
        if os.environ.get("SEQLABEL_TRACEBACK") or str(error.name).startswith("seqlabel"):
            raise
        return _fail(name, f"{error.name} is not installed; pip install {error.name}", 2)
    except MemoryError as error:
        return _fail(name, f"out of memory ({error}); reduce the batch, beam or signal", 2)
    except ValueError as error:
        if os.environ.get("SEQLABEL_TRACEBACK"):
            raise
        return _fail(name, str(error), 2)


def tell(name: str, message: str) -> None:
    """Print a failure of the command `name` as one line on standard error."""
    with contextlib.suppress(OSError):  # standard error may be a closed pipe, too
        print(one_line(f"{name}: {message}"), file=sys.stderr, flush=True)


def _fail(name: str, message: str, code: int) -> int:
    tell(name, message)
    return code


def _give_up_stdout() -> None:
    """Discard what standard output has buffered."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the command as an exception does: temporary files are removed.

    Not in one of several processes: there it follows the loss of another, and waiting has to end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not the main thread, which decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
