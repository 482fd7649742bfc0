"""A fault campaign: every verb is disturbed many times, checked, and run again.

    python scripts/faults.py [--faults N] [--seed S] [--quick] [--json FILE] [--torchrun N]

A tiny corpus is prepared, trained on, decoded and scored once, undisturbed. Then each fault runs a
verb in a forked process and disturbs it:

    kill        ends without notice, at a file operation or after some processor time
    terminate   SIGTERM, at a file operation or after some processor time
    full disk   a file system too small for the results (RLIMIT_FSIZE where none can be mounted)
    size limit  RLIMIT_FSIZE, below the largest file
    read-only   the folder may not be written to (as another user where root runs this)
    two at once the same command starts while the first is half done
    closed pipe nobody reads standard output and standard error
    full output standard output is a full disk
    clock       the clock goes back with every look at it; files are from the future
    no home     a new interpreter whose home cannot be written to

Afterwards every file that can be seen is whole: that of before, or that of an undisturbed run, and
the message was one line. Then the same command runs undisturbed: it succeeds, ends with what the
undisturbed run has, to the last bit of the weights, and leaves no temporary file.
`--torchrun` kills one of two training processes so many times and compares the weights.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlabel.cli import main as seqlabel
from seqlabel.files import write_json

CONFIG = """
seed = 3
features.kind = "ink_delta"
training.threads = 1
training.checkpoint_minutes = 0
[model]
hidden = 6
layers = 1
[batches]
frames = 2000
[[phases]]
epochs = 2
learning_rate = 0.01
ema = 0.9
[[phases]]
epochs = 1
learning_rate = 0.001
average = 2
"""
NOBODY = 65534
REFUSED = "another run is writing there"


@dataclass(frozen=True)
class Verb:
    """A command on the shared corpus `base` that writes into a folder of its own."""

    words: Callable[[Path, Path], list[str | Path]]
    needs_data: bool = False
    locks: bool = False


VERBS = {
    "prepare": Verb(lambda b, o: ["prepare", "iam_ondb", b / "corpus", o / "data"], locks=True),
    "features": Verb(
        lambda b, o: ["features", b / "tiny.toml", "--data", o / "data"], needs_data=True
    ),
    "train": Verb(
        lambda b, o: [
            "train", b / "tiny.toml", "--data", b / "data", "--out", o / "exp", "--resume",
        ],
        locks=True,
    ),
    "decode": Verb(
        lambda b, o: [
            "decode", b / "exp", b / "data" / "dev.jsonl", "--out", o / "hyp.jsonl",
            "--evidence", "2", "--beam", "4",
        ]
    ),
    "score": Verb(
        lambda b, o: [
            "score", b / "data" / "dev.jsonl", b / "hyp.jsonl", "--out", o / "report",
            "--export", "trn",
        ],
        locks=True,
    ),
    "lm": Verb(
        lambda b, o: [
            "lm", b / "data", "--unit", "words", "--order", "2", "--out", o / "lm.arpa",
            "--lexicon", o / "words.txt",
        ]
    ),
}  # fmt: skip
QUICK = ("prepare", "lm", "score")


class Lost(Exception):
    """What a fault has done that it must not do."""


def run(words: list[str | Path], before: Callable[[], None], fresh: bool = False) -> int:
    """Process number of a fork (or of a new interpreter) that runs `seqlabel WORDS`."""
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
        # As at the end of an interpreter: what cannot be flushed there is an error.
        try:
            sys.stdout.flush()
        except OSError:
            code = 120
        os._exit(code)


def outcome(child: int) -> int:
    """Exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def redirect(output: Path, stdout: int | None = None, stderr: int | None = None) -> None:
    """Standard output and error of this process into a file, or where else is said."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(file if stdout is None else stdout, 1)
    os.dup2(file if stderr is None else stderr, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def at_operation(folder: Path, number: int, act: Callable[[], None], seen: list[int]) -> None:
    """Do `act` before file operation `number` below `folder`; `seen[0]` counts them."""
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
    """End without notice (SIGKILL), or send SIGTERM, after so much processor time."""
    if number == signal.SIGKILL:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # its default action ends the process at once
    else:
        signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), number))
    signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-4))


def contents(folder: Path) -> dict[str, Any]:
    """Relative path -> what must be the same in every run, of all files that can be seen."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and ".writing-" not in name and ".removing-" not in name:
            found[name] = content(path)
    return found


