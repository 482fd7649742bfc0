"""The fault campaign: commands to run, and checks that their results survive a fault."""

import contextlib
import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults_processes import LONGEST, at_operation, descendants, outcome, redirect, run

from seqlabel.cli import main as seqlabel

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


@dataclass(frozen=True)
class Verb:
    """A command that reads the shared corpus `base` and writes into its own folder."""

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
    """A fault had a forbidden effect."""


def contents(folder: Path) -> dict[str, Any]:
    """Relative path -> reproducible content, for all visible files."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and ".writing-" not in name and ".removing-" not in name:
            found[name] = content(path)
    return found


def content(path: Path) -> Any:
    """The content of a file without times and paths; raises an exception if it is not whole."""
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
    """The results of undisturbed runs, in `base`, and the numbers of faults tried."""

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
        """Make the corpus, run every verb once in this process, and again to count operations."""
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
                # In this process, so that forks need not import and compile again.
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

    def fault(self, kind: str, fault: "Fault", verb: str) -> None:
        """Disturb a verb once, check, run it again, check again."""
        out = self.folder(verb)
        words = VERBS[verb].words(self.base, out)
        said = self.work / f"{out.name}.txt"
        try:
            fault(self, verb, out, words, said)
            text = said.read_text(errors="replace") if said.exists() else ""
            if "Traceback" in text or "Exception ignored" in text:
                raise Lost(f"more than one line of output: {text[-600:]}")
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
        """Raise Lost if a file differs from the undisturbed run or, if `whole`, is missing."""
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
        """Kill one of two training processes, at any step, until so many were killed; the weights
        must be the same.
        """
        whole = self.work / "torchrun"
        seconds, _ = self.train_in_two(whole, 0, 0.0)
        number = killed = 0
        while killed < kills and not self.lost:
            number += 1
            out = self.work / f"torchrun{number}"
            killed += self.train_in_two(out, min(3, kills - killed), seconds)[1]
            expected, found = contents(whole), contents(out)
            names = [name for name, value in expected.items() if found.get(name) != value]
            if names and not self.lost:
                self.lost.append(f"lost worker, training {number}: differ in the end: {names}")
        self.tried["lost worker", "train"] += killed

    def train_in_two(self, out: Path, kills: int, longest: float) -> tuple[float, int]:
        """Train in two processes; of each start one is killed within `longest` seconds.

        Returns the seconds between the first sight of the processes and the end, and the number of
        those killed: fewer than `kills` if the training ended before.
        """
        words = VERBS["train"].words(self.base, out)
        line = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
        line += ["--nproc-per-node", "2", "--max-restarts", str(kills)]
        line += ["-m", "seqlabel.cli", *map(str, words)]
        log, killed, began = self.work / "torchrun.txt", 0, 0.0
        with open(log, "w") as stream:
            process = subprocess.Popen(line, stdout=stream, stderr=stream)
            for start in range(kills + 1):
                workers: list[int] = []
                while process.poll() is None and len(workers) < 2:
                    time.sleep(0.05)
                    workers = descendants(process.pid)
                began = began or time.monotonic()
                if process.poll() is not None or start == kills:
                    break
                time.sleep(self.chance.uniform(0, longest))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.chance.choice(workers), signal.SIGKILL)
                    killed += 1
                while process.poll() is None and set(descendants(process.pid)) & set(workers):
                    time.sleep(0.05)
            if process.wait(LONGEST):
                self.lost.append(f"torchrun: {log.read_text()[-600:]}")
        return time.monotonic() - began, killed


Fault = Callable[[Campaign, str, Path, list[str | Path], Path], None]
"""(campaign, verb, its folder, its command, file for its output): runs the verb with a fault."""
