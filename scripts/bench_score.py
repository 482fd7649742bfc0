"""Speed of scoring: aligners compared with other packages, and the whole verb with its memory.

    python scripts/bench_score.py [--quick] [--json FILE]

Pairs of 40 phones with 20 % errors are aligned by seqlabel, rapidfuzz, editdistance, jiwer and
sclite in turn, several rounds, medians; packages that are not installed are named. The
distances of all must agree. seqlabel returns every aligned label and the counts, rapidfuzz only
the positions of edits, or only the distance. Then `seqlabel score` runs on the same pairs as files,
in a separate process, to measure time and peak memory (the target: 100,000 utterances in
30 s and 2 GB).
"""

import argparse
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from seqlabel.alphabet import PHONES_39
from seqlabel.files import write_json, write_jsonl
from seqlabel.scoring import Transcripts, align_all, write_transcripts

LENGTH = 40
Pairs = list[tuple[list[str], list[str]]]


def make_pairs(number: int, seed: int = 0) -> Pairs:
    """References of LENGTH phones, and readings with about 20 % of errors of all three kinds."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(number):
        reference = rng.choices(PHONES_39, k=LENGTH)
        hypothesis = []
        for phone in reference:
            chance = rng.random()
            if chance < 0.10:
                hypothesis.append(rng.choice(PHONES_39))
            elif chance < 0.15:
                hypothesis += [phone, rng.choice(PHONES_39)]
            elif chance >= 0.20:
                hypothesis.append(phone)
        pairs.append((reference, hypothesis))
    return pairs


def contestants(folder: Path) -> tuple[dict[str, tuple[int, Callable[[Pairs], int]]], list[str]]:
    """name -> (share of the pairs it gets, 1 in so many; total distance of pairs); the absent."""
    found: dict[str, tuple[int, Callable[[Pairs], int]]] = {
        "seqlabel, alignment, unit costs": (1, lambda pairs: ours(pairs, "unit")),
        "seqlabel, alignment, sclite costs": (1, lambda pairs: ours(pairs, "sclite")),
    }
    absent = []
    try:
        from rapidfuzz.distance import Levenshtein

        found["rapidfuzz, alignment (editops)"] = (
            1,
            lambda pairs: sum(len(Levenshtein.editops(r, h)) for r, h in numbered(pairs)),
        )
        found["rapidfuzz, distance"] = (
            1,
            lambda pairs: sum(Levenshtein.distance(r, h) for r, h in numbered(pairs)),
        )
    except ImportError:
        absent.append("rapidfuzz")
    try:
        import editdistance

        found["editdistance, distance"] = (
            1,
            lambda pairs: sum(editdistance.eval(r, h) for r, h in numbered(pairs)),
        )
    except ImportError:
        absent.append("editdistance")
    try:
        import jiwer

        def with_jiwer(pairs: Pairs) -> int:
            references = [" ".join(r) for r, _ in pairs]
            out = jiwer.process_words(references, [" ".join(h) for _, h in pairs])
            return out.substitutions + out.deletions + out.insertions

        found["jiwer, alignment"] = (10, with_jiwer)
    except ImportError:
        absent.append("jiwer")
    sclite = shutil.which("sclite") or "/usr/lib/sctk/bin/sclite"
    if Path(sclite).is_file():
        found["sclite, alignment, sclite costs"] = (20, lambda pairs: nist(pairs, sclite, folder))
    else:
        absent.append("sclite")
    return found, absent


def numbered(pairs: Pairs) -> list[tuple[list[int], list[int]]]:
    """Labels as integers, which the distance libraries read fastest; part of their work."""
    number = {phone: n for n, phone in enumerate(PHONES_39)}
    return [([number[p] for p in r], [number[p] for p in h]) for r, h in pairs]


def ours(pairs: Pairs, costs: str) -> int:
    found = align_all([r for r, _ in pairs], [h for _, h in pairs], costs)
    return sum(alignment.counts.errors for alignment in found)


def nist(pairs: Pairs, sclite: str, folder: Path) -> int:
    for name, side in (("ref", 0), ("hyp", 1)):
        labels = {f"s-{n}": pair[side] for n, pair in enumerate(pairs)}
        write_transcripts(folder / f"{name}.trn", Transcripts.of(name, labels))
    command = [sclite, "-s", "-i", "spu_id", "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn"]
    command += ["-o", "rsum", "stdout"]
    out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    total = next(line for line in out.splitlines() if line.lstrip("| ").startswith("Sum"))
    return int(total.replace("|", " ").split()[7])


def time_aligners(pairs: Pairs, rounds: int, folder: Path) -> tuple[list[dict], list[str]]:
    """Median pairs per second of every contestant, all in turn in each round."""
    found, absent = contestants(folder)
    align_all(["a"], ["b"])  # compiles the kernel
    seconds: dict[str, list[float]] = {name: [] for name in found}
    rates: dict[str, float] = {}
    for _ in range(rounds):
        for name, (share, run) in found.items():
            part = pairs[: len(pairs) // share]
            begin = time.perf_counter()
            errors = run(part)
            seconds[name].append((time.perf_counter() - begin) / len(part))
            rates[name] = errors / (LENGTH * len(part))
            least = ours(part, "unit" if "sclite" not in name else "sclite")
            if errors != least:
                raise SystemExit(f"{name} counts {errors} errors, seqlabel {least}")
    base = statistics.median(seconds["seqlabel, alignment, sclite costs"])
    rows = [
        {
            "name": name,
            "pairs_per_second": 1 / statistics.median(times),
            "times_seqlabel": base / statistics.median(times),
            "error_rate": rates[name],
        }
        for name, times in seconds.items()
    ]
    return rows, absent


def time_verb(pairs: Pairs, folder: Path) -> dict[str, float]:
    """Wall time and peak memory of `seqlabel score REF HYP --json` and of writing the report."""
    for name, side in (("ref", 0), ("hyp", 1)):
        write_jsonl(
            folder / f"{name}.jsonl",
            (
                {"id": f"u{n}", "labels": pair[side], "text": "", "speaker": f"s{n % 100}"}
                for n, pair in enumerate(pairs)
            ),
        )
    verb = "import sys; from seqlabel.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", verb, "score", str(folder / "ref.jsonl")]
    command += [str(folder / "hyp.jsonl"), "--unit", "phone"]
    result: dict[str, float] = {"utterances": len(pairs)}
    for key, more in (("json", ["--json"]), ("report", ["--out", str(folder / "report")])):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL)
        result[f"{key}_seconds"] = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # What it would take on a machine that does nothing else.
        result[f"{key}_cpu_seconds"] = (
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        )
        result[f"{key}_peak_gb"] = after.ru_maxrss * 1024 / 1e9  # Linux counts kibibytes
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the utterances")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    pairs = make_pairs(5_000 if args.quick else 100_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, absent = time_aligners(pairs[:20_000], 3, folder)
        verb = time_verb(pairs, folder)
    for row in rows:
        print(
            f"{row['name']:<36} {row['pairs_per_second']:>11,.0f} pairs/s "
            f"{row['times_seqlabel']:>7.3f} x seqlabel"
        )
    for name in absent:
        print(f"{name:<36} absent")
    print(f"seqlabel score, {verb['utterances']:,.0f} utterances of {LENGTH} labels:")
    for key, what in (("json", "totals"), ("report", "text, JSON and page")):
        print(
            f"  {what:<20} {verb[f'{key}_seconds']:6.1f} s ({verb[f'{key}_cpu_seconds']:.1f} s of "
            f"processor time), {verb[f'{key}_peak_gb']:.2f} GB at most"
        )
    if args.json:
        write_json(args.json, {"aligners": rows, "absent": absent, "verb": verb})


if __name__ == "__main__":
    main()