def content(path: Path) -> Any:
    """A file without times and places; raises for a file that is not whole."""
    data = path.read_bytes()
    if path.name in ("run.json", "store.json", "index.json") or path.suffix in (".npz", ".npy"):
        if path.suffix == ".json":
            json.loads(data)
        else:
            import numpy as np

            np.load(io.BytesIO(data), allow_pickle=False)
        return "there"
    if path.suffix == ".pt":
        import torch

        model = torch.load(io.BytesIO(data), weights_only=True)["model"]
        return {name: value.numpy().tobytes() for name, value in model.items()}
    if path.name == "metrics.json":
        return {k: v for k, v in json.loads(data).items() if k != "minutes"}
    if path.name == "log.csv":
        rows = csv.DictReader(io.StringIO(data.decode()))
        return [[row[k] for k in ("epoch", "updates", "train_loss", "dev_loss")] for row in rows]
    if path.name == "hyp.jsonl":
        return [json.loads(line) for line in data.splitlines()[1:]]
    if path.name.endswith(".safetensors"):
        from safetensors.numpy import load

        load(data)
    return data


class Campaign:
    """The undisturbed results in `base`, and the counts of what was tried."""

    def __init__(self, work: Path, seed: int, verbs: tuple[str, ...]) -> None:
        self.work, self.verbs, self.chance = work, verbs, random.Random(seed)
        self.base = work / "base"
        self.tried: Counter[tuple[str, str]] = Counter()
        self.lost: list[str] = []
        self.expected: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.number = 0
        self.mounts = False

    def begin(self) -> None:
        """Make the corpus, run every verb in this process once, and once more to count."""
        from seqlabel.synthetic import ink

        self.base.mkdir()
        os.chmod(self.work, 0o755)
        (self.base / "tiny.toml").write_text(CONFIG)
        corpus = ink.InkCorpus((10, 4, 4, 4), (3, 2, 2, 2), length=(2, 3))
        ink.write_corpus(self.base / "corpus", corpus)
        known = {"decode": ("train", "decode"), "train": ("train",)}
        needed = dict.fromkeys(n for verb in self.verbs for n in known.get(verb, ()))
        with contextlib.redirect_stdout(io.StringIO()):
            for name in dict.fromkeys(("prepare", *needed, *self.verbs)):
                # In this process, so that its forks find all that is imported and compiled.
                if name == "score" and "decode" not in needed:
                    shutil.copy(self.base / "data" / "dev.jsonl", self.base / "hyp.jsonl")
                if name != "features":
                    assert seqlabel([str(w) for w in VERBS[name].words(self.base, self.base)]) == 0
        for name in self.verbs:
            out = self.folder(name)
            counted = self.work / "count"

            def before(out: Path = out, counted: Path = counted) -> None:
                redirect(counted)
                seen = [0]
                at_operation(out, -1, lambda: None, seen)
                finish = os._exit

                def report(code: int) -> None:
                    spent = sum(os.times()[:2])
                    counted.write_text(f"{seen[0]} {spent}")
                    finish(code)

                os._exit = report  # type: ignore[assignment]

            assert outcome(run(VERBS[name].words(self.base, out), before)) == 0
            operations, seconds = counted.read_text().split()
            self.operations[name], self.seconds[name] = int(operations), float(seconds)
            self.expected[name] = contents(out)
            shutil.rmtree(out)
        self.mounts = self._can_mount()

    def _can_mount(self) -> bool:
        place = self.work / "mount"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
        with contextlib.suppress(OSError):
            if subprocess.run(command, capture_output=True).returncode == 0:
                subprocess.run(["umount", str(place)], check=True)
                return True
        return False

    def folder(self, verb: str) -> Path:
        """A new folder for the results of one fault."""
        self.number += 1
        out = self.work / f"{self.number:04d}"
        out.mkdir()
        self.fill(verb, out)
        return out

    def fill(self, verb: str, out: Path) -> None:
        if VERBS[verb].needs_data:
            ignore = shutil.ignore_patterns("features")
            shutil.copytree(self.base / "data", out / "data", ignore=ignore)

    def fault(self, kind: str, verb: str) -> None:
        """Disturb a verb once, check, recover, check."""
        out = self.folder(verb)
        words = VERBS[verb].words(self.base, out)
        said = self.work / f"{out.name}.txt"
        try:
            FAULTS[kind](self, verb, out, words, said)
            text = said.read_text(errors="replace") if said.exists() else ""
            if "Traceback" in text or "Exception ignored" in text:
                raise Lost(f"more than one line was said: {text[-600:]}")
            self.check(verb, out, whole=False)
            code = outcome(run(words, lambda: redirect(said)))
            if code:
                raise Lost(f"the same command then fails with {code}: {said.read_text()[-300:]}")
            self.check(verb, out, whole=True)
        except Exception as error:
            self.lost.append(f"{kind}, {verb}, fault {self.number}: {error!r}")
            print(self.lost[-1], file=sys.stderr, flush=True)
        finally:
            if os.path.ismount(out):
                subprocess.run(["umount", "-l", str(out)], check=True)
            shutil.rmtree(out, ignore_errors=True)
            said.unlink(missing_ok=True)
        self.tried[kind, verb] += 1

    def check(self, verb: str, out: Path, whole: bool) -> None:
        """Raise Lost where a file is none of an undisturbed run, or (`whole`) one is missing."""
        found, expected = contents(out), self.expected[verb]
        if whole:
            left = [str(p) for p in out.rglob(".writing-*")] + [
                str(p) for p in out.rglob(".removing-*")
            ]
            if left:
                raise Lost(f"left over: {left}")
            names = [
                name
                for name in found.keys() | expected.keys()
                if found.get(name) != expected.get(name) and not name.endswith("fresh.pt")
            ]
            if names:
                raise Lost(f"differ in the end: {sorted(names)}")
        elif verb != "train":  # which files of a run that is going on are like no other's
            names = [n for n, value in found.items() if expected.get(n, value) != value]
            if names:
                raise Lost(f"half-written: {names}")

    def torchrun(self, kills: int) -> None:
        """Kill one of two training processes again and again; the weights are the same."""
        folders = []
        for number in (0, kills):
            out = self.work / f"torchrun{number}"
            words = VERBS["train"].words(self.base, out)
            line = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
            line += ["--nproc-per-node", "2", "--max-restarts", str(number)]
            line += ["-m", "seqlabel.cli", *map(str, words)]
            with open(self.work / "torchrun.txt", "w") as log:
                process = subprocess.Popen(line, stdout=log, stderr=log)
                for _ in range(number):
                    workers: list[int] = []
                    while process.poll() is None and len(workers) < 2:
                        time.sleep(0.1)
                        workers = descendants(process.pid)
                    time.sleep(self.chance.uniform(0, 20))
                    with contextlib.suppress(ProcessLookupError, IndexError):
                        os.kill(self.chance.choice(workers), signal.SIGKILL)
                        self.tried["lost worker", "train"] += 1
                    while process.poll() is None and set(descendants(process.pid)) & set(workers):
                        time.sleep(0.1)
                if process.wait():
                    self.lost.append(f"torchrun: {(self.work / 'torchrun.txt').read_text()[-600:]}")
                    return
            folders.append(contents(out))
        names = [n for n, value in folders[0].items() if folders[1].get(n) != value]
        if names:
            self.lost.append(f"lost worker: differ in the end: {names}")


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


