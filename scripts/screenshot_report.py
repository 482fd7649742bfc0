#!/usr/bin/env python3
"""Pictures of an HTML report, as the README shows them.

    scripts/screenshot_report.py exp/timit/report/test/report.html picture.png --open 1
    scripts/screenshot_report.py report.html phone.png --width 390 --dark
    scripts/screenshot_report.py report.html report.pdf

Needs Chromium or Chrome on the PATH and nothing else.
"""

import argparse
import sys
from pathlib import Path

from chromium import chromium, find

MARGIN = 14
"""CSS pixels left and right of a part."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="the .html file")
    parser.add_argument("picture", type=Path, help=".png, or .pdf for the page as it prints")
    parser.add_argument("--width", type=int, default=1120, help="CSS pixels (default 1120)")
    parser.add_argument("--height", type=int, default=0, help="default: the whole part")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels a CSS pixel")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--part", help="only what this CSS selector finds, e.g. '#confusions'")
    parser.add_argument("--open", type=int, metavar="N", help="open the evidence panel N (from 1)")
    args = parser.parse_args()
    browser = find()
    if browser is None:
        print("no Chromium or Chrome found; install one (apt install chromium)", file=sys.stderr)
        return 2
    with chromium(browser) as page:
        page.view(args.width, 900, dark=args.dark, scale=args.scale)
        page.open(args.report)
        if args.open:
            page.run(f"document.querySelectorAll('details.evidence')[{args.open - 1}].open = true")
            page.run("new Promise(done => setTimeout(done, 400))")
        if args.picture.suffix == ".pdf":
            args.picture.write_bytes(page.pdf())
        else:
            # What lies outside the window is not laid out unless it is told to be.
            page.run(
                "document.querySelectorAll('article')"
                ".forEach(a => { a.style.contentVisibility = 'visible'; })"
            )
            part = f"document.querySelector({args.part or 'html'!r})"
            box = page.run(f"{part}.getBoundingClientRect().toJSON()")
            left = max(0, box["x"] - MARGIN)
            width = box["right"] - left + MARGIN
            height = min(box["height"], args.height or box["height"])
            args.picture.write_bytes(page.png((left, box["y"], width, height)))
        for problem in page.problems:
            print(f"{args.report}: {problem}", file=sys.stderr)
        return 1 if page.problems else 0


if __name__ == "__main__":
    sys.exit(main())
