"""Experiments that compare LSTM cells, with one table of all results."""

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path

import counting
import gaps
import lags
import reber
import torch
import waves
from results import table

from seqlabel.files import write_json

EXPERIMENTS = {  # name -> the experiment, seeds
    "reber": (reber.run, 5),
    "wave": (waves.run, 16),
    "order": (lags.order, 5),
    "adding": (lags.adding, 5),
    "odyssey": (lags.odyssey, 5),
    "counting": (counting.run, 10),
    "gaps": (gaps.run, 3),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__)
    parser.add_argument(
        "experiment", nargs="*", metavar="experiment", help=f"{', '.join(EXPERIMENTS)}; all if none"
    )
    parser.add_argument("--seeds", type=int, help="networks per cell, seeds 0 to N - 1")
    parser.add_argument("--quick", action="store_true", help="a tenth of the training")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args()
    for name in options.experiment:
        if name not in EXPERIMENTS:
            parser.error(f"no experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds {options.seeds}: must be at least 1")

    torch.set_num_threads(1)  # networks this small gain nothing from more
    torch.set_flush_denormal(True)
    outcomes = {}
    for name in options.experiment or EXPERIMENTS:
        experiment, seeds = EXPERIMENTS[name]
        start, processor = time.perf_counter(), time.process_time()
        outcome = experiment(options.seeds or seeds, options.quick)
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        print(f"{name}: {seconds:.0f} s, {processor:.0f} s of processor time", file=sys.stderr)
        outcomes[name] = {"seconds": seconds, "processor_seconds": processor, **asdict(outcome)}
        print(table(outcome.lines))
        if not options.quick:
            for claim in outcome.claims:
                print(f"{'holds' if claim.holds else 'FAILS'}: {claim.text}")
        print(flush=True)
    if options.json:
        write_json(options.json, {"quick": options.quick, "experiments": outcomes})


main()
