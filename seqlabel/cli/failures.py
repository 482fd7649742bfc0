"""Every failure of a command is one line."""

import errno
import os
import sys
from collections.abc import Callable

from seqlabel.errors import one_line


def run_command(name: str, command: Callable[[], int | None]) -> int:
    """Run a command called `name`: its exit code, and one line on standard error for a failure.

    Exit codes: 0 done, 2 bad usage or input, 130 Ctrl-C, or what the command returns.
    SEQLABEL_TRACEBACK=1 in the environment shows where bad input was found.
    """
    try:
        return command() or 0
    except KeyboardInterrupt:
        print(f"{name}: interrupted; files already finished are kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        cause = error.strerror or str(error)
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        way_out = "; free some space and run again" if full else ""
        path = error.filename2 or error.filename  # the second is where a file was to be moved to
        where = f"{path}: " if path else ""
        print(one_line(f"{name}: {where}{cause}{way_out}"), file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if os.environ.get("SEQLABEL_TRACEBACK") or str(error.name).startswith("seqlabel"):
            raise
        print(f"{name}: {error.name} is not installed; pip install {error.name}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(
            one_line(f"{name}: not enough memory for this; ask for less ({error})"),
            file=sys.stderr,
        )
        return 2
    except ValueError as error:
        if os.environ.get("SEQLABEL_TRACEBACK"):
            raise
        print(one_line(f"{name}: {error}"), file=sys.stderr)
        return 2