Arguments = tuple[Campaign, str, Path, list[str | Path], Path]


def ended(number: int) -> Callable[..., None]:
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
    # Standard output is a file too, and as limited.
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
        return  # it was done before that many operations
    second = outcome(run(words, lambda: redirect(said.with_suffix(".2"))))
    told = said.with_suffix(".2").read_text()
    said.with_suffix(".2").unlink()
    os.kill(first, signal.SIGCONT)
    code = outcome(first)
    refused = second == 2 and REFUSED in told and str(out) in told
    # What it locks it may have let go of already.
    if "Traceback" in told or not (refused or second == 0):
        raise Lost(f"the second: exit code {second}: {told[-600:]}")
    if second == 0 and VERBS[verb].locks and operation < c.operations[verb] * 0.9:
        raise Lost("the second was let in")
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


FAULTS: dict[str, Callable[..., None]] = {
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
"""How often each kind of fault is tried, relative to the others."""


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A folder for everything."""
    work = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=360, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="30 faults of the verbs without torch")
    parser.add_argument("--torchrun", type=int, default=0, metavar="N", help="workers to kill")
    parser.add_argument("--no-home", type=int, default=0, metavar="N", help="new interpreters")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    verbs = QUICK if args.quick else tuple(VERBS)
    with place() as work:
        campaign = Campaign(work, args.seed, verbs)
        campaign.begin()
        kinds = campaign.chance.choices(
            list(SHARES), list(SHARES.values()), k=30 if args.quick else args.faults
        )
        for number, kind in enumerate(kinds):
            campaign.fault(kind, verbs[number % len(verbs)])
        for number in range(args.no_home):
            campaign.fault("no home", ("lm", "score")[number % 2])
        if args.torchrun:
            campaign.torchrun(args.torchrun)
    print(f"{'fault':<12}" + "".join(f"{verb:>10}" for verb in verbs))
    for kind in dict.fromkeys(kind for kind, _ in campaign.tried):
        print(f"{kind:<12}" + "".join(f"{campaign.tried[kind, verb]:>10}" for verb in verbs))
    total = sum(campaign.tried.values())
    print(f"{total} faults, {total - len(campaign.lost)} survived")
    if args.json:
        tried = [[*key, count] for key, count in campaign.tried.items()]
        write_json(args.json, {"tried": tried, "faults": total, "lost": campaign.lost})
    return int(bool(campaign.lost))


if __name__ == "__main__":
    sys.exit(main())
