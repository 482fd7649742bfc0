"""The kinds of faults. Each runs a verb once with a fault and raises Lost if it ends wrongly."""

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from faults_campaign import VERBS, Campaign, Fault, Lost
from faults_processes import after_processor_time, at_operation, outcome, redirect, run

NOBODY = 65534
REFUSED = "another run is writing there"


def ended(number: int) -> Fault:
    """The fault "kill" or "terminate"."""

    def fault(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
        operation = c.chance.randint(1, c.operations[verb])
        seconds = c.chance.uniform(0, c.seconds[verb])
        by_operation = c.chance.random() < 0.6

        def before() -> None:
            redirect(said)
            if by_operation:
                at_operation(out, operation, lambda: os.kill(os.getpid(), number), [0])
            else:
                after_processor_time(seconds, number)

        code = outcome(run(words, before))
        expected = (-number, -signal.SIGPROF, 0, *((143, 130) if number == signal.SIGTERM else ()))
        if code not in expected:
            raise Lost(f"exit code {code}: {said.read_text()[-600:]}")
        if number == signal.SIGTERM and list(out.rglob(".writing-*")):
            raise Lost("SIGTERM leaves a temporary file")

    return fault


def full_disk(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    if not c.mounts:
        size_limit(c, verb, out, words, said)
        return
    largest = sum(path.stat().st_size for path in (c.base / "data").rglob("*") if path.is_file())
    size = 4096 * c.chance.randint(1, 8) + (largest if VERBS[verb].needs_data else 0)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(out)]
    subprocess.run(command, check=True)
    c.fill(verb, out)
    code = outcome(run(words, lambda: redirect(said)))
    if code not in (0, 2):
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")
    if list(out.rglob(".writing-*")):
        raise Lost("a full disk leaves a temporary file")
    subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)


def size_limit(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    limit = int(2 ** c.chance.uniform(0, 15))

    def before() -> None:
        redirect(said)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code = outcome(run(words, before))
    # Standard output is a file too, so the limit applies to it.
    if code not in (0, 2):
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")
    if list(out.rglob(".writing-*")):
        raise Lost("a size limit leaves a temporary file")


def read_only(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    places = [out, *(path for path in out.rglob("*") if path.is_dir())]

    def before() -> None:
        redirect(said)
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    for place in places:
        place.chmod(0o555)
    code = outcome(run(words, before))
    for place in places:
        place.chmod(0o755)
    if code != 2 or "ermission denied" not in said.read_text():
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")


def two_at_once(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    operation = c.chance.randint(c.operations[verb] // 4, c.operations[verb])

    def before() -> None:
        redirect(said)
        at_operation(out, operation, lambda: os.kill(os.getpid(), signal.SIGSTOP), [0])

    first = run(words, before)
    _, status = os.waitpid(first, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        return  # it ended before reaching that operation
    second = outcome(run(words, lambda: redirect(said.with_suffix(".2"))))
    told = said.with_suffix(".2").read_text()
    said.with_suffix(".2").unlink()
    os.kill(first, signal.SIGCONT)
    code = outcome(first)
    refused = second == 2 and REFUSED in told and str(out) in told
    # The first may have released its lock already.
    if "Traceback" in told or not (refused or second == 0):
        raise Lost(f"the second: exit code {second}: {told[-600:]}")
    if second == 0 and VERBS[verb].locks and operation < c.operations[verb] * 0.9:
        raise Lost("the second process was not refused")
    if code:
        raise Lost(f"the first: exit code {code}: {said.read_text()[-600:]}")


def closed_pipe(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    both = c.chance.random() < 0.5

    def before() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        redirect(said, writer, writer if both else None)

    code = outcome(run(words, before))
    if code:
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")
    c.check(verb, out, whole=True)


def full_output(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    code = outcome(run(words, lambda: redirect(said, os.open("/dev/full", os.O_WRONLY))))
    if code not in (0, 2):
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")


def clock(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    step = c.chance.choice((0.01, 60.0, 1e6))
    for path in [out, *out.rglob("*")]:
        os.utime(path, (2e9, 2e9))

    def before() -> None:
        redirect(said)
        now = [time.time()]

        def back() -> float:
            now[0] -= step
            return now[0]

        time.time = back
        time.time_ns = lambda: int(back() * 1e9)

    code = outcome(run(words, before))
    if code:
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")


def no_home(c: Campaign, verb: str, out: Path, words: list[str | Path], said: Path) -> None:
    def before() -> None:
        redirect(said)
        for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
            os.environ.pop(name, None)
        os.environ["HOME"] = "/dev/null/none"
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])

    code = outcome(run(words, before, fresh=True))
    if code:
        raise Lost(f"exit code {code}: {said.read_text()[-600:]}")
    c.check(verb, out, whole=True)


FAULTS: dict[str, Fault] = {
    "kill": ended(signal.SIGKILL),
    "terminate": ended(signal.SIGTERM),
    "full disk": full_disk,
    "size limit": size_limit,
    "read-only": read_only,
    "two at once": two_at_once,
    "closed pipe": closed_pipe,
    "full output": full_output,
    "clock": clock,
    "no home": no_home,
}
SHARES = {"kill": 12, "terminate": 8, "full disk": 5, "size limit": 5, "read-only": 2,
          "two at once": 4, "closed pipe": 3, "full output": 2, "clock": 3}  # fmt: skip
"""Relative frequency of each kind of fault."""
