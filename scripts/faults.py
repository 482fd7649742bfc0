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
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from faults_campaign import QUICK, VERBS, Campaign
from faults_kinds import FAULTS, SHARES

from seqlabel.files import write_json


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
            campaign.fault(kind, FAULTS[kind], verbs[number % len(verbs)])
        for number in range(args.no_home):
            campaign.fault("no home", FAULTS["no home"], ("lm", "score")[number % 2])
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
