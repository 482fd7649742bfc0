#!/usr/bin/env python3
"""Pictures of the demonstration page in use, as the README shows it.

    scripts/screenshot_demo.py exp/synthetic_ink/model picture.png --text "pen and ink"
    scripts/screenshot_demo.py an4-streaming picture.png --width 390 --dark

A model of ink reads what a synthetic hand writes, a model of speech the example it comes with.
Needs Chromium or Chrome on the PATH. The time of the reading is left out of the picture.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from chromium import Page, chromium, find

from seqlabel.synthetic.hands import Hand, write_text

HAND = Hand(slant=0.15, drift=0.03, spacing=0.36, jitter=0.03, deviation=0.03, habits=11)
EXAMPLE = (
    "(strokes => { const real = fetch; window.fetch = async (path, options) => path === 'example'"
    " ? new Response(JSON.stringify({ strokes })) : real(path, options); })"
)
"""Has the page's button write these strokes."""


def until(page: Page, condition: str, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not page.run(condition):
        if time.monotonic() > deadline:
            raise SystemExit(f"the page does not come to {condition}")
        time.sleep(0.1)


def write(page: Page, text: str) -> None:
    ink = write_text(text, HAND, np.random.default_rng(4))
    rows = [np.column_stack([s * [1, 1, 1000], 0.5 + 0 * s[:, 0]]) for s in ink.strokes]
    page.run(f"{EXAMPLE}({json.dumps([row.tolist() for row in rows])})")
    page.run("document.querySelector('#example').click()")
    until(page, "performance.getEntriesByName('pen-up to text').length > 0")


def hear(page: Page) -> None:
    page.run("document.querySelector('#heard').click()")
    until(page, "document.querySelector('#text .label')")
    until(page, "!document.querySelector('#text .open')")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", help="model directory, or the name of one that comes with the package"
    )
    parser.add_argument("picture", type=Path, help=".png")
    parser.add_argument("--text", default="pen and ink", help="what is written")
    parser.add_argument("--width", type=int, default=1120, help="CSS pixels (default 1120)")
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    browser = find()
    if browser is None:
        print("no Chromium or Chrome found; install one (apt install chromium)", file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "seqlabel.cli", "demo", args.model, "--no-browser"]
    with (
        chromium(browser) as page,
        subprocess.Popen(
            [*command, "--port", "0", "--corpus", "my-corpus"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        page.view(args.width, 820, dark=args.dark)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if args.dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        page.call("Emulation.setEmulatedMedia", features=[scheme, still])
        page.open(address)
        until(page, "document.body.dataset.ready === 'true'")
        if page.run("document.querySelector('#speech').hidden"):
            write(page, args.text)
        else:
            hear(page)
        page.run("document.querySelector('#pace').hidden = true")
        page.run("new Promise(done => setTimeout(done, 500))")
        height = page.run("document.querySelector('.below').getBoundingClientRect().bottom") + 16
        args.picture.write_bytes(page.png((0, 0, args.width, height)))
        process.send_signal(signal.SIGINT)
        for problem in page.problems:
            print(problem, file=sys.stderr)
        return 1 if page.problems else 0


if __name__ == "__main__":
    sys.exit(main())
