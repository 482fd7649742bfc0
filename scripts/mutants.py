"""Mutation testing: changes one token of a module at a time and checks that a test fails.

    python scripts/mutants.py                      every room of TESTS, 150 mutants each
    python scripts/mutants.py decoding/search      rooms and modules whose path contains this
    python scripts/mutants.py ctc_kernel --all     every mutant
    python scripts/mutants.py --again FILE         mutants that survived a run with --json FILE

Needs `pip install 'seqlabel[mutants]'`. Kernels run as plain Python (NUMBA_DISABLE_JIT=1), so that
nothing is compiled again; tests that are too slow that way are left out. Each mutant is tested by
the tests that reach its line, fastest first. It survives if all of them pass. Results are in
CONTRIBUTING.md.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"  # before numba is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from mutants_runs import Baseline, Suite, with_suite
from mutants_sites import Mutant, find_mutants, on_import, sample, statements

ROOT = Path(__file__).resolve().parents[1]

TESTS = {
    "models/ctc_kernel.py": ["models/test_ctc.py"],
    "decoding/search/*.py": ["decoding/test_beam.py", "decoding/test_stream.py",
                             "decoding/test_lexicon.py", "decoding/test_plain.py",
                             "decoding/test_trie.py"],
    "decoding/alignment/*.py": ["decoding/test_alignment.py", "decoding/test_free_alignment.py",
                                "decoding/test_align_options.py"],
    "decoding/lm/*.py": ["decoding/test_arpa.py", "decoding/test_kneser_ney.py",
                         "decoding/test_ngram.py", "decoding/test_lexicon.py"],
    "scoring/alignment*.py": ["scoring/test_alignment.py", "scoring/test_sclite.py"],
    "data/batches.py": ["data/test_batches.py"],
}  # fmt: skip
"""Rooms -> the tests that should detect their mutants."""

UNTRIED = ("triton_beam.py",)
"""Files whose tests need Triton, whose kernels do not run as plain Python."""


def try_mutants(
    suite: Suite, base: Baseline, module: Path, mutants: list[Mutant], budget: float
) -> list[dict[str, object]]:
    """The outcome of every mutant of a module. budget: seconds of tests per mutant."""
    code = module.read_text()
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    statement, imported = statements(code), on_import(code)
    results = []
    for mutant in mutants:
        lines = [(str(module), line) for line in statement.get(mutant.line, {mutant.line})]
        chosen = set().union(*(base.reached.get(line, set()) for line in lines))
        if mutant.line in imported:
            chosen = set(base.seconds)
        tests, total = [], 0.0
        for test in sorted(chosen, key=lambda test: base.seconds[test]):
            total += base.seconds[test]
            if not tests or total <= budget:
                tests.append(test)
        by = "no test reaches it" if not tests else None
        if tests:
            by = suite.killer(name, mutant.apply(code), tests, 5 + 3 * total)
        alive = by is None or not tests or by.startswith("exit: ")
        change = mutant.difference(code)
        if alive:
            print(f"  {mutant.line}: {change}" + (f"  ({by})" if by else ""), flush=True)
        results.append(
            {"module": str(module.relative_to(ROOT)), "line": mutant.line, "change": change,
             "operator": mutant.operator, "survived": alive, "by": by}
        )  # fmt: skip
    return results


def survivors(found: list[tuple[Path, Mutant]], file: Path) -> list[tuple[Path, Mutant]]:
    """The mutants in `found` that survived an earlier run."""
    left: dict[tuple[str, int], set[str]] = {}
    for end in json.loads(file.read_text()):
        if end["survived"]:
            left.setdefault((end["module"], end["line"]), set()).add(end["change"])
    pairs = []
    for path, mutant in found:
        changes = left.get((str(path.relative_to(ROOT)), mutant.line))
        if changes and mutant.difference(path.read_text()) in changes:
            pairs.append((path, mutant))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("only", nargs="*", help="parts of module paths")
    parser.add_argument("--most", type=int, default=150, help="mutants per room (default: 150)")
    parser.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (default: 1)")
    parser.add_argument("--lines", help="FIRST-LAST: only mutants of these lines, all of them")
    parser.add_argument("--again", type=Path, metavar="FILE", help="mutants that survived in FILE")
    parser.add_argument("--examples", type=int, default=25, help="per property test (default: 25)")
    parser.add_argument("--limit", type=float, default=8.0, help="seconds per test (default: 8)")
    parser.add_argument(
        "--budget", type=float, default=15.0, help="seconds per mutant (default: 15)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="writes every mutant and its outcome"
    )
    arguments = parser.parse_args()
    if arguments.json:
        if arguments.json == arguments.again:
            parser.error("--again and --json are the same file")
        arguments.json.write_text("[]")
        arguments.json = arguments.json.resolve()
    os.chdir(ROOT)
    torch.set_num_threads(1)
    for room, names in TESTS.items():
        modules = [
            path
            for path in sorted((ROOT / "seqlabel").glob(room))
            if path.name not in UNTRIED
            and (not arguments.only or any(part in str(path) for part in arguments.only))
        ]
        found = [(path, one) for path in modules for one in find_mutants(path.read_text())]
        chosen = found
        if arguments.lines:
            first, last = map(int, arguments.lines.split("-"))
            chosen = [pair for pair in found if first <= pair[1].line <= last]
        elif arguments.again:
            chosen = survivors(found, arguments.again)
        elif not arguments.all:
            chosen = sample(found, arguments.most, arguments.seed)
        if not chosen:
            continue

        def work(suite: Suite, room=room, modules=modules, found=found, chosen=chosen) -> None:
            start = time.monotonic()
            base = suite.measure(modules)
            for test, why in base.left_out.items():
                print(f"  left out: {test}: {why}")
            results = []
            for module in modules:
                mutants = [one for path, one in chosen if path == module]
                print(f"{module.relative_to(ROOT)}", flush=True)
                ends = try_mutants(suite, base, module, mutants, arguments.budget)
                dead = sum(not end["survived"] for end in ends)
                total = sum(path == module for path, _ in found)
                print(f"  {len(ends)} of {total} mutants, {dead} killed, {len(ends) - dead} left")
                results += ends
            left = sum(bool(end["survived"]) for end in results)
            numbers = f"{len(results)} of {len(found)} | {len(results) - left} | {left}"
            print(f"| {room} | {numbers} |  ({time.monotonic() - start:.0f} s)", flush=True)
            if arguments.json:
                before = json.loads(arguments.json.read_text())
                arguments.json.write_text(json.dumps(before + results, indent=1))

        tests = [str(Path("tests", name)) for name in names]
        with_suite(tests, arguments.examples, arguments.limit, work)


if __name__ == "__main__":
    main()
