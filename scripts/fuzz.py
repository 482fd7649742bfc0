"""Damaged files for every reader: each must be read, or refused in one line that names the file.

    python scripts/fuzz.py [--minutes N] [--seed N] [--data FOLDER] [--reader NAME] [--keep FOLDER]

Whole files of all formats (`fuzz_readers.py`) and those found below --data are mutated
(`fuzz_mutations.py`) and read in child processes of 1 GiB of memory beyond what they begin with and
20 s of processor time for an input. A reader may return, or raise InputError with one short line
that names what it read. Everything else has failed: other exceptions, warnings, crashes, hangs.
Failures are told apart by the place that raised them; --keep writes the first input of each.
Input N of a seed is always the same: --reader NAME --only N reads it once more, with a traceback.
"""

import argparse
import faulthandler
import json
import logging
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_files import Reader
from fuzz_mutations import Folder, mutate_folder
from fuzz_readers import make_readers

from seqlabel.errors import InputError
from seqlabel.files import write_json

MEMORY = 1 << 30
"""Bytes that an input may take."""
HANG = 20.0
"""Seconds of processor time that an input may take."""
WAIT = 300.0
"""Seconds that it may take on a busy machine: one that waits for ever needs no processor time."""
LONGEST = 600
"""Characters of a message that still are one line."""
TURN = 10.0
"""Seconds for a reader before the next one has its turn; less where a run is too short for all."""


@dataclass
class Tally:
    """What became of a reader's inputs; failures: signature -> number; first: its first input."""

    tried: int = 0
    refused: int = 0
    read: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, outcome: str, signature: str) -> bool:
        """Count an input; whether its failure is the first of its kind."""
        self.tried += 1
        if outcome != "failed":
            setattr(self, outcome, getattr(self, outcome) + 1)
            return False
        self.failures[signature] += 1
        return self.first.setdefault(signature, number) == number

    def to_json(self) -> dict[str, Any]:
        """The counts, failures with the number of their first input."""
        failed = {s: {"inputs": n, "first": self.first[s]} for s, n in self.failures.items()}
        counts = {"tried": self.tried, "refused": self.refused, "read": self.read}
        return {**counts, "failed": sum(self.failures.values()), "failures": failed}


def make_input(reader: Reader, seed: int, number: int) -> Folder:
    """Input `number` of a reader: one of its whole inputs, damaged."""
    rng = random.Random(f"{seed} {reader.name} {number}")
    return mutate_folder(rng.choice(reader.seeds), rng, reader.seeds)


def write_input(files: Folder, folder: Path) -> None:
    """Write the files of an input."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def try_input(reader: Reader, seed: int, number: int) -> tuple[str, str]:
    """(read, refused or failed; of a failure the place and the exception)."""
    files = make_input(reader, seed, number)
    with tempfile.TemporaryDirectory(prefix="fuzz") as name:
        folder = Path(name)
        write_input(files, folder)
        try:
            reader.read(folder)
        except InputError as error:
            return judge(str(error), files, folder, reader.name.split()[-1])
        except Exception as error:
            return "failed", f"{type(error).__name__} at {place_of(error)}"
    return "read", ""


def judge(message: str, files: Folder, folder: Path, corpus: str) -> tuple[str, str]:
    """Whether a refusal is one short line that names the input or a part of it."""
    names = {str(folder)} | {Path(file).name for file in files} | {Path(f).stem for f in files}
    names |= {f"{corpus}: ", "training set"}  # where a whole corpus is at fault, or a set of it
    if len(message) > LONGEST:
        return "failed", f"a message of more than {LONGEST} characters: {message[:60]}"
    if not any(name in message for name in names):
        shown = "".join("0" if c.isdigit() else c for c in message)
        return "failed", f"a message that names no file: {shown[:60]}"
    return "refused", ""


def place_of(error: BaseException) -> str:
    """The last line of the package on the way to an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/seqlabel/" in frame.filename] or list(frames)
    return f"{own[-1].filename.rpartition('/seqlabel/')[2]}:{own[-1].lineno} {own[-1].name}"


def child(reader: Reader, seed: int, first: int, last: int, pipe: int, deadline: float) -> None:
    """Try inputs and report each before and after; ends at `last` or at the deadline."""
    for stream in (1, 2):  # decoders of libsndfile write there
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    faulthandler.disable()
    logging.disable()
    warnings.simplefilter("error")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(first, last):
        os.write(pipe, json.dumps([number]).encode() + b"\n")
        os.write(pipe, json.dumps([number, *try_input(reader, seed, number)]).encode() + b"\n")
        if time.monotonic() > deadline:
            return


