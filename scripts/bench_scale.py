"""Start-up time and memory of training on a corpus that is larger than memory.

    python scripts/bench_scale.py [--utterances N] [--quick] [--folder DIR] [--json FILE]

A manifest of N utterances (10 million) is written to a temporary folder; its signals are a small
set of recordings of noise that are repeated, and so are their features. Measured, each in a
separate process with its peak memory: building the index of the manifest; and training from the
start of the interpreter to its first batch, and for some updates with the share of time spent
waiting for data. The target: a first batch within a minute and in 2 GB, at most 5 % padding.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from seqlabel.alphabet import PHONES_39, Alphabet
from seqlabel.corpora.manifest import Utterance, write_manifest
from seqlabel.data.arrays import growing_array
from seqlabel.data.dataset import load_features
from seqlabel.data.index import open_utterances
from seqlabel.data.store import store_path
from seqlabel.features.front_end import FrontEnd, FrontEndOptions, make_extractor
from seqlabel.files import whole_folder, write_json

SOUNDS, DEV, UPDATES, CHUNK = 500, 200, 30, 100_000

CONFIG = """
[features]
kind = "fbank"
[model]
hidden = 128
layers = 2
[training]
threads = 1
[[phases]]
epochs = 1
"""

INDEX = """
import sys
from pathlib import Path
from seqlabel.data.index import open_utterances
open_utterances(Path(sys.argv[1]) / "train.jsonl")
"""

TRAINING = r"""
import json, re, sys, time
from pathlib import Path
from seqlabel.memory import peak_memory
from seqlabel.training import loop
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train

folder, begin, updates = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
update, found = loop.PhaseLoop._update, {}

def watched(self, *arguments):
    if not found:
        found["first_batch_seconds"] = time.monotonic() - begin
        found["first_batch_peak_gb"] = peak_memory() * 1e-9
        found["first_batch_cpu_seconds"] = time.process_time()
        found["padding"] = self.owner.monitor.padding
        self.owner.clock.take()
        found["began"] = time.monotonic()
    update(self, *arguments)
    if self.owner.progress.update == updates:
        waited = self.owner.clock.take()["data"]
        found["waiting_share"] = waited / (time.monotonic() - found.pop("began"))
        status = Path("/proc/self/status").read_text()
        found["private_gb"] = int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024e-9
        print(json.dumps(found), flush=True)
        raise SystemExit

loop.PhaseLoop._update = watched
train(Experiment.load(folder / "config.toml"), folder, folder / "exp", Workers())
"""


def make_sounds(folder: Path) -> list[Utterance]:
    """SOUNDS recordings of one to four seconds of noise, and what might be said in them."""
    rng, chance = np.random.default_rng(0), random.Random(0)
    found = []
    (folder / "sounds").mkdir()
    for n in range(SOUNDS):
        path = folder / "sounds" / f"{n}.wav"
        seconds = rng.uniform(1, 4)
        soundfile.write(path, rng.normal(0, 0.1, int(16000 * seconds)), 16000)
        labels = tuple(chance.choices(PHONES_39, k=round(8 * seconds)))
        text = " ".join(labels)
        found.append(Utterance(f"sound-{n}", path, "speech", labels, text, duration=seconds))
    return found


def write_large_manifest(path: Path, sounds: list[Utterance], number: int) -> None:
    """`number` utterances, each with the sound and the labels of one of `sounds`."""
    write_manifest(path, sounds)
    lines = path.read_text().splitlines()
    ends = [line.removeprefix(f'{{"id": "sound-{n}"') for n, line in enumerate(lines)]
    with open(path, "w") as stream:
        for start in range(0, number, CHUNK):
            stream.writelines(
                f'{{"id": "utterance-{n:09d}"{ends[n % SOUNDS]}\n'
                for n in range(start, min(number, start + CHUNK))
            )


def make_large_store(folder: Path, front_end: FrontEnd) -> None:
    """The features of train.jsonl: those of the few sounds, to which many utterances point."""
    few = load_features(open_utterances(folder / "sounds.jsonl"), front_end)
    utterances = open_utterances(folder / "train.jsonl")
    path = store_path(folder / "features", "train", front_end.extractor, utterances)
    with whole_folder(path) as new:
        for name in ("x.npy", "times.npy", "store.json"):
            (new / name).hardlink_to(few.folder / name)
        with growing_array(new / "spans.npy", "<i8") as spans:
            for start in range(0, len(utterances), SOUNDS * 1000):
                rows = np.arange(start, min(len(utterances), start + SOUNDS * 1000))
                spans(few.spans[rows % SOUNDS])


def measured(code: str, *arguments: str) -> dict[str, float]:
    """Seconds, processor seconds and peak memory of a Python process, and what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    command = [sys.executable, "-c", code, *arguments]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.monotonic() - begin,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_gb": after.ru_maxrss * 1024 / 1e9,  # Linux counts kibibytes
        **json.loads(out or "{}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--quick", action="store_true", help="100,000 utterances")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where to put the temporary folder"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    number = 100_000 if args.quick else args.utterances
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        sounds = make_sounds(folder)
        write_manifest(folder / "sounds.jsonl", sounds)
        write_manifest(folder / "dev.jsonl", sounds[:DEV])
        Alphabet(PHONES_39, unit="phone").save(folder / "alphabet.json")
        (folder / "config.toml").write_text(CONFIG)
        write_large_manifest(folder / "train.jsonl", sounds, number)
        size = (folder / "train.jsonl").stat().st_size / 1e9
        index = measured(INDEX, str(folder))
        # Processes inherit the peak of the one they come from: this one has to stay small.
        extractor = make_extractor({"kind": "fbank"})
        make_large_store(folder, FrontEnd(extractor, FrontEndOptions()))
        start = measured(TRAINING, str(folder), str(time.monotonic()), str(UPDATES))
    print(f"{number:,} utterances, a manifest of {size:.2f} GB")
    print(
        f"{'index, made once':<24} {index['seconds']:7.1f} s ({index['cpu_seconds']:.1f} s of "
        f"processor time), {index['peak_gb']:.2f} GB at most"
    )
    print(
        f"{'first batch after':<24} {start['first_batch_seconds']:7.1f} s "
        f"({start['first_batch_cpu_seconds']:.1f} s of processor time), "
        f"{start['first_batch_peak_gb']:.2f} GB at most"
    )
    print(
        f"{f'{UPDATES} updates after':<24} {start['seconds']:7.1f} s, {start['peak_gb']:.2f} GB at "
        f"most, {start['private_gb']:.2f} GB of them not mapped from files"
    )
    print(f"{'padding':<24} {100 * start['padding']:7.1f} %")
    print(f"{'waiting for data':<24} {100 * start['waiting_share']:7.1f} % of the training's time")
    if args.json:
        figures = {"utterances": number, "manifest_gb": size, "index": index, "start": start}
        write_json(args.json, figures)


if __name__ == "__main__":
    main()