def processor_seconds(process: int) -> float:
    """Time that a process has computed so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reports(process: int, pipe: int) -> Iterator[list[Any]]:
    """What a child reports; it is killed when an input takes too long, and reports no more."""
    rest, since, began = b"", 0.0, time.monotonic()
    while True:
        if select.select([pipe], [], [], 1.0)[0]:
            part = os.read(pipe, 1 << 16)
            if not part:
                return
            *lines, rest = (rest + part).split(b"\n")
            yield from map(json.loads, lines)
            since, began = processor_seconds(process), time.monotonic()
        elif processor_seconds(process) - since > HANG or time.monotonic() - began > WAIT:
            os.kill(process, signal.SIGKILL)
            yield ["hang"]


def run(reader: Reader, tally: Tally, seed: int, count: int, deadline: float) -> Iterator[int]:
    """Try inputs from `tally.tried` on; yields the numbers of failures of a new kind."""
    last = tally.tried + count
    while tally.tried < last and time.monotonic() < deadline:
        pipe, end = os.pipe()
        process = os.fork()
        if not process:
            code = 1
            try:
                os.close(pipe)
                child(reader, seed, tally.tried, last, end, deadline)
                code = 0
            finally:
                os._exit(code)
        os.close(end)
        pending, hung, begun = None, False, tally.tried
        for report in reports(process, pipe):
            if report == ["hang"]:
                hung = True
            elif len(report) == 1:
                pending = report[0]
            else:
                pending = None
                if tally.add(*report):
                    yield report[0]
        os.close(pipe)
        status = os.waitpid(process, 0)[1]
        if pending is not None:
            cause = f"more than {HANG:g} s" if hung else f"the process ended with status {status}"
            if tally.add(pending, "failed", cause):
                yield pending
        elif tally.tried == begun and status:
            raise RuntimeError(f"a child ended with status {status} before its first input")


def fuzz(readers: list[Reader], args: argparse.Namespace) -> dict[str, Tally]:
    """All readers in turn until the time is over, or `--count` inputs of each."""
    tallies = {reader.name: Tally() for reader in readers}
    end = time.monotonic() + 60 * args.minutes if args.minutes else float("inf")
    longest = min(TURN, 60 * args.minutes / len(readers))
    while time.monotonic() < end:
        for reader in readers:
            tally = tallies[reader.name]
            turn = min(end, time.monotonic() + longest) if args.minutes else end
            for number in run(reader, tally, args.seed, args.count or 1 << 30, turn):
                kind = next(kind for kind, first in tally.first.items() if first == number)
                print(f"{reader.name}, input {number}: {kind}", flush=True)
                if args.keep:
                    place = args.keep / reader.name.replace(" ", "_").replace("/", "_")
                    write_input(make_input(reader, args.seed, number), place / str(number))
        if args.count:
            break
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=0.0, help="run this long (default 1)")
    parser.add_argument("--count", type=int, default=0, help="or try so many inputs of each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder with real files to damage, too")
    parser.add_argument("--reader", action="append", help="only readers with this in their name")
    parser.add_argument("--only", type=int, metavar="N", help="read input N once, here")
    parser.add_argument("--keep", type=Path, help="folder for the first input of each failure")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--quick", action="store_true", help="20 inputs of each reader")
    args = parser.parse_args()
    args.count = 20 if args.quick else args.count
    args.minutes = args.minutes or (0.0 if args.count else 1.0)
    readers = make_readers(args.data)
    if args.reader:
        readers = [r for r in readers if any(part in r.name for part in args.reader)]
    if args.only is not None:
        (reader,) = readers
        with tempfile.TemporaryDirectory() as name:
            write_input(make_input(reader, args.seed, args.only), Path(name))
            print(reader.read(Path(name)))
        return 0
    started = time.monotonic()
    tallies = fuzz(readers, args)
    total = Tally()
    print(f"{'reader':<26} {'tried':>8} {'refused':>8} {'read':>8} {'failed':>7}")
    for name, tally in [*tallies.items(), ("all", total)]:
        failed = sum(tally.failures.values())
        print(f"{name:<26} {tally.tried:>8} {tally.refused:>8} {tally.read:>8} {failed:>7}")
        if tally is not total:
            total.tried += tally.tried
            total.refused += tally.refused
            total.read += tally.read
            total.failures += tally.failures
    print(f"{(time.monotonic() - started) / 60:.1f} minutes, seed {args.seed}")
    if args.json:
        figures = {name: tally.to_json() for name, tally in tallies.items()}
        write_json(args.json, {"seed": args.seed, "readers": figures})
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
